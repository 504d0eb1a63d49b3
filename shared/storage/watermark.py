"""The watermark: up to when every partition has been read."""

from typing import Final

import asyncpg

from shared.instants import Instant, instant_of

WATERMARK: Final = """
SELECT CASE WHEN count(*) = count(read_through) THEN min(read_through) END
  FROM claims
 WHERE log_id = (SELECT log_id FROM claims ORDER BY claimed_at DESC NULLS LAST, id DESC LIMIT 1)
"""
"""Selects what ``load_watermark`` returns; of no parameters."""


async def load_watermark(connection: asyncpg.Connection) -> Instant | None:
    """Return the instant up to which all partitions are read; None while unknown.

    A former log, in whose place another one was made, is read as far as it ever will be.
    """
    moment = await connection.fetchval(WATERMARK)
    return instant_of(moment) if moment is not None else None
