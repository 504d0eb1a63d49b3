"""Health: what an operator looks at first, in a few cheap statements."""

from typing import Final

import asyncpg

from shared.instants import Instant, datetime_of

_MIGRATED: Final = "SELECT to_regclass('alembic_version') IS NOT NULL"
_REVISION: Final = "SELECT version_num FROM alembic_version"
_STANDBY: Final = "SELECT pg_is_in_recovery()"
_GLANCE: Final = """
SELECT (SELECT count(*) FROM quarantine WHERE status = 'open') AS quarantine_open,
       (SELECT count(*) FROM journeys JOIN models ON models.id = model_id
         WHERE next_at <= $1 AND models.state = 'active') AS timers_overdue,
       (SELECT created_at FROM outbox
         WHERE type IN ('journey.transition', 'journey.transition_retracted')
         ORDER BY id DESC LIMIT 1) AS last_transition_at,
       (SELECT key || '@' || version FROM models WHERE is_default) AS model
"""

_SPOOLED: Final = """
SELECT count(*) AS spools, coalesce(sum(records), 0)::bigint AS records,
       coalesce(sum(bytes), 0)::bigint AS bytes, min(oldest_at) AS oldest_at,
       min(seen_at) AS seen_at
  FROM spools
"""


async def read_revision(connection: asyncpg.Connection) -> str | None:
    """Return the revision of the database's schema; None if it was never migrated."""
    if not await connection.fetchval(_MIGRATED):
        return None
    revision: str | None = await connection.fetchval(_REVISION)
    return revision


async def is_standby(connection: asyncpg.Connection) -> bool:
    """Return whether the server only follows another one, and so lags behind it."""
    standby: bool = await connection.fetchval(_STANDBY)
    return standby


async def read_glance(connection: asyncpg.Connection, by: Instant) -> asyncpg.Record:
    """Return open quarantine items, deadlines overdue *by* then, last transition and model."""
    return await connection.fetchrow(_GLANCE, datetime_of(by))


async def read_spooled(connection: asyncpg.Connection) -> asyncpg.Record:
    """Return how much waits in the spools of ingest processes, as they told it last."""
    return await connection.fetchrow(_SPOOLED)
