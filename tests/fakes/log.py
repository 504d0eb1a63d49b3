"""A log in memory that keeps the promises of ``shared/log/port.py``, except surviving the process.

``tests/contract/test_log.py`` runs on it, too.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count

from shared.clock import wall_clock
from shared.errors import LogUnavailable, OffsetOutOfRange, OwnershipLost
from shared.log.partitioning import partition_of
from shared.log.port import Entry, LogRecord, Position
from tests.contract.logs import OpenLog

TOPIC = "journeyline.touchpoints"
POLL_BYTES = 8 << 20
LOOK_STEPS = 8
"""Turns of the event loop before a poll takes anything, as with a thread or a socket."""

_numbers = count(1)


class InMemoryWriter:
    """Appends at once; ``unavailable`` is a sentence to refuse appends with."""

    def __init__(self, log: "InMemoryLog") -> None:
        self._log = log
        self.closed = False
        self.unavailable: str | None = None

    async def append(self, entries: Sequence[Entry]) -> Sequence[Position]:
        if (reason := await self.check()) is not None:
            raise LogUnavailable(reason)
        return [self._log.add(entry) for entry in entries]

    async def check(self) -> str | None:
        return "the log is closed" if self.closed else self.unavailable


class InMemoryReader:
    """Reads all partitions."""

    def __init__(self, log: "InMemoryLog") -> None:
        self._log = log
        self._next: dict[int, int] = {}
        self._paused: frozenset[int] = frozenset()
        self.closed = False

    @property
    def topic(self) -> str:
        return TOPIC

    @property
    def log_id(self) -> str:
        return self._log.log_id

    @property
    def assigned(self) -> frozenset[int]:
        return frozenset(range(len(self._log.partitions)))

    async def seek(self, partition: int, offset: int) -> None:
        self._check_open()
        if not 0 <= offset <= len(self._log.partitions[partition]):
            raise OffsetOutOfRange("no such offset", partition=partition)
        self._next[partition] = offset

    async def poll(
        self, *, max_records: int, timeout_seconds: float
    ) -> Mapping[int, Sequence[LogRecord]]:
        self._check_open()
        for _ in range(LOOK_STEPS):
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(timeout_seconds):
                while not (polled := self._take(max_records)):
                    await self._log.wait_for_more()
        except TimeoutError:
            return {}
        return polled

    def _take(self, max_records: int) -> dict[int, list[LogRecord]]:
        taken: dict[int, list[LogRecord]] = {}
        room, size = max_records, 0
        for partition in [one for one in self._next if one not in self._paused]:
            start = self._next[partition]
            for record in self._log.partitions[partition][start : start + room]:
                taken.setdefault(partition, []).append(record)
                room, size = room - 1, size + len(record.value)
                if size >= POLL_BYTES:
                    room = 0
                    break
            if partition in taken:  # the others come first next time
                del self._next[partition]
                self._next[partition] = start + len(taken[partition])
        return taken

    async def pause(self, partitions: frozenset[int]) -> None:
        self._paused = partitions

    async def position(self, partition: int) -> int:
        if partition not in self._next:
            raise OwnershipLost(f"partition {partition} was given to another reader")
        return self._next[partition]

    def forget(self) -> None:
        """Have everything given away and back, in a moment in which nobody looked."""
        self._next.clear()

    async def start_offsets(self) -> Mapping[int, int]:
        self._check_open()
        return dict.fromkeys(self.assigned, 0)

    async def end_offsets(self) -> Mapping[int, int]:
        self._check_open()
        return {number: len(records) for number, records in enumerate(self._log.partitions)}

    async def reached(self, partition: int, offset: int) -> None:
        pass

    async def close(self) -> None:
        self.closed = True

    def _check_open(self) -> None:
        if self.closed:
            raise LogUnavailable("the reader is closed")


class InMemoryLog:
    """What writers and readers share; it stays when they are closed."""

    def __init__(self, *, partitions: int = 4) -> None:
        self.log_id = f"memory-{next(_numbers)}"
        self.partitions: list[list[LogRecord]] = [[] for _ in range(partitions)]
        self._more = asyncio.Event()

    @property
    def records(self) -> list[LogRecord]:
        """All records, by partition and offset."""
        return [record for records in self.partitions for record in records]

    def add(self, entry: Entry) -> Position:
        """Append one record and wake those who wait for it."""
        partition = partition_of(entry.key, len(self.partitions))
        records = self.partitions[partition]
        records.append(LogRecord(partition, len(records), entry.key, entry.value, wall_clock()))
        self._more.set()
        return Position(TOPIC, partition, len(records) - 1)

    async def wait_for_more(self) -> None:
        """Return after the next append."""
        self._more.clear()
        await self._more.wait()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[OpenLog]:
        """Open both sides; see ``LogUnderTest.open``."""
        writer, reader = InMemoryWriter(self), InMemoryReader(self)
        try:
            yield OpenLog(writer, reader)
        finally:
            writer.closed = True
            await reader.close()
