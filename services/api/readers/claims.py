"""Claims: how far the log was read, and what became of its records."""

from typing import Final

import asyncpg

from shared.instants import Instant, instant_of

_WATERMARK: Final = """
SELECT CASE WHEN bool_and(read_through IS NOT NULL) THEN min(read_through) END FROM claims
"""
_CLAIMS: Final = """
SELECT topic, partition, start_offset, next_offset, stored, duplicate, quarantined, erased, gaps,
       log_id = first_value(log_id) OVER (ORDER BY claimed_at DESC NULLS LAST, id DESC) AS present
  FROM claims ORDER BY present DESC, topic, partition, id
"""
_SOURCES: Final = """
SELECT source, sum(accepted)::bigint AS accepted, sum(rejected)::bigint AS rejected,
       sum(stored)::bigint AS stored, sum(duplicate)::bigint AS duplicate,
       sum(quarantined)::bigint AS quarantined, sum(erased)::bigint AS erased
  FROM source_counts GROUP BY source ORDER BY source
"""


async def read_watermark(connection: asyncpg.Connection) -> Instant | None:
    """Return the time up to which every partition has been read; None if unknown."""
    moment = await connection.fetchval(_WATERMARK)
    return None if moment is None else instant_of(moment)


async def read_claims(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Return the counts of every claim; ``present`` marks those of the log in use.

    A log that was made anew under the same topic has claims of its own; those of the former one
    stay as they are.
    """
    rows: list[asyncpg.Record] = await connection.fetch(_CLAIMS)
    return rows


async def read_source_counts(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Return what every source sent and what became of it, by name."""
    rows: list[asyncpg.Record] = await connection.fetch(_SOURCES)
    return rows
