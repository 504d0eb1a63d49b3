"""Retention of the embedded log: copies of what is classified end after a week."""

import asyncio
import contextlib
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.clock import Clock
from shared.errors import RetryableError
from shared.instants import DAY, Micros
from shared.log.embedded import EmbeddedLog
from shared.storage.tables import claims

log = structlog.get_logger()

RETENTION: Final[Micros] = 7 * DAY
EVERY_SECONDS: Final = 600.0


async def keep_log_short(
    embedded: EmbeddedLog, engine: AsyncEngine, clock: Clock, stopping: asyncio.Event
) -> None:
    """Delete what is classified and older than the retention, now and then, until *stopping*."""
    while not stopping.is_set():
        try:
            deleted = await trim_log(embedded, engine, clock)
        except (RetryableError, SQLAlchemyError, OSError) as error:
            log.warning("log_not_trimmed", why=str(error))
        else:
            if deleted:
                log.info("log_trimmed", records=deleted)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), EVERY_SECONDS)


async def trim_log(embedded: EmbeddedLog, engine: AsyncEngine, clock: Clock) -> int:
    """Delete the records that are classified and older than the retention.

    Returns:
        How many were deleted.

    Raises:
        LogUnavailable: the log cannot be written.
    """
    of_this_log = claims.c.log_id == embedded.file.log_id
    async with engine.connect() as connection:
        rows = await connection.execute(
            select(claims.c.partition, claims.c.next_offset).where(of_this_log)
        )
        classified = {row.partition: row.next_offset for row in rows}
    return await embedded.trim(classified, clock() - RETENTION)
