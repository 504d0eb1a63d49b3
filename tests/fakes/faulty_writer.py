"""A log writer that fails as networks do: gone, silent, or having written without saying so."""

import asyncio
from collections.abc import Sequence

from shared.errors import LogUnavailable
from shared.log.port import Entry, LogWriter, Position


class FaultyWriter:
    """Stands in front of *writer*.

    ``away`` refuses appends, ``silent`` never answers them, each of ``lost_answers`` writes the
    records and then reports a failure, and those after the next ``before_hold`` that contain
    ``held_key`` wait for ``release``.
    """

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer
        self.away = False
        self.silent = False
        self.lost_answers = 0
        self.held_key: bytes | None = None
        self.before_hold = 0
        self.release = asyncio.Event()

    async def append(self, entries: Sequence[Entry]) -> Sequence[Position]:
        await asyncio.sleep(0)
        if self.silent:
            await asyncio.Event().wait()
        if self.away:
            raise LogUnavailable("the log is away")
        if any(entry.key == self.held_key for entry in entries):
            self.before_hold -= 1
            if self.before_hold < 0:
                await self.release.wait()
        positions = await self._writer.append(entries)
        if self.lost_answers:
            self.lost_answers -= 1
            raise LogUnavailable("the log did not answer")
        return positions

    async def check(self) -> str | None:
        return "the log is away" if self.away or self.silent else None
