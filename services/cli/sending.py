"""Sending: batches in flight, retries, and a mark of how far everything before was confirmed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from services.cli.connection import Target
from services.cli.posting import IN_FLIGHT, Answer, open_client, post_touchpoints
from shared.files.columns import Layout
from shared.files.row import BadRow, FileRow, Row

BATCH: Final = 500
BATCH_BYTES: Final = 2 << 20
LARGEST_ITEM: Final = 1 << 20
"""Far above what ingest takes as one touchpoint, far below what it takes as a request."""
MOST_COMPLAINTS: Final = 20
"""A screenful."""


@dataclass(slots=True)
class Counts:
    """What became of the rows so far; ``complaints`` are the first ones, as sentences."""

    accepted: int = 0
    rejected: int = 0
    complaints: list[str] = field(default_factory=list)

    def complain(self, line: int, why: str) -> None:
        """Count one rejected line."""
        self.rejected += 1
        if len(self.complaints) < MOST_COMPLAINTS:
            self.complaints.append(f"line {line}: {why}")


class Mark(msgspec.Struct):
    """How far a file was sent: everything up to ``line`` has its verdict.

    ``size``, ``modified_at``, ``url``, ``sender`` and ``layout`` say which file was sent, where to,
    whose touchpoints its rows became, and how.
    """

    size: int
    modified_at: int
    url: str
    sender: str
    layout: str = ""
    line: int = 0
    accepted: int = 0
    rejected: int = 0


class MarkFile:
    """The mark of one file, kept beside it while it is being sent."""

    def __init__(
        self, path: Path, target: Target, source: str | None, layout: Layout | None = None
    ) -> None:
        self._path = path.with_name(path.name + ".sending")
        status = path.stat()
        sender = source or target.key.rpartition("_")[0]  # without what is secret of the key
        self._fresh = Mark(
            status.st_size, status.st_mtime_ns, target.url, sender, repr(layout or Layout())
        )

    def load(self) -> Mark:
        """Return the mark of an interrupted run over the same content, else a fresh one."""
        fresh = copy(self._fresh)
        try:
            mark = msgspec.json.decode(self._path.read_bytes(), type=Mark)
        except (OSError, msgspec.DecodeError):
            return fresh
        begun = Mark(mark.size, mark.modified_at, mark.url, mark.sender, mark.layout)
        return mark if begun == fresh else fresh

    def save(self, mark: Mark) -> None:
        """Keep *mark*; a folder that cannot be written only costs the resumption."""
        with contextlib.suppress(OSError):
            self._path.write_bytes(msgspec.json.encode(mark))

    def remove(self) -> None:
        """Forget the mark: the file is sent."""
        with contextlib.suppress(OSError):
            self._path.unlink()


async def send_rows(
    rows: Iterator[FileRow],
    target: Target,
    mark: Mark,
    *,
    source: str | None,
    confirmed: Callable[[Mark], None],
    waiting: Callable[[str], None],
) -> Counts:
    """Send *rows* in batches, several at once, and return what became of them.

    Args:
        rows: In the order of the file.
        target: Where to and with which key.
        mark: Where an earlier run got; rows up to its line are counted, not sent.
        source: For secret keys: the source to post for.
        confirmed: Called in order whenever everything up to the mark has its verdict.
        waiting: Called with a sentence when the system is away or overloaded.

    Raises:
        SetupError: the system stayed away.
        Refused: it refuses the whole request, such as for a wrong key.
    """
    counts = Counts(mark.accepted, mark.rejected)
    async with open_client(target) as client:
        sending: list[tuple[list[FileRow], asyncio.Task[Answer]]] = []
        try:
            async for batch in _batches(rows, mark.line):
                items = [row.item for row in batch if isinstance(row, Row)]
                post = post_touchpoints(client, target, items, source=source, waiting=waiting)
                sending.append((batch, asyncio.create_task(post)))
                if len(sending) >= IN_FLIGHT:
                    await _settle(*sending.pop(0), counts, mark, confirmed)
            while sending:
                await _settle(*sending.pop(0), counts, mark, confirmed)
        finally:
            for _, task in sending:
                task.cancel()
            await asyncio.gather(*(task for _, task in sending), return_exceptions=True)
    return counts


async def _batches(rows: Iterator[FileRow], done: int) -> AsyncIterator[list[FileRow]]:
    batch: list[FileRow] = []
    size = 0
    for row in rows:
        if row.line <= done:
            continue
        bytes_of_row = len(msgspec.json.encode(row.item)) if isinstance(row, Row) else 0
        if batch and (len(batch) >= BATCH or size + bytes_of_row > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        if bytes_of_row > LARGEST_ITEM:
            batch.append(BadRow(row.line, f"is far too large ({bytes_of_row:,} bytes)"))
        else:
            batch.append(row)
            size += bytes_of_row
    if batch:
        yield batch


async def _settle(
    batch: Sequence[FileRow],
    task: asyncio.Task[Answer],
    counts: Counts,
    mark: Mark,
    confirmed: Callable[[Mark], None],
) -> None:
    answer = await task
    sent = [row for row in batch if isinstance(row, Row)]
    for row in batch:
        if isinstance(row, BadRow):
            counts.complain(row.line, row.why)
    for verdict in answer.results:
        if verdict.status == "accepted":
            counts.accepted += 1
        else:
            counts.complain(sent[verdict.index].line, verdict.message or verdict.code or "rejected")
    mark.line, mark.accepted, mark.rejected = batch[-1].line, counts.accepted, counts.rejected
    confirmed(mark)
