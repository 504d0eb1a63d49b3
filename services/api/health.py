"""Whether this service can answer, and how the whole pipeline does."""

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.freshness import freshness
from services.api.ledger import ledger_rows, total
from services.api.moments import optional_moment_text
from services.api.readers.claims import read_claims
from services.api.readers.health import is_standby, read_glance, read_revision, read_spooled
from services.api.readers.sources import read_source_health
from services.api.replicas import Replica
from services.api.resources import Resources
from services.api.transactions import reading
from services.api.version import VERSION
from shared.errors import RetryableError
from shared.instants import rfc3339
from shared.storage.migrate import head_revision
from shared.storage.watermark import load_watermark
from shared.touchpoints import JsonObject


async def check_database(engine: AsyncEngine) -> str | None:
    """Return None if the primary answers and is migrated, else a sentence that says what is not."""
    try:
        async with reading(engine) as connection:
            if await is_standby(connection):
                return "the database is a standby: point API_DATABASE_URL to the primary"
            revision = await read_revision(connection)
    except RetryableError as error:
        return error.message
    if revision is None:
        return "the database is not migrated: run `journeyline migrate`"
    if revision != head_revision():
        return (
            f"the database is at revision {revision}, this version needs {head_revision()}: "
            "run `journeyline migrate`"
        )
    return None


async def pipeline_document(resources: Resources, *, with_sources: bool) -> JsonObject:
    """Return how far everything is, from the log to the last transition.

    Args:
        resources: Of the API.
        with_sources: Whether to say how each source does, which not everybody may know.

    Raises:
        DatabaseUnavailable: the database cannot be asked.
        LogUnavailable: the log cannot be asked.
    """
    now = resources.clock()
    async with reading(resources.engine) as connection:
        fresh = freshness(now, await load_watermark(connection))
        glance = await read_glance(connection, now if fresh.as_of is None else fresh.as_of)
        claims = await read_claims(connection)
        spooled = await read_spooled(connection)
        revision = await read_revision(connection)
        sources = await read_source_health(connection, now) if with_sources else []
    ends = await resources.log_ends()
    pending = total(ledger_rows(claims, ends, resources.topic)).pending
    waiting = pending > 0 and fresh.as_of is not None
    of_sources = {"sources": [source.document(now) for source in sources]} if with_sources else {}
    return {
        "status": "stale" if fresh.stale else "ok",
        "freshness": fresh.document(),
        "lag": {
            "records": pending,
            "seconds": fresh.document()["lag_seconds"],
            # What is pending was received after everything that was read.
            "oldest_pending_since": rfc3339(fresh.as_of) if waiting and fresh.as_of else None,
        },
        # Accepted, but in no log yet: no ledger counts them.
        "spooled": _spooled(spooled),
        "quarantine_open": glance["quarantine_open"],
        "timers_overdue": glance["timers_overdue"],
        "last_transition_at": optional_moment_text(glance["last_transition_at"]),
        "versions": {"journeyline": VERSION, "schema": revision, "model": glance["model"]},
        **_of_replica(resources.databases.replica),
        **of_sources,
    }


def _spooled(row: asyncpg.Record) -> JsonObject:
    return {
        "spools": row["spools"],
        "records": row["records"],
        "bytes": row["bytes"],
        "oldest_since": optional_moment_text(row["oldest_at"]),
        "seen_at": optional_moment_text(row["seen_at"]),
    }


def _of_replica(replica: Replica | None) -> JsonObject:
    if replica is None:
        return {}
    return {"replica": {"serves": replica.trouble is None, "trouble": replica.trouble}}
