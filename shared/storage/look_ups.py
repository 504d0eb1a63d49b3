"""Looking up what is not known: a few at a time, and not the same again and again.

Anybody can send unknown keys as fast as a network allows; the database must not notice.
"""

import asyncio
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager

from shared.errors import Overloaded
from shared.instants import Instant, Micros


class Absent:
    """Remembers for a short time what was looked up in vain.

    Args:
        keep: How long, in microseconds.
        most: How much at once; over that, all of it is forgotten.
    """

    def __init__(self, keep: Micros, most: int) -> None:
        self._keep = keep
        self._most = most
        self._until: dict[Hashable, Instant] = {}

    def add(self, name: Hashable, now: Instant) -> None:
        """Remember that there is no *name*."""
        if len(self._until) >= self._most:
            self._until.clear()
        self._until[name] = now + self._keep

    def holds(self, name: Hashable, now: Instant) -> bool:
        """Tell whether *name* was looked up in vain just now."""
        return now < self._until.get(name, now)


class Turns:
    """Lets few look-ups run at once, and few wait.

    Args:
        at_once: How many run.
        waiting: How many run or wait; more are refused.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._most = waiting
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for a turn.

        Raises:
            Overloaded: Too many wait already.
        """
        if self._waiting >= self._most:
            raise Overloaded("too many unknown keys are being looked up: try again in a moment")
        self._waiting += 1
        try:
            async with self._slots:
                yield
        finally:
            self._waiting -= 1
