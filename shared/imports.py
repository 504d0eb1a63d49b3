"""Imports of files: how far each one has got, for whoever sent it.

What is said of an import stays for months and is about no person, so it quotes nothing of the file:
an erasure need not look for anybody in it. The lines themselves lie in the quarantine.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

import msgspec

from shared.instants import MINUTE, Instant, Micros, instant_of
from shared.records import RejectedData

SILENT_FOR: Final[Micros] = MINUTE
"""An import that says nothing for so long is one whose process has ended."""


_QUOTED: Final = re.compile(r"""(['"])(?:\\.|(?!\1).)*\1""", re.DOTALL)
_TELLING_NOTHING: Final = re.compile(r"[A-Za-z_.]+")
"""Of names of members; one with digits or an ``@`` may be a value in the wrong place."""


class ImportStatus(StrEnum):
    """Where an import stands."""

    RUNNING = "running"
    DONE = "done"
    """Every line has its verdict."""
    FAILED = "failed"
    """It was ended, and ``message`` says why; what was taken in until then stays."""
    INTERRUPTED = "interrupted"
    """Its sender or its process went away; sending the file again doubles nothing."""


class LineError(msgspec.Struct, frozen=True):
    """A line that was rejected, and is in the quarantine; lines count from 1.

    ``message`` quotes nothing of the line.
    """

    line: int
    code: str
    message: str

    @classmethod
    def of(cls, line: int, data: RejectedData) -> "LineError":
        """Return what is told of a line that was refused as *data*."""
        path = data.errors[0].path if data.errors else ""
        message = data.message
        if path and not _TELLING_NOTHING.fullmatch(path):
            message = message.replace(path, "a member")
        return cls(line, data.reason, _QUOTED.sub("…", message))


class ImportState(msgspec.Struct, frozen=True, kw_only=True):
    """How far an import has got.

    ``bytes`` are those read so far, inflated; ``line`` is the last one with a verdict; ``errors``
    are the first ones.
    """

    id: UUID
    source: str
    status: ImportStatus
    started_at: datetime
    updated_at: datetime
    format: str | None = None
    historical: bool = False
    bytes: int = 0
    line: int = 0
    accepted: int = 0
    rejected: int = 0
    errors: tuple[LineError, ...] = ()
    message: str | None = None
    finished_at: datetime | None = None

    def seen_at(self, now: Instant) -> "ImportState":
        """Return what can be said of it *now*: one that has fallen silent was interrupted."""
        silent = now - instant_of(self.updated_at) > SILENT_FOR
        if self.status is not ImportStatus.RUNNING or not silent:
            return self
        return msgspec.structs.replace(
            self,
            status=ImportStatus.INTERRUPTED,
            message="the process that read it has ended: send the file again, nothing is doubled",
        )


class ImportStates(Protocol):
    """Keeps the states of imports, for all processes."""

    async def save(self, state: ImportState) -> None:
        """Keep *state* in place of what was kept of the same import.

        Raises:
            DatabaseUnavailable: It cannot be kept now.
        """
        ...

    async def find(self, import_id: UUID) -> ImportState | None:
        """Return the state of one import; None if there is none by that id.

        Raises:
            DatabaseUnavailable: Nobody can tell.
        """
        ...

    async def newest(self, source: str | None, limit: int) -> list[ImportState]:
        """Return the last imports, of one source or of all, the newest first.

        Raises:
            DatabaseUnavailable: Nobody can tell.
        """
        ...
