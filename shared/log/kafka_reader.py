"""The reader of the Kafka log: what a consumer group gives, from where the claims say.

The group only decides who reads what. Where a partition is read from is decided by ``seek``: the
client begins at the group's committed offset after every rebalance, so each rebalance makes this
reader seek anew before it takes anything.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import ConsumerRecord, TopicPartition

from shared.errors import LogReplaced, LogUnavailable, OffsetOutOfRange, OwnershipLost
from shared.log.bounds import Bounds, check_held
from shared.log.kafka_commits import GroupCommits
from shared.log.kafka_connection import KafkaAddress, bounded, close_quietly
from shared.log.kafka_records import log_record, told
from shared.log.kafka_topic import KafkaTopic, PartitionState
from shared.log.port import LogRecord

POLL_BYTES: Final = 8 << 20
CLOSE_SECONDS: Final = 10.0


_MILLISECONDS: Final = 1_000
_NO_PARTITION: Final = -1


def consumer_options(address: KafkaAddress, group: str | None) -> dict[str, object]:
    """Return what the consumer is made with; every default that is not safe is set here."""
    return {
        **address.options(),
        "group_id": group,
        "group_instance_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "session_timeout_ms": int(address.settings.session_timeout * _MILLISECONDS),
        "heartbeat_interval_ms": int(address.settings.session_timeout * _MILLISECONDS / 9),
        "rebalance_timeout_ms": 60_000,
        "max_poll_interval_ms": 300_000,
        "fetch_max_bytes": POLL_BYTES,
        "max_partition_fetch_bytes": 1 << 20,
        "fetch_max_wait_ms": 500,
        "retry_backoff_ms": 100,
        "check_crcs": True,
    }


class _Rebalances(ConsumerRebalanceListener):
    """Notes rebalances in the step of the event loop in which they take effect.

    Never a coroutine, never an error: the client goes on without waiting for either.
    """

    def __init__(self, sought: set[int]) -> None:
        self._sought = sought

    def on_partitions_revoked(self, _: object) -> None:
        self._sought.clear()

    def on_partitions_assigned(self, _: object) -> None:
        self._sought.clear()


class KafkaReader:
    """A log reader on Kafka; made by ``open_kafka_reader``, for one task.

    Args:
        address: The cluster.
        consumer: Started; this reader stops it.
        topic: Looks at the topic; this reader closes it.
        log_id: The topic's when the reader was opened.
        group: The consumer group; None for a reader that is given all partitions.
    """

    def __init__(
        self,
        address: KafkaAddress,
        consumer: AIOKafkaConsumer,
        topic: KafkaTopic,
        *,
        log_id: str,
        group: str | None,
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._log_id = log_id
        self._group = group
        self._call_seconds = address.call_seconds
        self._next_offsets: dict[int, int] = {}
        self._sought: set[int] = set()
        self._paused: frozenset[int] = frozenset()
        self._turns: deque[int] = deque()
        self._commits = GroupCommits(consumer)
        self._closed = False
        if group is not None:
            consumer.subscribe([topic.topic], listener=_Rebalances(self._sought))

    @property
    def topic(self) -> str:
        """See ``LogReader.topic``."""
        return self._topic.topic

    @property
    def log_id(self) -> str:
        """See ``LogReader.log_id``: the ids of the cluster and of the topic."""
        return self._log_id

    @property
    def assigned(self) -> frozenset[int]:
        """See ``LogReader.assigned``: what the group gives, all partitions without a group."""
        if self._group is None:
            return frozenset(self._consumer.partitions_for_topic(self.topic) or ())
        return frozenset(place.partition for place in self._consumer.assignment())

    async def seek(self, partition: int, offset: int) -> None:
        """See ``LogReader.seek``."""
        self._check_open()
        check_held(partition, offset, await self._bounds())
        if self._group is None:
            places = {*self._consumer.assignment(), self._place(partition)}
            self._consumer.assign(list(places))
            self._sought.clear()
        elif partition not in self.assigned:
            raise LogUnavailable(f"partition {partition} was given to another reader")
        self._next_offsets[partition] = offset
        self._sought.discard(partition)

    async def poll(
        self, *, max_records: int, timeout_seconds: float
    ) -> Mapping[int, Sequence[LogRecord]]:
        """See ``LogReader.poll``.

        Raises:
            OffsetOutOfRange: a partition was trimmed beyond where it is read.
            LogReplaced: the topic was made anew.
        """
        self._check_open()
        self._return_to_positions()
        polled: dict[int, Sequence[LogRecord]] = {}
        try:
            async with bounded(timeout_seconds + self._call_seconds, "give records"):
                fetched = await self._fetch(max_records, timeout_seconds)
            for number in fetched.keys() & self._sought:
                polled[number] = [log_record(record) for record in fetched[number]]
            if polled:
                await self._look()
        except OffsetOutOfRange:
            await self._look()  # of a topic made anew, that says more
            raise
        except BaseException:
            self._sought.clear()  # what was taken and is not returned is read again
            raise
        for number, records in polled.items():
            self._next_offsets[number] = records[-1].offset + 1
        return polled

    async def pause(self, partitions: frozenset[int]) -> None:
        """See ``LogReader.pause``."""
        self._paused = partitions

    async def position(self, partition: int) -> int:
        """See ``LogReader.position``."""
        if partition not in self._next_offsets:
            raise OwnershipLost(f"partition {partition} was given to another reader")
        if partition not in self._sought:
            return self._next_offsets[partition]
        async with bounded(self._call_seconds, "tell a position"):
            return int(await self._consumer.position(self._place(partition)))

    async def start_offsets(self) -> Mapping[int, int]:
        """See ``LogReader.start_offsets``."""
        return await self._ask(self._consumer.beginning_offsets)

    async def end_offsets(self) -> Mapping[int, int]:
        """See ``LogReader.end_offsets``; up to the first transaction that is still open."""
        return await self._ask(self._consumer.end_offsets)

    async def reached(self, partition: int, offset: int) -> None:
        """See ``LogReader.reached``: commits in the background, every now and then."""
        if self._group is not None and not self._closed:
            self._commits.note(self._place(partition), offset)

    async def close(self) -> None:
        """See ``LogReader.close``: leaves the group, so that others take over at once."""
        if self._closed:
            return
        self._closed = True
        await self._commits.finish()
        await close_quietly(self._consumer.stop(), CLOSE_SECONDS)
        await self._topic.close()

    def _check_open(self) -> None:
        if self._closed:
            raise LogUnavailable("the log is closed")

    def _place(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)

    def _return_to_positions(self) -> None:
        """Begin again where the last poll ended, wherever the client has got to."""
        given = self.assigned
        for number in self._next_offsets.keys() - given:
            del self._next_offsets[number]
        for number in self._next_offsets.keys() - self._sought:
            try:
                self._consumer.seek(self._place(number), self._next_offsets[number])
            except KafkaError:
                continue  # it was given to another reader in this very moment
            self._sought.add(number)
        staying = [number for number in self._turns if number in self._sought]
        self._turns = deque([*staying, *sorted(self._sought.difference(staying))])

    async def _fetch(
        self, max_records: int, timeout_seconds: float
    ) -> Mapping[int, Sequence[ConsumerRecord]]:
        """Return what is there, one partition after the other in turn, or wait for something."""
        self._turns.rotate(-1)
        wanted = [number for number in self._turns if number not in self._paused]
        fetched: dict[int, Sequence[ConsumerRecord]] = {}
        records_left, bytes_left = max_records, POLL_BYTES
        for number in wanted:
            records = await self._take_one(number, records_left, none_yet=not fetched)
            if records:
                fetched[number] = records
                records_left -= len(records)
                bytes_left -= sum(len(record.value or b"") for record in records)
            if records_left <= 0 or bytes_left <= 0:
                break
        return fetched or await self._wait(wanted, max_records, timeout_seconds)

    async def _take_one(
        self, partition: int, max_records: int, *, none_yet: bool
    ) -> Sequence[ConsumerRecord]:
        place = self._place(partition)
        try:
            taken = await self._consumer.getmany(place, max_records=max_records)
            return list(taken.get(place, ()))
        except NoOffsetForPartitionError:
            return ()  # of before it was sought
        except (OffsetOutOfRangeError, CorruptRecordException) as error:
            if none_yet:
                raise told(error) from error
            return ()  # a later poll meets it again

    async def _wait(
        self, wanted: Sequence[int], max_records: int, timeout_seconds: float
    ) -> Mapping[int, Sequence[ConsumerRecord]]:
        if self._group is None and not wanted:
            await asyncio.sleep(timeout_seconds)
            return {}
        # A member of a group that stops asking is thrown out; so it asks for nothing.
        places = [self._place(number) for number in wanted or [_NO_PARTITION]]
        try:
            taken = await self._consumer.getmany(
                *places, timeout_ms=int(timeout_seconds * _MILLISECONDS), max_records=max_records
            )
        except NoOffsetForPartitionError:
            return {}
        except (OffsetOutOfRangeError, CorruptRecordException) as error:
            raise told(error) from error
        return {place.partition: records for place, records in taken.items()}

    async def _look(self) -> Mapping[int, PartitionState]:
        """Return the partitions, sure that all that was read is of the log that was opened."""
        state = await self._topic.look()
        if state.log_id != self._log_id:
            raise LogReplaced(
                f"the topic {self.topic} was made anew ({self._log_id} is now {state.log_id}); "
                "what of the former one was not classified is gone"
            )
        return state.partitions

    async def _ask(
        self, ask: Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
    ) -> Mapping[int, int]:
        self._check_open()
        places = [self._place(number) for number in sorted(await self._look())]
        async with bounded(self._call_seconds, "tell its offsets"):
            offsets = await ask(places)
        return {place.partition: offsets[place] for place in places}

    async def _bounds(self) -> Mapping[int, Bounds]:
        starts, ends = await self.start_offsets(), await self.end_offsets()
        return {number: Bounds(starts[number], ends[number]) for number in starts.keys() & ends}
