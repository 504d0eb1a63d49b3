"""The log's copies of what was erased: overwritten in place, where the log can do that.

Kafka cannot; its copies end with the topic's retention, and the certificate says when.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import asyncpg
import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.transactions import reading, writing
from shared.clock import Clock
from shared.erasure import Digests, Remembered, in_force, referrer_in, without_referrer
from shared.errors import RetryableError
from shared.instants import datetime_of
from shared.log.port import LogReader, LogRecord, Position
from shared.records import (
    ErasedRecord,
    Event,
    TouchpointRecord,
    decode_event,
    encode,
    erased_record,
    key_of,
)
from shared.storage.engine import driver_of
from shared.storage.erasures import erased_among, newest_erasure

EVERY_SECONDS: Final = 600.0
RECORDS_AT_ONCE: Final = 2_000

_COUNT: Final = "SELECT count(*) FROM erasures"
_READ: Final = "SELECT partition, next_offset FROM claims WHERE log_id = $1 AND topic = $2"
_CLEARED: Final = """
UPDATE certificates SET log_cleared_at = $1 WHERE log_cleared_at IS NULL AND erased_at <= $2
"""
_UNVACUUMED: Final = "SELECT EXISTS (SELECT FROM certificates WHERE vacuumed_at IS NULL)"
VACUUMED: Final = (
    "bars",
    "components",
    "customers",
    "deliveries",
    "diff_customers",
    "duplicates",
    "identifiers",
    "journeys",
    "links",
    "outbox",
    "quarantine",
    "referrals",
    "snapshots",
    "touchpoints",
    "transitions",
)
"""Tables of which an erasure may delete rows, or rewrite them."""
_VACUUM: Final = f"VACUUM {', '.join(VACUUMED)}"
_DONE: Final = """
UPDATE certificates SET vacuumed_at = $1 WHERE vacuumed_at IS NULL AND erased_at < $1
"""
VACUUM_SECONDS: Final = 3_600.0

log = structlog.get_logger()


class ErasableLog(Protocol):
    """A log whose records can be overwritten."""

    def reader(self) -> LogReader:
        """Return a new reader of all partitions."""
        ...

    async def overwrite(self, position: Position, value: bytes, *, key: bytes = b"") -> bool:
        """Put *value* in place of a record's payload; see ``EmbeddedLog.overwrite``."""
        ...

    async def checkpoint(self) -> None:
        """Leave nothing in the files of what was overwritten."""
        ...


