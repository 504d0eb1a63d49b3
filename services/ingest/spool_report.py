"""What waits in the spools of this process, told in the database so that others can show it.

Before it is told, what was erased meanwhile is taken out (``spool_sweep.py``).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.spool_sweep import SpoolSweep
from shared.clock import Clock
from shared.erasure import Digests
from shared.errors import LogDamaged, RetryableError
from shared.instants import datetime_of
from shared.log.spool_writer import SpoolingWriter
from shared.upkeep.transactions import transaction

log = structlog.get_logger()

REPORT_SECONDS: Final = 5.0
_LAST_SECONDS: Final = 2.0

_TELL: Final = """
INSERT INTO spools (name, records, bytes, oldest_at, seen_at, swept_for)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO UPDATE
   SET records = excluded.records, bytes = excluded.bytes, oldest_at = excluded.oldest_at,
       seen_at = excluded.seen_at,
       swept_for = excluded.swept_for
"""
_FORGET: Final = "DELETE FROM spools WHERE name = ANY($1)"


class SpoolReport:
    """Keeps a row for each spool that holds records; those of dead processes stay as they were."""

    def __init__(
        self, engine: AsyncEngine, writer: SpoolingWriter, clock: Clock, digests: Digests
    ) -> None:
        self.sweep = SpoolSweep(engine, writer, clock, digests)
        self._engine = engine
        self._writer = writer
        self._clock = clock
        self._settled: set[str] = set()
        """Names that are known to have no row."""

    async def run(self) -> None:
        """Tell again and again, until cancelled; while the database is away nothing is told."""
        while True:
            await self._turn()
            await asyncio.sleep(REPORT_SECONDS)

    async def _turn(self) -> None:
        try:
            await self.sweep.sweep()
        except (RetryableError, LogDamaged, asyncpg.PostgresError) as error:
            log.warning("spool_not_swept", why=type(error).__name__)
        with suppress(RetryableError, asyncpg.PostgresError):
            await self.tell()

    async def tell(self) -> None:
        """Bring the rows up to date.

        Raises:
            DatabaseUnavailable: they are not.
        """
        full = [one for one in self._writer.waiting() if one.records]
        empty = self._writer.names() - {one.name for one in full}
        if not full and empty <= self._settled:
            return
        now = datetime_of(self._clock())
        rows = [
            (
                one.name,
                one.records,
                one.held_bytes,
                datetime_of(one.oldest_at),
                now,
                self.sweep.swept_for(one.name),
            )
            for one in full
        ]
        async with transaction(self._engine) as connection:
            await connection.executemany(_TELL, rows)
            await connection.execute(_FORGET, sorted(empty))
        self._settled = set(empty)


@asynccontextmanager
async def reporting(
    engine: AsyncEngine, writer: SpoolingWriter, clock: Clock, digests: Digests
) -> AsyncIterator[None]:
    """Report on *writer* until the block ends, and once more then."""
    report = SpoolReport(engine, writer, clock, digests)
    task = asyncio.create_task(report.run(), name="spool-report")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        with suppress(RetryableError, asyncpg.PostgresError, TimeoutError):
            await asyncio.wait_for(report.tell(), _LAST_SECONDS)
