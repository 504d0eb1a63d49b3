"""Turns of reports, which take long and share the connections of a process with all else."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from shared.errors import Overloaded

AT_A_TIME: Final = 2
"""Reports of one process that are counted at once; the others wait for their turn."""

WAIT_SECONDS: Final = 10.0


class ReportTurns:
    """Lets a few reports of this process be counted at a time: they share its connections."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_A_TIME)

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for a turn, and have it until the block ends.

        Raises:
            Overloaded: it did not come in ten seconds.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Overloaded("other reports are being counted: try again soon") from error
        try:
            yield
        finally:
            self._turns.release()
