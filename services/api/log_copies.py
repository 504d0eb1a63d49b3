"""Copies of records that the log or a spool may hold after an erasure, as far as can be known."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import asyncpg

from services.api.remains import UNHEARD, Remains, Unheard
from shared.errors import RetryableError
from shared.instants import Instant, datetime_of, instant_of
from shared.log.port import Keeping

AsksKeeping: TypeAlias = Callable[[], Awaitable[Keeping]]
"""Asks for how long records lie on the log at most; raises ``LogUnavailable``."""

ASKING_SECONDS: Final = 10.0
"""How long an erasure waits for Kafka's word; then the certificate says that there was none."""

_UNHEARD: Final = "SELECT name, seen_at FROM spools WHERE seen_at < $1 ORDER BY name"
_WAITING: Final = "SELECT name FROM spools WHERE swept_for < $1 ORDER BY name"


@dataclass(frozen=True, slots=True)
class LogCopies:
    """Knows where the log is, and whom to ask about it; ``keeping`` is None if there is nobody."""

    is_on_kafka: bool
    keeping: AsksKeeping | None = None

    async def ask(self) -> Keeping | None:
        """Return for how long Kafka keeps records; None if it is not said in time."""
        if self.keeping is not None:
            with contextlib.suppress(RetryableError, TimeoutError, KeyError, ValueError):
                return await asyncio.wait_for(self.keeping(), ASKING_SECONDS)
        return None

    async def remains(
        self, connection: asyncpg.Connection, keeping: Keeping | None, *, now: Instant
    ) -> Remains:
        """Return what may remain after an erasure at *now*, in its transaction."""
        rows = await connection.fetch(_UNHEARD, datetime_of(now - UNHEARD))
        unheard = tuple(Unheard(row["name"], instant_of(row["seen_at"])) for row in rows)
        return Remains(self.is_on_kafka, keeping, unheard)


async def spools_waiting(connection: asyncpg.Connection, erasure: int) -> list[str]:
    """Return the names of spools with records that were not gone through since an erasure."""
    return [row["name"] for row in await connection.fetch(_WAITING, erasure)]
