"""The log on Apache Kafka: the side that ingest uses, and the one that a classifier uses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer

from shared.log.kafka_connection import KafkaAddress, bounded, close_quietly
from shared.log.kafka_reader import KafkaReader, consumer_options
from shared.log.kafka_topic import KafkaTopic
from shared.log.kafka_writer import APPEND_TIMEOUT_SECONDS, QUEUE_BYTES, KafkaWriter


@asynccontextmanager
async def open_kafka_writer(
    address: KafkaAddress,
    topic: str,
    *,
    queue_bytes: int = QUEUE_BYTES,
    append_timeout_seconds: float = APPEND_TIMEOUT_SECONDS,
) -> AsyncIterator[KafkaWriter]:
    """Yield a writer at once, whether or not Kafka can be reached; it goes on looking for it.

    Args:
        address: The cluster.
        topic: What is appended to.
        queue_bytes: How much may wait for its answer.
        append_timeout_seconds: How long an append waits to become durable.

    Raises:
        SetupError: a certificate cannot be read.
    """
    writer = KafkaWriter(
        address, topic, queue_bytes=queue_bytes, append_timeout_seconds=append_timeout_seconds
    )
    try:
        yield writer
    finally:
        await writer.close()


@asynccontextmanager
async def open_kafka_reader(
    address: KafkaAddress, topic: str, *, group: str | None
) -> AsyncIterator[KafkaReader]:
    """Yield a reader of *topic*; closing leaves the group.

    Args:
        address: The cluster.
        topic: What is read.
        group: The consumer group that shares the partitions out; None for all of them.

    Raises:
        LogUnavailable: Kafka cannot be reached, or has no such topic.
        SetupError: a certificate cannot be read.
    """
    async with KafkaTopic(address, topic) as looking:
        state = await looking.look()
        consumer = AIOKafkaConsumer(**consumer_options(address, group))
        try:
            async with bounded(address.call_seconds, "take a consumer"):
                await consumer.start()
                await asyncio.sleep(0)  # a client that is stopped before its tasks began chokes
        except BaseException:
            await close_quietly(consumer.stop())
            raise
        reader = KafkaReader(address, consumer, looking, log_id=state.log_id, group=group)
        try:
            yield reader
        finally:
            await reader.close()
