"""The history of a run: what was asked when, what was answered, and what was seen meanwhile.

One JSON object a line, in the order in which things happened, with monotonic seconds. An operation
is *invoked*, and ends as *ok* (accepted and promised), *fail* (refused: certainly not done) or
*info* (nobody knows); one without an end counts as *info*.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import msgspec


class Invoke(msgspec.Struct, frozen=True, tag="invoke"):
    """A batch is posted: touchpoints by event id, and items that must be rejected."""

    op: int
    at: float
    event_ids: tuple[str, ...]
    hostile: int = 0


class Ok(msgspec.Struct, frozen=True, tag="ok"):
    """The batch was accepted."""

    op: int
    at: float
    rejected: int = 0
    spooled: bool = False


class Fail(msgspec.Struct, frozen=True, tag="fail"):
    """The batch was refused for good: the sender does not send it again."""

    op: int
    at: float
    status: int


class Info(msgspec.Struct, frozen=True, tag="info"):
    """Whether the batch was taken in is unknown; ``status`` is None if no answer came."""

    op: int
    at: float
    status: int | None = None
    retry_after: int | None = None


class Read(msgspec.Struct, frozen=True, tag="read"):
    """A timeline was read: the event ids in it."""

    at: float
    customer: str
    event_ids: tuple[str, ...]


class Claimed(msgspec.Struct, frozen=True, tag="claimed"):
    """A claim was looked at, and then the end of its partition."""

    at: float
    partition: int
    epoch: int
    next_offset: int
    log_end: int


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """A fault was made."""

    at: float
    phase: str
    kind: str
    victim: str = ""


Entry: TypeAlias = Invoke | Ok | Fail | Info | Read | Claimed | Fault
History: TypeAlias = list[Entry]

_encoder = msgspec.json.Encoder()


class Recorder:
    """Keeps a history in memory and in a file, line by line."""

    def __init__(self, path: Path) -> None:
        self.entries: History = []
        self._file = path.open("ab")

    def note(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._file.write(_encoder.encode(entry) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        self._file.close()


def read_history(path: Path) -> History:
    """Return the history that was written to *path*."""
    with path.open("rb") as file:
        return [msgspec.json.decode(line, type=Entry) for line in file]


def acknowledged(history: Iterable[Entry]) -> dict[str, float]:
    """Return when each event id was first promised."""
    batches = _batches(history)
    promised: dict[str, float] = {}
    for entry in history:
        if isinstance(entry, Ok):
            for event_id in batches[entry.op].event_ids:
                promised.setdefault(event_id, entry.at)
    return promised


def outcomes(history: Iterable[Entry]) -> Iterator[tuple[Invoke, Ok | Fail | Info]]:
    """Return each batch with its end."""
    ends = {entry.op: entry for entry in history if isinstance(entry, Ok | Fail | Info)}
    for op, batch in _batches(history).items():
        yield batch, ends.get(op, Info(op, batch.at))


def _batches(history: Iterable[Entry]) -> Mapping[int, Invoke]:
    return {entry.op: entry for entry in history if isinstance(entry, Invoke)}
