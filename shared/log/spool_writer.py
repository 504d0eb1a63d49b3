"""A log writer that waits a little for the log, and then writes to the spool instead.

While the spool holds records of a key, new ones of that key go behind them, so a sender's records
keep their order; all others go to the log as soon as it is back. While the log is known to be away
nobody waits for it: the drain, which tries it again and again, tells when it is back.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import compress
from operator import not_
from pathlib import Path
from typing import Final

from shared.clock import Clock
from shared.errors import LogUnavailable
from shared.log.port import Entry, LogWriter, Position
from shared.log.spool import Spool, SpoolLimits, Waiting
from shared.log.spool_drain import SpoolDrain
from shared.log.spool_folders import SpoolFolders
from shared.metrics import SPOOL_SPOOLED

PATIENCE_SECONDS: Final = 2.0
"""How long an append waits for the log before its records go into the spool."""

_CHECK_SECONDS: Final = 1.0


class SpoolingWriter:
    """See ``LogWriter``; what lies in the spool has positions of the topic ``SPOOL``.

    Args:
        writer: Of the log.
        drain: Brings what is spooled to the same log, and knows whether it is away.
        patience_seconds: How long an append waits for the log.
    """

    def __init__(
        self, writer: LogWriter, drain: SpoolDrain, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._writer = writer
        self._drain = drain
        self._patience_seconds = patience_seconds

    @property
    def depth(self) -> int:
        """How many records wait in the spools of this process."""
        return self._drain.depth

    def waiting(self) -> Sequence[Waiting]:
        """Return what waits in each spool of this process."""
        return self._drain.waiting

    def spools(self) -> Sequence[Spool]:
        """Return the spools of this process."""
        return self._drain.spools

    def names(self) -> frozenset[str]:
        """Return the names of all spools that were ever this process's."""
        return frozenset(self._drain.names)

    async def append(self, entries: Sequence[Entry]) -> Sequence[Position]:
        """See ``LogWriter.append``; durable in the log or in the spool.

        Raises:
            LogUnavailable: neither confirmed; the records may be in either.
        """
        behind = [self._drain.goes_behind(entry.key) for entry in entries]
        if not any(behind):
            return await self._append(entries)
        spooled = iter(await self._spool(list(compress(entries, behind))))
        ahead = list(compress(entries, map(not_, behind)))
        appended = iter(await self._append(ahead) if ahead else ())
        return [next(spooled if is_behind else appended) for is_behind in behind]

    async def check(self) -> str | None:
        """See ``LogWriter.check``; all is well while the log or the spool takes records."""
        if (why := self._drain.stuck) is not None or (why := await self._check_log()) is None:
            return why
        if (also := await self._drain.spool.check()) is None:
            return None
        return f"{why}; and {also}"

    async def _append(self, entries: Sequence[Entry]) -> Sequence[Position]:
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await self._writer.append(entries)
        except (LogUnavailable, TimeoutError) as error:
            why = str(error) or f"the log did not confirm within {self._patience_seconds:g} s"
            self._drain.note_away(why)
        return await self._spool(entries)

    async def _spool(self, entries: Sequence[Entry]) -> Sequence[Position]:
        positions = await self._drain.spool.put(entries)
        SPOOL_SPOOLED.inc(len(entries))
        self._drain.wake()
        return positions

    async def _check_log(self) -> str | None:
        if self._drain.trouble:
            return self._drain.trouble
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                return await self._writer.check()
        except TimeoutError:
            return f"the log has not answered for {_CHECK_SECONDS:g} s"


@asynccontextmanager
async def spooling(
    writer: LogWriter, path: Path, clock: Clock, limits: SpoolLimits | None = None
) -> AsyncIterator[SpoolingWriter]:
    """Put a spool below *path* in front of *writer*, and drain what lies there.

    What is still in it at the end stays for the next process.

    Raises:
        SetupError: there can be no spool at *path*; says what to do.
    """
    folders = SpoolFolders(path, limits or SpoolLimits(), clock)
    try:
        drain = SpoolDrain(writer, await folders.own(), folders)
        draining = asyncio.create_task(drain.run(), name="spool-drain")
        try:
            yield SpoolingWriter(writer, drain)
        finally:
            draining.cancel()
            await asyncio.wait([draining])
    finally:
        await folders.aclose()
