"""Whose spool is which: a folder for each process, and what to do with those that nobody owns.

Below the configured path every process has a folder of its own, which is its as long as it holds
the lock in it. The system gives the lock up when the process ends in whatever way; then the next
process takes the folder as its own when it starts, or a living one adopts it.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from shared.clock import Clock
from shared.errors import InUse, JourneylineError, SetupError
from shared.log.file_lock import locked
from shared.log.spool import Spool, SpoolLimits, open_spool
from shared.log.sqlite_file import sync_folder

log = structlog.get_logger()

_PREFIX: Final = "spool-"
_OWNER: Final = "owner"


@dataclass(frozen=True, slots=True)
class _Opened:
    """What ends with a spool: its open file, and then the lock of its folder.

    The lock is a second one beside that of the file, so that the file can be closed and removed
    under it.
    """

    file: AsyncExitStack
    lock: ExitStack


class SpoolFolders:
    """The folders below *path*, as one process sees them; owns the spools that it opens.

    Args:
        path: On a disk that survives the process; it exists.
        limits: Of each spool.
        clock: Gives the time at which a record began to wait.
    """

    def __init__(self, path: Path, limits: SpoolLimits, clock: Clock) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._open: dict[Spool, _Opened] = {}
        self._left_alone: set[Path] = set()

    async def own(self) -> Spool:
        """Return the spool to put records into: one that was left behind, or a new one.

        Raises:
            SetupError: the path is no folder, cannot be written to, or holds a damaged spool; says
                what to do.
        """
        if not self._path.is_dir():
            raise SetupError(
                f"{self._path} is no folder; make it, on a disk that outlives this process and "
                "its container: what is accepted while the log is away lies there alone"
            )
        for folder in self._folders():
            with suppress(InUse):
                return await self._opened(folder)
        return await self._opened(self._made())

    async def orphan(self) -> Spool | None:
        """Return a spool whose owner is gone and that holds records, now this process's; or None.

        Empty ones are removed. One that cannot be opened is left where it is, and told of once.
        """
        for folder in self._folders():
            if folder in self._left_alone or any(
                spool.path.parent == folder for spool in self._open
            ):
                continue
            try:
                spool = await self._opened(folder)
            except InUse:
                continue
            except JourneylineError as error:
                self._left_alone.add(folder)
                log.error("spool_left_alone", folder=str(folder), why=error.message)  # noqa: TRY400
                continue
            if spool.depth:
                log.warning("spool_adopted", folder=str(folder), records=spool.depth)
                return spool
            await self.close(spool)
        return None

    async def close(self, spool: Spool) -> None:
        """Close *spool*; its folder goes too if nothing is left in it."""
        opened = self._open.pop(spool)
        with opened.lock:
            await opened.file.aclose()
            if spool.depth == 0:
                shutil.rmtree(spool.path.parent, ignore_errors=True)

    async def aclose(self) -> None:
        """Close all spools; what they hold stays for the next process."""
        for spool in list(self._open):
            await self.close(spool)

    def _folders(self) -> Iterator[Path]:
        return iter(sorted(self._path.glob(f"{_PREFIX}*")))

    def _made(self) -> Path:
        folder = self._path / f"{_PREFIX}{secrets.token_hex(4)}"
        try:
            folder.mkdir(mode=0o700)
            sync_folder(self._path)
        except OSError as error:
            raise SetupError(
                f"{folder}: {error.strerror}; choose a folder for the spool"
            ) from error
        return folder

    async def _opened(self, folder: Path) -> Spool:
        with ExitStack() as lock:
            try:
                lock.enter_context(locked(folder / _OWNER))
                async with AsyncExitStack() as file:
                    opening = open_spool(folder, self._limits, self._clock)
                    spool = await file.enter_async_context(opening)
                    self._open[spool] = _Opened(file.pop_all(), lock.pop_all())
            except SetupError as error:
                if folder in self._folders():
                    raise
                raise InUse(f"{folder} was emptied and removed by its owner") from error
        return spool
