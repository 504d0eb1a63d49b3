"""The watermark: up to when every partition has been read."""

from typing import Final

import asyncpg

from shared.instants import Instant, instant_of

_WATERMARK: Final = """
SELECT CASE WHEN count(*) = count(read_through) THEN min(read_through) END FROM claims
"""


async def load_watermark(connection: asyncpg.Connection) -> Instant | None:
    """Return the instant up to which all claimed partitions are read; None while unknown."""
    moment = await connection.fetchval(_WATERMARK)
    return instant_of(moment) if moment is not None else None
