"""Alarms: identifiers that so many people share that somebody should block them."""

import asyncio
import contextlib
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.errors import RetryableError
from shared.identity.customers import SHARED_ABOVE
from shared.metrics import SHARED_IDENTIFIERS
from shared.storage.shared_identifiers import count_shared
from shared.upkeep.transactions import transaction

log = structlog.get_logger()

PAUSE_SECONDS: Final = 60.0


class Alarms:
    """Counts shared identifiers now and then, and says so when there are more than before."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._known = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Count until *stopping* is set."""
        while not stopping.is_set():
            with contextlib.suppress(RetryableError):
                await self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), PAUSE_SECONDS)

    async def look(self) -> int:
        """Count once, and return how many there are."""
        async with transaction(self._engine) as connection:
            found = await count_shared(connection, above=SHARED_ABOVE)
        SHARED_IDENTIFIERS.set(found)
        if found > self._known:
            log.warning("identifiers_shared", count=found, list="journeyline links shared")
        self._known = found
        return found
