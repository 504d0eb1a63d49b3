"""The drain: brings what is spooled to the log, oldest first.

Never faster than half of what the log would take, so that its return is no second outage.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

import structlog

from shared.errors import LogDamaged, LogUnavailable, PermanentError, RetryableError
from shared.instants import SECOND
from shared.log.port import Entry, LogWriter
from shared.log.spool import Spool, Waiting
from shared.log.spool_folders import SpoolFolders
from shared.metrics import SPOOL_BYTES, SPOOL_DEPTH_EVENTS, SPOOL_DRAINED, SPOOL_OLDEST_AGE_SECONDS

log = structlog.get_logger()

RETRY_SECONDS: Final = (0.1, 0.2, 0.5, 1.0)
IDLE_SECONDS: Final = 1.0
ADOPT_SECONDS: Final = 5.0
APPEND_SECONDS: Final = 10.0


class SpoolDrain:
    """Drains the spools of one process; one task calls ``run``.

    Adopted spools come first, then the own one, whose records were taken in later.

    Args:
        writer: Of the log.
        spool: The process's own, into which records go.
        folders: Knows spools whose owners are gone.
    """

    def __init__(self, writer: LogWriter, spool: Spool, folders: SpoolFolders) -> None:
        self.spool = spool
        self._writer = writer
        self._folders = folders
        self.names = {spool.waiting.name}
        """The folders that were ever this process's."""
        self._adopted: list[Spool] = []
        self._looked_at = float("-inf")
        self._failures = 0
        self._stuck: dict[Spool, str] = {}
        self._wanted = asyncio.Event()
        self.trouble: str | None = None
        """Why nothing can go to the log now; None while it takes records."""

    @property
    def waiting(self) -> Sequence[Waiting]:
        """What waits in each spool of this process."""
        return [spool.waiting for spool in self.spools]

    @property
    def depth(self) -> int:
        """How many records wait."""
        return sum(spool.depth for spool in self.spools)

    def goes_behind(self, key: bytes) -> bool:
        """Return whether a record of *key* has to go into the spool."""
        return self.trouble is not None or any(spool.holds(key) for spool in self.spools)

    def note_away(self, why: str) -> None:
        """Note that an append was not confirmed: nobody waits for the log until it is back."""
        if self.trouble is None:
            log.warning("log_away", why=why, spooled=self.spool.depth)
        self.trouble = why
        self.wake()

    def wake(self) -> None:
        """Let the drain look again."""
        self._wanted.set()

    @property
    def stuck(self) -> str | None:
        """Why a spool will never be drained unless somebody looks after it; None if all is well."""
        return next(iter(self._stuck.values()), None)

    async def run(self) -> None:
        """Drain until cancelled; what the log has not confirmed by then stays in the spools."""
        try:
            await self._drain()
        except Exception as error:
            self._stuck[self.spool] = f"the drain has ended: {error!r}; restart this process"
            log.exception("spool_drain_ended")
            raise

    async def _drain(self) -> None:
        while True:
            self._wanted.clear()
            began = monotonic()
            try:
                has_more = await self._turn()
            except (RetryableError, OSError, TimeoutError) as error:
                await self._wait_out(error)
                continue
            finally:
                self._measure()
            if self.trouble is not None:
                log.warning("log_back", spooled=self.spool.depth)
            self.trouble, self._failures = None, 0
            if has_more:
                await asyncio.sleep(monotonic() - began)
            else:
                # Not wait_for: in Python 3.11 it swallows a cancellation that comes with the wake.
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE_SECONDS):
                        await self._wanted.wait()

    @property
    def spools(self) -> Sequence[Spool]:
        """The spools of this process, in the order in which they are drained."""
        return [*self._adopted, self.spool]

    async def _turn(self) -> bool:
        """Bring one head to the log; return whether there was one."""
        await self._adopt()
        for spool in self.spools:
            if spool in self._stuck:
                continue
            try:
                if await self._drain_head(spool):
                    return True
            except (LogDamaged, PermanentError) as error:
                self._stuck[spool] = f"{spool.path} cannot be drained: {error.message}"
                log.exception("spool_stuck", spool=str(spool.path))
        if self.trouble is not None:
            async with asyncio.timeout(APPEND_SECONDS):
                still = await self._writer.check()
            if still is not None:
                raise LogUnavailable(still)
        return False

    async def _drain_head(self, spool: Spool) -> bool:
        records = await spool.head()
        if not records:
            return False
        async with asyncio.timeout(APPEND_SECONDS):
            await self._writer.append([Entry(record.key, record.value) for record in records])
        await spool.drop_head()
        SPOOL_DRAINED.inc(len(records))
        return True

    async def _adopt(self) -> None:
        for spool in [spool for spool in self._adopted if spool.depth == 0]:
            self._adopted.remove(spool)
            await self._folders.close(spool)
        if self.trouble is not None or monotonic() - self._looked_at < ADOPT_SECONDS:
            return
        self._looked_at = monotonic()
        if (orphan := await self._folders.orphan()) is not None:
            self._adopted.append(orphan)
            self.names.add(orphan.waiting.name)

    async def _wait_out(self, error: Exception) -> None:
        why = str(error) or f"the log did not confirm within {APPEND_SECONDS:g} s"
        self.note_away(why)
        delay = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        await asyncio.sleep(delay)

    def _measure(self) -> None:
        SPOOL_DEPTH_EVENTS.set(self.depth)
        SPOOL_BYTES.set(sum(spool.held_bytes for spool in self.spools))
        oldest = max(spool.oldest_age for spool in self.spools)
        SPOOL_OLDEST_AGE_SECONDS.set(oldest / SECOND)
