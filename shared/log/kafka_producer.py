"""The producer under supervision: started as often as it takes, replaced when it may be stuck.

Idempotence is off on purpose: with it, a batch that expires without a leader leaves a gap in the
sequence numbers, and its partition takes nothing more until the process is restarted. Sending
again may double a record instead; the classifier finds doubles by their event ids.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from shared.log.kafka_connection import KafkaAddress, bounded, close_quietly, reason
from shared.metrics import KAFKA_PRODUCER_REBUILDS, KAFKA_PRODUCER_UP

log = structlog.get_logger()

BATCH_BYTES: Final = 1 << 20
"""The largest batch, and so the largest record; a topic's ``max.message.bytes`` is no smaller."""

_RETRY_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
_CHECK_SECONDS: Final = 1.5


def producer_options(address: KafkaAddress) -> dict[str, object]:
    """Return what the producer is made with; every default that is not safe is set here."""
    return {
        **address.options(),
        "acks": "all",
        "enable_idempotence": False,
        "linger_ms": 0,
        "max_batch_size": BATCH_BYTES,
        "max_request_size": BATCH_BYTES,
        "retry_backoff_ms": 100,
    }


class SupervisedProducer:
    """Keeps a producer for one topic at hand.

    Args:
        address: The cluster.
        topic: What is appended to.
        on_ready: Called when there is a producer, the first one or a new one.
    """

    def __init__(self, address: KafkaAddress, topic: str, on_ready: Callable[[], None]) -> None:
        self._options = producer_options(address)
        self._call_seconds = address.call_seconds
        self._topic = topic
        self._on_ready = on_ready
        self._current: AIOKafkaProducer | None = None
        self._trouble: str | None = "Kafka was not reached yet"
        self._connecting: asyncio.Task[None] | None = None
        self._retired: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def current(self) -> AIOKafkaProducer | None:
        """The producer; None while there is none."""
        return self._current

    @property
    def trouble(self) -> str | None:
        """Why there is no producer, or what its last batch met."""
        return self._trouble

    @property
    def partitions(self) -> int:
        """How many partitions the topic has, as far as is known."""
        if self._current is None:
            return 0
        return len(self._current.client.cluster.partitions_for_topic(self._topic) or ())

    def connect(self) -> None:
        """Begin to look for Kafka, until there is a producer or this is closed."""
        if self._connecting is None and not self._closed:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add_done_callback(self._connected)

    def replace(self, why: str) -> None:
        """Give up the producer, which may be stuck, and begin to make another one."""
        retired, self._current = self._current, None
        if retired is None:
            return
        log.warning("kafka_producer_replaced", topic=self._topic, why=why)
        KAFKA_PRODUCER_REBUILDS.inc()
        KAFKA_PRODUCER_UP.set(0)
        self._trouble = why
        closing = asyncio.get_running_loop().create_task(close_quietly(retired.stop()))
        self._retired.add(closing)
        closing.add_done_callback(self._retired.discard)
        self.connect()

    def note_success(self) -> None:
        """Note that a batch was confirmed."""
        self._trouble = None

    def note_failure(self, error: BaseException, why: str) -> None:
        """Note what a batch met; the producer is replaced unless that passes by itself."""
        self._trouble = why
        if not isinstance(error, KafkaError) or not (error.retriable or isinstance(error, _ITS)):
            self.replace(why)

    async def check(self) -> str | None:
        """Return None if Kafka answers and every partition has a leader, else what is wrong."""
        if self._current is None:
            return self._trouble
        client = self._current.client
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                answered = await client.force_metadata_update()
        except TimeoutError:
            return f"Kafka has not answered for {_CHECK_SECONDS:g} s"
        if not answered:
            return "Kafka cannot be reached"
        known = client.cluster.partitions_for_topic(self._topic) or set()
        led = client.cluster.available_partitions_for_topic(self._topic) or set()
        if not known:
            return f"Kafka has no topic {self._topic}; `journeyline migrate` makes it"
        if missing := sorted(known - led):
            return f"partitions without a leader in Kafka: {missing}"
        return self._trouble

    async def close(self) -> None:
        """Close everything; bounded in time."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._current is not None:
            await close_quietly(self._current.stop())
            self._current = None
        if self._retired:
            await asyncio.wait(self._retired)

    def _connected(self, task: "asyncio.Task[None]") -> None:
        self._connecting = None
        if not task.cancelled() and task.exception() is None:
            self._on_ready()

    async def _connect(self) -> None:
        failures = 0
        while self._current is None:
            try:
                self._current = await self._start()
            except Exception as error:  # noqa: BLE001 - whatever it is, giving up helps nobody
                self._trouble = reason(error)
                log.warning("kafka_unreachable", topic=self._topic, why=self._trouble)
                await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
                failures += 1
        self._trouble = None
        KAFKA_PRODUCER_UP.set(1)

    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(**self._options)
        try:
            async with bounded(self._call_seconds, f"take a producer of {self._topic}"):
                await producer.start()
                await producer.partitions_for(self._topic)
        except BaseException:
            await close_quietly(producer.stop())
            raise
        return producer


_ITS: Final = (
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
"""What Kafka says of the topic or a record: another producer would hear the same."""
