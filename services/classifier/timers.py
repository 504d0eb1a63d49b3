"""Timers: deadlines that the watermark has passed are published; nothing else is decided here."""

import asyncio
import contextlib
from typing import Final

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.classifier.horizon import load_horizon
from shared.clock import Clock
from shared.errors import RetryableError
from shared.instants import SECOND, Instant, Micros
from shared.journey.fold import Fold, FoldState
from shared.upkeep.active_models import ActiveModel, ActiveModels
from shared.upkeep.following import Followed, appended
from shared.upkeep.journeys import (
    JourneyKey,
    journey_row,
    lock_due_journeys,
    save_journeys,
)
from shared.upkeep.transactions import began_at, transaction
from shared.upkeep.transitions import Change, publish

log = structlog.get_logger()

MOST: Final = 500
"""Journeys in one transaction."""
PAUSE_SECONDS: Final = 1.0
QUIET: Final[Micros] = 10 * SECOND
"""How long a backfill must have left a customer alone before its deadlines are published."""


class Timers:
    """Publishes due deadlines, a transaction at a time; several processes may do so at once."""

    def __init__(
        self, engine: AsyncEngine, clock: Clock, *, grace: Micros = 0, quiet: Micros = QUIET
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._grace = grace
        self._quiet = quiet
        self._models = ActiveModels()

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish what is due until *stopping* is set."""
        while not stopping.is_set():
            try:
                done = await self.publish_due()
            except RetryableError as error:
                log.warning("timers_wait", why=error.message)
                done = 0
            if done < MOST:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), PAUSE_SECONDS)

    async def publish_due(self) -> int:
        """Publish one round of deadlines and return how many journeys had one."""
        async with transaction(self._engine) as connection:
            by = await load_horizon(connection, self._clock(), self._grace)
            if by is None:
                return 0
            models = await self._models.load(connection)
            due = await lock_due_journeys(connection, by, models, most=MOST, quiet=self._quiet)
            await self._advance(connection, due, models, by)
            return len(due)

    async def _advance(
        self,
        connection: asyncpg.Connection,
        due: dict[JourneyKey, FoldState],
        models: dict[int, ActiveModel],
        by: Instant,
    ) -> None:
        now = await began_at(connection)
        rows, changes = {}, []
        for key, state in due.items():
            model = models[key.model_id]
            fold = Fold(model.program, state)
            fold.advance(by)
            rows[key] = journey_row(Followed.of(fold))
            said = appended(fold.moves, version=model.version, customer_id=str(key.customer_id))
            changes.append(Change(key, model, said))
        await save_journeys(connection, rows, now=now)
        await publish(connection, changes, decided_at=now)
