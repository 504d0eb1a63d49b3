"""One import: a file taken in row by row while it comes, as the import of its sender.

Nothing of the file is kept but its rows, so there is nothing to resume: once an import is answered,
every line of it is durable. If it is interrupted, the file is sent again; rows have ids that follow
from their content, so that those which are there already are found to be duplicates.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import msgspec
import structlog
from starlette.requests import ClientDisconnect

from services.ingest.channels.contract import Document, Ignored, Read, Refused
from services.ingest.intake import Intake
from shared.errors import DatabaseUnavailable, Invalid, JourneylineError, LogUnavailable, TooLarge
from shared.files.columns import Layout
from shared.files.row import BadRow, FileRow
from shared.files.row_reader import RowReader
from shared.http.problems import TooManyRequests
from shared.imports import ImportState, ImportStates, ImportStatus, LineError
from shared.instants import SECOND, Micros, datetime_of, instant_of
from shared.records import Record, RejectedRecord
from shared.sources import Source

FORMAT: Final = "file"
"""Of lines that could not be read as rows; a row that was read is in the native form."""
BATCH_ROWS: Final = 500
BATCH_BYTES: Final = 1 << 20
MOST_ERRORS: Final = 20
MOST_WITHOUT_ID: Final = 3_000_000
"""Rows without an event id, each of which is remembered until the end of its file."""
PATIENCE_SECONDS: Final = 60.0
"""How long an import waits for a log that is away."""

_SAVE_EVERY: Final[Micros] = SECOND
_FIRST_WAIT_SECONDS: Final = 0.5

_encoder: Final = msgspec.json.Encoder()
_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What an import is asked to do."""

    id: UUID
    source: Source
    layout: Layout
    historical: bool = False


@dataclass(slots=True)
class _Batch:
    """Rows that are taken in together, and the lines where they stand."""

    lines: list[int] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    bytes: int = 0

    def add(self, row: FileRow) -> None:
        """Add one row, or a line that is none."""
        read = _read(row)
        self.lines.append(row.line)
        self.reads.append(read)
        self.bytes += len(read.raw)

    @property
    def is_full(self) -> bool:
        return len(self.reads) >= BATCH_ROWS or self.bytes >= BATCH_BYTES


def _read(row: FileRow) -> Document | Refused:
    if isinstance(row, BadRow):
        return Refused("bad_line", f"line {row.line} {row.why}", row.raw)
    return Document(row.item, _encoder.encode(row.item))


def _reason(error: JourneylineError) -> str:
    """Return why an import failed; the names in its first line may be a person's data."""
    if isinstance(error, Invalid) and error.faults:
        return f"{len(error.faults)} columns are wrong ({error.code}); its sender was told which"
    return error.message


class Importing:
    """One import, from its first byte to its last line; for one task only."""

    def __init__(self, intake: Intake, states: ImportStates, order: Order) -> None:
        self._intake = intake
        self._states = states
        self._order = order
        self._reader = RowReader(order.layout)
        self._batch = _Batch()
        now = datetime_of(intake.clock())
        self.state = ImportState(
            id=order.id,
            source=order.source.name,
            status=ImportStatus.RUNNING,
            started_at=now,
            updated_at=now,
            historical=order.historical or order.source.settings.historical,
        )

    async def run(self, pieces: AsyncIterator[bytes]) -> ImportState:
        """Take in all rows of a file that comes in *pieces*.

        Raises:
            DatabaseUnavailable: Its state cannot be kept, and nothing was read.
            Invalid: It is no file of rows, or its columns are not known.
            TooLarge: It has too many rows without an id.
            LogUnavailable: The log was away for long; what was taken in stays.
            ClientDisconnect: The sender went away; what was taken in stays.
        """
        await self._states.save(self.state)
        try:
            await self._take_all(pieces)
        except JourneylineError as error:
            await self._end(ImportStatus.FAILED, f"after line {self.state.line}: {_reason(error)}")
            raise
        except ClientDisconnect:
            await self._end(ImportStatus.INTERRUPTED, self._advice("the sender went away"))
            raise
        except asyncio.CancelledError:
            message = self._advice("the process was stopped")
            await asyncio.shield(self._end(ImportStatus.INTERRUPTED, message))
            raise
        await self._end(ImportStatus.DONE, None)
        return self.state

    async def _take_all(self, pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            self._note(bytes=self.state.bytes + len(piece))
            for row in self._reader.feed(piece):
                await self._take(row)
        for row in self._reader.finish():
            await self._take(row)
        await self._flush()

    async def _take(self, row: FileRow) -> None:
        self._batch.add(row)
        if self._batch.is_full:
            await self._flush()
        if self._reader.remembered > MOST_WITHOUT_ID:
            raise TooLarge(
                f"a file may have {MOST_WITHOUT_ID:,} different rows without an event_id: give "
                "them one, or send the file in parts",
                code="too_many_rows",
            )

    async def _flush(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if not batch.reads:
            return
        outcomes = await self._taken_in(batch.reads)
        errors = [
            LineError.of(line, outcome.data)
            for line, outcome in zip(batch.lines, outcomes, strict=True)
            if isinstance(outcome, RejectedRecord)
        ]
        self._note(
            format=self._reader.format,
            line=batch.lines[-1],
            accepted=self.state.accepted + len(outcomes) - len(errors),
            rejected=self.state.rejected + len(errors),
            errors=(*self.state.errors, *errors)[:MOST_ERRORS],
        )
        if self._intake.clock() - instant_of(self.state.updated_at) >= _SAVE_EVERY:
            await self._save()

    async def _taken_in(self, reads: Sequence[Read]) -> Sequence[Record | Ignored]:
        """Take rows in, as fast as the source may send, and once the log is there."""
        waited = 0.0
        wait = _FIRST_WAIT_SECONDS
        while True:
            try:
                return await self._intake.take_in_reads(
                    reads,
                    self._order.source,
                    self._intake.clock(),
                    corrects_skew=False,
                    historical=self._order.historical,
                    wire_format=FORMAT,
                )
            except TooManyRequests as error:
                await asyncio.sleep(error.retry_after_seconds)
            except LogUnavailable:
                if waited >= PATIENCE_SECONDS:
                    raise
                await asyncio.sleep(wait)
                waited += wait
                wait *= 2

    def _note(self, **members: object) -> None:
        self.state = msgspec.structs.replace(self.state, **members)

    async def _save(self) -> None:
        self._note(updated_at=datetime_of(self._intake.clock()))
        with suppress(DatabaseUnavailable):
            await self._states.save(self.state)

    async def _end(self, status: ImportStatus, message: str | None) -> None:
        now = datetime_of(self._intake.clock())
        self._note(status=status, message=message, updated_at=now, finished_at=now)
        try:
            await self._states.save(self.state)
        except DatabaseUnavailable as error:
            _log.warning(
                "an import's state was not kept", id=str(self._order.id), why=error.message
            )

    def _advice(self, what: str) -> str:
        after = f"after line {self.state.line}"
        return f"{what} {after}: send the file again, nothing is doubled"
