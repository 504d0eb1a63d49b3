"""The writer of the Kafka log: appends of many tasks, sent as one batch for each partition.

A partition has one batch on its way; what comes meanwhile gathers and goes into the next one. So
nobody waits for a timer, the busier a partition, the larger its batches, and records of a key keep
their order whatever a batch meets.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from shared.errors import LogUnavailable, Overloaded, TooLarge
from shared.log.kafka_connection import KafkaAddress, reason
from shared.log.kafka_producer import BATCH_BYTES, SupervisedProducer
from shared.log.partitioning import partition_of
from shared.log.port import Entry, Position

log = structlog.get_logger()

QUEUE_BYTES: Final = 64 << 20
APPEND_TIMEOUT_SECONDS: Final = 2.0

_MIB: Final = 1 << 20
_ENTRY_BYTES: Final = 128
"""What an entry costs in memory beside its key and value, roughly."""

_BATCH_HEAD_BYTES: Final = 128
"""What a batch of one record has beside the record's key and value, at most."""


class _Append:
    """One call that waits for its entries to become durable."""

    __slots__ = ("done", "entries", "missing", "positions")

    def __init__(
        self, entries: Sequence[Entry], done: "asyncio.Future[Sequence[Position]]"
    ) -> None:
        self.entries = entries
        self.positions: dict[int, Position] = {}
        self.missing = len(entries)
        self.done = done

    def confirm(self, place: int, position: Position) -> None:
        """Note where the entry at *place* lies; the last one answers the call."""
        self.positions[place] = position
        self.missing -= 1
        if not self.missing and not self.done.done():
            self.done.set_result([self.positions[each] for each in range(len(self.entries))])

    def refuse(self, why: str, cause: BaseException | None) -> None:
        """Answer the call that nothing is promised."""
        if not self.done.done():
            refusal = LogUnavailable(why)  # one each: every caller adds its own traceback
            refusal.__cause__ = cause
            self.done.set_exception(refusal)


class _Part(NamedTuple):
    """One entry of a call."""

    append: _Append
    place: int

    @property
    def entry(self) -> Entry:
        return self.append.entries[self.place]


@dataclass(slots=True, eq=False)
class _Flight:
    """A batch on its way, and when it is given up."""

    partition: int
    parts: Sequence[_Part]
    overdue: asyncio.TimerHandle


