"""The horizon: up to when deadlines are settled and may be published."""

import asyncpg

from services.classifier.measuring import note_watermark
from shared.instants import Instant, Micros
from shared.storage.watermark import load_watermark


async def load_horizon(
    connection: asyncpg.Connection, now: Instant, grace: Micros
) -> Instant | None:
    """Return the last instant whose deadlines nothing that is still unread can put off.

    Args:
        connection: To the database that holds the claims.
        now: The present.
        grace: How much longer deadlines wait.

    Returns:
        None while nobody knows how far the log was read.
    """
    watermark = await load_watermark(connection)
    if watermark is None:
        return None
    note_watermark(watermark, now)
    return min(watermark, now) - grace
