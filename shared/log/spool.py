"""A spool: records that are durable here and wait until the log takes them, oldest first.

One file in the format of the embedded log, with one partition, in a folder of its own. What was
taken in leaves it only after the log confirmed it, however old it gets: the limits bound what is
taken in, never what is kept.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from shared.clock import Clock
from shared.errors import LogDamaged, LogUnavailable, OffsetOutOfRange, SetupError
from shared.instants import DAY, HOUR, LATEST, SECOND, Instant, Micros
from shared.log.embedded import EmbeddedLog, open_embedded_log
from shared.log.embedded_reader import EmbeddedReader
from shared.log.frames import bytes_on_disk
from shared.log.port import SPOOL, Entry, LogRecord, Position
from shared.log.sqlite_writer import MIB, DiskRoom, free_bytes

FILE_NAME: Final = "spool.sqlite"

_PARTITION: Final = 0
_CHECK_BYTES: Final = 64 * 1024
"""What must fit for a spool that says it takes more."""
_HEAD_RECORDS: Final = 500
_HEAD_BYTES: Final = 256 * 1024
_LOAD_RECORDS: Final = 10_000
_LOAD_BYTES: Final = 8 * MIB


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """What a spool takes in.

    ``most_bytes`` on the disk, nothing while the oldest record waits longer than ``most_age``, and
    nothing while less than ``reserve_bytes`` of the disk are free.
    """

    most_bytes: int = 256 * MIB
    most_age: Micros = DAY
    reserve_bytes: int = 64 * MIB
    disk_room: DiskRoom = free_bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits in the spool of the folder *name*, and since when."""

    name: str
    records: int
    held_bytes: int
    oldest_at: Instant