class KafkaWriter:
    """The log writer of Kafka; for the tasks of one event loop.

    Args:
        address: The cluster.
        topic: What is appended to.
        queue_bytes: How much may wait for its answer.
        append_timeout_seconds: How long an append waits to become durable.
    """

    def __init__(
        self,
        address: KafkaAddress,
        topic: str,
        *,
        queue_bytes: int = QUEUE_BYTES,
        append_timeout_seconds: float = APPEND_TIMEOUT_SECONDS,
    ) -> None:
        self._topic = topic
        self._queue_bytes = queue_bytes
        self._append_timeout_seconds = append_timeout_seconds
        self._answer_seconds = address.call_seconds
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._producer = SupervisedProducer(address, topic, self._changed.set)
        self._arrived: deque[_Append] = deque()
        self._waiting: defaultdict[int, deque[_Part]] = defaultdict(deque)
        self._flights: dict[int, _Flight] = {}
        self._held_bytes = 0
        self._closed = False
        self._sending = self._start_sending()
        self._producer.connect()

    async def append(self, entries: Sequence[Entry]) -> Sequence[Position]:
        """See ``LogWriter.append``; entries with different keys may become durable apart.

        Raises:
            Overloaded: too much waits to be written already.
            TooLarge: an entry, or all of them, are more than the log takes.
        """
        if self._closed:
            raise LogUnavailable("the log is closed")
        if not entries:
            return ()
        held_bytes = self._admitted(entries)
        append = _Append(entries, self._loop.create_future())
        self._held_bytes += held_bytes
        self._arrived.append(append)
        self._changed.set()
        try:
            async with asyncio.timeout(self._append_timeout_seconds):
                return await append.done
        except TimeoutError as error:
            why = self._producer.trouble or "it has not answered"
            raise LogUnavailable(
                f"Kafka did not confirm within {self._append_timeout_seconds:g} s: {why}"
            ) from error
        finally:
            self._held_bytes -= held_bytes

    async def check(self) -> str | None:
        """See ``LogWriter.check``."""
        return "the log is closed" if self._closed else await self._producer.check()

    async def close(self) -> None:
        """Take no more appends, let those that wait be answered, and close the producer."""
        if self._closed:
            return
        self._closed = True
        waiting = [append.done for append in self._all_appends()]
        if waiting:
            await asyncio.wait(waiting, timeout=self._append_timeout_seconds)
        self._sending.cancel()
        await asyncio.wait([self._sending])
        await self._producer.close()
        self._refuse_all("the log is closed", None)

    def _admitted(self, entries: Sequence[Entry]) -> int:
        """Return how many bytes *entries* hold while they wait."""
        held_bytes = 0
        for entry in entries:
            size = len(entry.key) + len(entry.value)
            if size > BATCH_BYTES - _BATCH_HEAD_BYTES:
                raise TooLarge(f"a record of {size} bytes; at most {BATCH_BYTES} fit")
            held_bytes += size + _ENTRY_BYTES
        if held_bytes > self._queue_bytes:
            raise TooLarge(f"an append of {held_bytes} bytes; at most {self._queue_bytes} fit")
        if self._held_bytes + held_bytes > self._queue_bytes:
            raise Overloaded(f"{self._held_bytes // _MIB} MiB wait to be written to the log")
        return held_bytes

    def _start_sending(self) -> "asyncio.Task[None]":
        task = self._loop.create_task(self._send())
        task.add_done_callback(self._sending_ended)
        return task

    def _sending_ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            return
        error = task.exception()  # a defect: nobody may be left without an answer
        log.error("kafka_writer_failed", exc_info=error)
        self._refuse_all("the log was stopped in a write", error)
        self._arrived.clear()
        self._waiting.clear()
        self._flights.clear()
        self._producer.replace("the writer failed")
        self._sending = self._start_sending()

    async def _send(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if (producer := self._producer.current) is None:
                self._forget_answered()
                continue
            self._sort()
            for partition in [*self._waiting]:
                if partition not in self._flights:
                    await self._send_batch(producer, partition)

    def _sort(self) -> None:
        """Put what arrived behind what waits for the same partition."""
        partitions = self._producer.partitions
        while partitions and self._arrived:
            append = self._arrived.popleft()
            for place, entry in enumerate(append.entries):
                self._waiting[partition_of(entry.key, partitions)].append(_Part(append, place))

    def _forget_answered(self) -> None:
        """Drop calls that nobody waits for any more, so that a long outage holds nothing."""
        self._arrived = deque(append for append in self._arrived if not append.done.done())

    async def _send_batch(self, producer: AIOKafkaProducer, partition: int) -> None:
        builder = producer.create_batch()
        parts = _filled(builder, self._waiting[partition])
        if not self._waiting[partition]:
            del self._waiting[partition]
        if not parts:
            return
        overdue = self._loop.call_later(self._answer_seconds, self._give_up, partition)
        flight = self._flights[partition] = _Flight(partition, parts, overdue)
        try:
            answer = await producer.send_batch(builder, self._topic, partition=partition)
        except Exception as error:  # noqa: BLE001 - whatever the client meets, callers get an answer
            self._fail(flight, error)
        else:
            answer.add_done_callback(lambda done: self._settle(flight, done))

    def _settle(self, flight: _Flight, answer: "asyncio.Future[RecordMetadata]") -> None:
        if answer.cancelled():
            self._fail(flight, LogUnavailable("the batch was given up"))
        elif (error := answer.exception()) is not None:
            self._fail(flight, error)
        elif self._landed(flight):
            self._producer.note_success()
            first = answer.result().offset
            for offset, part in enumerate(flight.parts, first):
                part.append.confirm(part.place, Position(self._topic, flight.partition, offset))

    def _fail(self, flight: _Flight, error: BaseException) -> None:
        if self._landed(flight):
            why = f"Kafka did not confirm: {reason(error)}"
            self._producer.note_failure(error, why)
            _refuse(flight.parts, why, error)

    def _landed(self, flight: _Flight) -> bool:
        """Make room for the partition's next batch; false if *flight* was given up before."""
        if self._flights.get(flight.partition) is not flight:
            return False
        flight.overdue.cancel()
        del self._flights[flight.partition]
        self._changed.set()
        return True

    def _give_up(self, partition: int) -> None:
        """Stop waiting for a batch that should have been answered; the producer is stuck."""
        why = f"Kafka has not answered for {self._answer_seconds:g} s"
        flights = [*self._flights.values()]
        self._flights.clear()
        self._producer.replace(f"partition {partition}: {why}")
        for flight in flights:
            flight.overdue.cancel()
            _refuse(flight.parts, why, None)
        self._changed.set()

    def _all_appends(self) -> Iterable[_Append]:
        yield from self._arrived
        for parts in (*self._waiting.values(), *(f.parts for f in self._flights.values())):
            yield from (part.append for part in parts)

    def _refuse_all(self, why: str, cause: BaseException | None) -> None:
        for append in [*self._all_appends()]:
            append.refuse(why, cause)
        for flight in self._flights.values():
            flight.overdue.cancel()


def _filled(builder: BatchBuilder, waiting: deque[_Part]) -> list[_Part]:
    """Move as many of *waiting* as fit into a batch; calls given up before are left out."""
    parts: list[_Part] = []
    while waiting:
        part = waiting[0]
        if part.append.done.done():
            waiting.popleft()
            continue
        if builder.append(timestamp=None, key=part.entry.key, value=part.entry.value) is None:
            break
        parts.append(waiting.popleft())
    return parts


def _refuse(parts: Iterable[_Part], why: str, cause: BaseException | None) -> None:
    for part in parts:
        part.append.refuse(why, cause)
