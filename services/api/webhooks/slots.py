"""Slots: how many messages of a process may be on their way at once, over all endpoints."""

import asyncio
from typing import Final

MOST: Final = 200


class Slots:
    """Hands out slots in the order of asking; nobody waits while holding some.

    Whoever waits for one has not taken a message yet. So endpoints that hang hold up the others for
    a while, and never make them look as if they had not answered.
    """

    def __init__(self, most: int = MOST) -> None:
        self._free = asyncio.Semaphore(most)

    async def take(self, wanted: int) -> int:
        """Take up to *wanted* slots, at least one; wait only for that one."""
        await self._free.acquire()
        taken = 1
        while taken < wanted and not self._free.locked():
            await self._free.acquire()  # one is free, so this is over at once
            taken += 1
        return taken

    def give_back(self, number: int) -> None:
        """Give back *number* slots that were taken."""
        for _ in range(number):
            self._free.release()