class Spool:
    """The records of one open file; for the tasks of one event loop.

    ``depth`` and ``held_bytes`` are of what lies in the file.
    """

    def __init__(self, log: EmbeddedLog, limits: SpoolLimits, clock: Clock) -> None:
        self._log = log
        self._reader: EmbeddedReader = log.reader(poll_bytes=_HEAD_BYTES)
        self._limits = limits
        self._clock = clock
        self._keys: Counter[bytes] = Counter()
        self._putting_bytes = 0
        self._first = self._next = 0
        self._head: Sequence[LogRecord] = ()
        self._oldest_at: Instant | None = None
        self.held_bytes = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self._log.file.path

    @property
    def waiting(self) -> Waiting:
        """How much waits here."""
        return Waiting(self.path.parent.name, self.depth, self.held_bytes, self.oldest_at)

    @property
    def depth(self) -> int:
        """How many records wait."""
        return self._next - self._first

    @property
    def oldest_at(self) -> Instant:
        """When the oldest record began to wait; now if there is none."""
        return self._clock() if self._oldest_at is None else self._oldest_at

    @property
    def oldest_age(self) -> Micros:
        """How long the oldest record has waited; 0 when there is none."""
        return max(0, self._clock() - self.oldest_at)

    def holds(self, key: bytes) -> bool:
        """Return whether a record of *key* waits, or may wait."""
        return key in self._keys

    async def load(self) -> None:
        """Find out what the file holds; before anything else.

        Raises:
            LogDamaged: a record does not match its checksum.
            LogUnavailable: the file cannot be read.
        """
        self._first = self._next = (await self._reader.start_offsets())[_PARTITION]
        reader = self._log.reader(poll_bytes=_LOAD_BYTES)
        await reader.seek(_PARTITION, self._first)
        while polled := await reader.poll(max_records=_LOAD_RECORDS, timeout_seconds=0):
            records = polled[_PARTITION]
            if self._oldest_at is None:
                self._oldest_at = records[0].appended_at
            self._keys.update(record.key for record in records)
            self.held_bytes += sum(map(_size, records))
            self._next = records[-1].offset + 1
        await reader.close()
        await self._reader.seek(_PARTITION, self._first)

    async def put(self, entries: Sequence[Entry]) -> Sequence[Position]:
        """Make *entries* durable behind all that waits, all of them or none.

        Raises:
            LogUnavailable: the spool is full, too old, or its disk does not take them.
        """
        size = sum(map(_size, entries))
        if reason := self._refusal(size):
            raise LogUnavailable(reason)
        # Before anything is awaited: whoever comes later with one of these keys queues up.
        self._keys.update(entry.key for entry in entries)
        self._putting_bytes += size
        try:
            positions = await self._log.writer.append(entries)
            self._next = max(self._next, positions[-1].offset + 1)
            self.held_bytes += size
            if self._oldest_at is None:
                self._oldest_at = self._clock()
        finally:
            self._putting_bytes -= size
            self._forget_keys_when_empty()
        return positions

    async def check(self) -> str | None:
        """Return None if records would be taken in, else a sentence that says why not."""
        return self._refusal(_CHECK_BYTES) or await self._log.writer.check()

    async def head(self) -> Sequence[LogRecord]:
        """Return the oldest records, a bounded number; the same again until they are dropped.

        Raises:
            LogDamaged: the oldest record does not match its checksum.
            LogUnavailable: the file cannot be read.
        """
        if not self._head:
            polled = await self._reader.poll(max_records=_HEAD_RECORDS, timeout_seconds=0)
            self._head = polled.get(_PARTITION, ())
            if self._head:
                self._oldest_at = self._head[0].appended_at
                self._next = max(self._next, self._head[-1].offset + 1)
        return self._head

    async def drop_head(self) -> None:
        """Let go of what ``head`` returned: the log has it.

        Raises:
            LogUnavailable: the file cannot be written; the records stay and may be sent again.
        """
        following = self._head[-1].offset + 1
        await self._log.trim({_PARTITION: following}, older_than=LATEST)
        self._first = following
        self.held_bytes = max(0, self.held_bytes - sum(map(_size, self._head)))
        self._keys -= Counter(record.key for record in self._head)
        self._head = ()
        await self.head()
        self._forget_keys_when_empty()

    async def page(self, offset: int) -> Sequence[LogRecord]:
        """Return the first records from *offset* on, a bounded number; empty behind the last.

        Raises:
            LogDamaged: a record does not match its checksum.
            LogUnavailable: the file cannot be read.
        """
        reader = self._log.reader(poll_bytes=_HEAD_BYTES)
        try:
            while True:
                with suppress(OffsetOutOfRange):  # the drain let go of it meanwhile
                    first = (await reader.start_offsets())[_PARTITION]
                    await reader.seek(_PARTITION, max(first, offset))
                    polled = await reader.poll(max_records=_HEAD_RECORDS, timeout_seconds=0)
                    return polled.get(_PARTITION, ())
        finally:
            await reader.close()

    async def overwrite(self, record: LogRecord, entry: Entry) -> bool:
        """Put *entry* in the place of *record*, whose bytes are gone after the next ``forget``.

        What was read of it by ``head`` is replaced too, but may be on its way to the log.

        Returns:
            False if it does not wait here any more.

        Raises:
            LogUnavailable: the file cannot be written.
        """
        place = Position(SPOOL, _PARTITION, record.offset)
        if not await self._log.overwrite(place, entry.value, key=entry.key):
            return False
        self._keys -= Counter([record.key])
        self._keys[entry.key] += 1
        self.held_bytes += _size(entry) - _size(record)
        self._head = [
            replace(one, key=entry.key, value=entry.value) if one.offset == record.offset else one
            for one in self._head
        ]
        return True

    async def forget(self) -> None:
        """Leave nothing in the files of what was replaced or dropped before.

        Raises:
            LogUnavailable: the file cannot be written; old bytes may still be there: call again.
        """
        await self._log.checkpoint()

    def _forget_keys_when_empty(self) -> None:
        # A put that was refused or given up may have left a key behind: nothing of it waits now.
        if self.depth == 0 and not self._putting_bytes:
            self._keys.clear()
            self._oldest_at = None
            self.held_bytes = 0

    def _refusal(self, more_bytes: int) -> str | None:
        limits = self._limits
        if self.held_bytes + self._putting_bytes + more_bytes > limits.most_bytes:
            return (
                f"the spool is full: {self.depth} records take {self.held_bytes // MIB} MiB of "
                f"{limits.most_bytes // MIB} MiB"
            )
        if self.oldest_age > limits.most_age:
            return (
                f"the oldest record of the spool waits for {self.oldest_age // SECOND} s: it takes "
                f"no more after {limits.most_age // HOUR} hours"
            )
        return None


@asynccontextmanager
async def open_spool(folder: Path, limits: SpoolLimits, clock: Clock) -> AsyncIterator[Spool]:
    """Open the spool in *folder*, or make it there; the folder exists and becomes this process's.

    Raises:
        InUse: another process has it open.
        SetupError: the file is damaged, no spool, or cannot be read; says what to do.
    """
    async with open_embedded_log(
        folder / FILE_NAME,
        topic=SPOOL,
        partitions=1,
        clock=clock,
        reserve_bytes=limits.reserve_bytes,
        disk_room=limits.disk_room,
    ) as log:
        spool = Spool(log, limits, clock)
        try:
            await spool.load()
        except (LogDamaged, LogUnavailable) as error:
            raise SetupError(
                f"{folder}: {error.message}; records wait in it that were accepted: put a copy of "
                "it back, or keep it elsewhere and send its touchpoints again"
            ) from error
        yield spool


def _size(record: Entry | LogRecord) -> int:
    return bytes_on_disk(len(record.key) + len(record.value))
