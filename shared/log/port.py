"""The log: what ingest appends to and the classifier reads from.

Two implementations keep the same promises, proved by one contract suite: the embedded log
(``embedded.py``) and Apache Kafka (``kafka.py``). A log is one topic with a fixed or growing
number of partitions. A key always lands in the same partition, records of a partition keep the
order in which they were appended, and offsets of a partition rise; they may have gaps on Kafka.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from shared.instants import Instant, Micros

SPOOL: Final = "spool"
"""The topic of positions that lie in a spool: the record is durable, but in no log yet."""


class Position(NamedTuple):
    """Where a record lies in the log, or in the spool in front of it."""

    topic: str
    partition: int
    offset: int


class Entry(NamedTuple):
    """A record to append: the key decides the partition."""

    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as read: ``appended_at`` is the log's own time for it."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    appended_at: Instant


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how long at most a log keeps a record; ``longest`` is None for ever; ``why`` tells."""

    longest: Micros | None
    why: str


class LogWriter(Protocol):
    """The side of the log that ingest uses; safe to call from many tasks at once."""

    async def append(self, entries: Sequence[Entry]) -> Sequence[Position]:
        """Append *entries* and return once all of them are durable.

        Concurrent calls are grouped into one write. Entries of one call with the same key keep
        their order.

        Returns:
            The positions, in the order of *entries*.

        Raises:
            LogUnavailable: durability was not confirmed in time, the disk is nearly full, or the
                log is closed. The records may or may not be in the log: the caller promises
                nothing and the sender sends again.
        """
        ...

    async def check(self) -> str | None:
        """Return None if an append would be taken now, else a sentence that says why not."""
        ...


class LogReader(Protocol):
    """The side of the log that one classifier uses; for one task only."""

    @property
    def topic(self) -> str:
        """The name that positions carry."""
        ...

    @property
    def log_id(self) -> str:
        """What tells this log from every other, also from one made anew under its name."""
        ...

    @property
    def assigned(self) -> frozenset[int]:
        """The partitions this reader is given to read at the moment."""
        ...

    async def seek(self, partition: int, offset: int) -> None:
        """Let the next poll of *partition* begin at *offset*.

        Raises:
            LogUnavailable: the log cannot be reached.
            OffsetOutOfRange: *offset* lies outside of what the log holds, so that records would be
                skipped; never resolved silently.
        """
        ...

    async def poll(
        self, *, max_records: int, timeout_seconds: float
    ) -> Mapping[int, Sequence[LogRecord]]:
        """Return the next records of the assigned partitions that were sought, oldest first.

        Waits up to *timeout_seconds* for the first one, then returns what is there, at most
        *max_records* in all and a bounded number of bytes, but at least one record if any is
        there. Empty when nothing came. Partitions of which there is nothing are left out.

        Raises:
            LogUnavailable: the log cannot be reached.
            LogDamaged: a record does not match its checksum.
            OffsetOutOfRange: the log no longer holds what comes next in a partition.
            LogReplaced: the log that was opened is gone, and another has its name.
        """
        ...

    async def position(self, partition: int) -> int:
        """Return up to where *partition*, which was sought, is read: nothing lies in between.

        That is behind the last record that a poll returned, or further where no record ever was.

        Raises:
            OwnershipLost: it was given to another reader meanwhile, if only for a moment: it is
                not read any more unless it is sought anew.
            LogUnavailable: the log cannot be reached.
        """
        ...

    async def pause(self, partitions: frozenset[int]) -> None:
        """Leave *partitions* out of polls, and take all others in again."""
        ...

    async def start_offsets(self) -> Mapping[int, int]:
        """Return for each partition of the topic the first offset still held (end if none)."""
        ...

    async def end_offsets(self) -> Mapping[int, int]:
        """Return for each partition of the topic the offset that the next append will get."""
        ...

    async def reached(self, partition: int, offset: int) -> None:
        """Tell lag tools that everything of *partition* before *offset* is classified.

        Best effort: correctness never rests on it, and it never raises.
        """
        ...

    async def close(self) -> None:
        """Give the partitions back; bounded in time."""
        ...