class LogClearing:
    """Clears the log after erasures, and again when records of erased people came in since.

    Args:
        erasable: The log; None where it cannot be overwritten.
        engine: Of the database; stays the caller's.
        digests: Recognise what was erased.
        clock: The present.
    """

    def __init__(
        self, erasable: ErasableLog | None, engine: AsyncEngine, digests: Digests, clock: Clock
    ) -> None:
        self._log = erasable
        self._engine = engine
        self._digests = digests
        self._clock = clock
        self._cleared_for: tuple[int, int] | None = None
        self._clearing = asyncio.Lock()

    async def run(self, stopping: asyncio.Event) -> None:
        """Clear and vacuum now and then until *stopping*."""
        while not stopping.is_set():
            try:
                await self.clear()
                await self._vacuum()
            except (RetryableError, asyncpg.PostgresError, OSError) as error:
                log.warning("erasure_not_finished", why=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), EVERY_SECONDS)

    async def clear(self) -> int:
        """Overwrite what is on the log of erased people; quick where nothing was erased since.

        Returns:
            How many records were overwritten.

        Raises:
            LogUnavailable: the log cannot be written; it is tried again.
            DatabaseUnavailable: the database cannot be asked.
        """
        if self._log is None:
            return 0
        async with self._clearing:
            began = self._clock()
            async with reading(self._engine) as connection:
                erased = await connection.fetchval(_COUNT)
                stand = (erased, await newest_erasure(connection))
            if stand == self._cleared_for:
                return 0
            overwritten = await self._sweep(self._log) if erased else 0
            if overwritten:
                await self._log.checkpoint()
            async with writing(self._engine) as connection:
                driver = await driver_of(connection)
                await driver.execute(_CLEARED, datetime_of(self._clock()), datetime_of(began))
            self._cleared_for = stand
        return overwritten

    async def _sweep(self, erasable: ErasableLog) -> int:
        reader = erasable.reader()
        try:
            overwritten = 0
            starts, ends = await reader.start_offsets(), await reader.end_offsets()
            reached = dict(starts)
            for partition, offset in starts.items():
                await reader.seek(partition, offset)
            while any(reached[one] < end for one, end in ends.items()):
                polled = await reader.poll(max_records=RECORDS_AT_ONCE, timeout_seconds=1)
                if not polled:
                    break
                for partition, records in polled.items():
                    reached[partition] = records[-1].offset + 1
                    overwritten += await self._clear_page(erasable, reader, records)
            return overwritten
        finally:
            await reader.close()

    async def _clear_page(
        self, erasable: ErasableLog, reader: LogReader, records: Sequence[LogRecord]
    ) -> int:
        events = list(_events(records))
        made = {digest for _, event in events for digest in self._digests.all_in(event)}
        async with reading(self._engine) as connection:
            found = await erased_among(connection, made)
            rows = await connection.fetch(_READ, reader.log_id, reader.topic) if found else []
        classified = {row["partition"]: row["next_offset"] for row in rows}
        overwritten = 0
        for record, event in events:
            is_settled = record.offset < classified.get(record.partition, 0)
            left = self._left_of(event, found, is_settled=is_settled) if found else event
            if left is not event:
                position = Position(reader.topic, record.partition, record.offset)
                key = key_of(left) if isinstance(left, TouchpointRecord) else b""
                overwritten += await erasable.overwrite(position, encode(left), key=key)
        return overwritten

    def _left_of(
        self, event: Event, found: Mapping[bytes, Remembered], *, is_settled: bool
    ) -> Event:
        """Return what may be left of a record; the same one where that is all of it.

        Somebody else's touchpoint that was stored before the erasure stays, without the names.
        What only carries an erased identifier and is not classified yet is left to the classifier,
        which makes it erased; the next sweep finds it so.
        """
        things, carried = self._digests.of_record(event)
        found = in_force(found, event.data.received_at)
        if any(digest in found for digest in things):
            return erased_record(event) if not isinstance(event, ErasedRecord) else event
        concerned = any(digest in found for digest in self._digests.all_in(event))
        if not (concerned and is_settled):
            return event
        if not isinstance(event, TouchpointRecord):
            return event if isinstance(event, ErasedRecord) else erased_record(event)
        data = event.data
        names = zip(data.identifiers, carried, strict=True)
        kept = tuple(name for name, digest in names if digest not in found)
        referrer = referrer_in(data)
        if referrer is not None and self._digests.of_identifier(referrer) in found:
            data = without_referrer(data)
        return msgspec.structs.replace(event, data=msgspec.structs.replace(data, identifiers=kept))

    async def _vacuum(self) -> None:
        """Let the database drop deleted rows from its files, once after each erasure."""
        async with reading(self._engine) as connection:
            if not await connection.fetchval(_UNVACUUMED):
                return
        now = datetime_of(self._clock())
        async with self._engine.connect() as connection:
            driver = await driver_of(connection)
            await driver.execute("SET statement_timeout = 0")
            try:
                await driver.execute(_VACUUM, timeout=VACUUM_SECONDS)
                await driver.execute(_DONE, now)
            finally:
                await driver.execute("RESET statement_timeout")


def _events(records: Iterable[LogRecord]) -> Iterable[tuple[LogRecord, Event]]:
    for record in records:
        with contextlib.suppress(msgspec.DecodeError, ValueError):
            yield record, decode_event(record.value)
