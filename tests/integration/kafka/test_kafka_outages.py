"""Appending while Kafka is absent, frozen, killed, or has too few copies."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from deploy.kafka.brokers import Broker, Cluster
from shared.errors import LogUnavailable
from shared.log.kafka import open_kafka_reader, open_kafka_writer
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_settings import KafkaSettings
from shared.log.kafka_writer import KafkaWriter
from shared.log.port import Entry
from tests.contract.logs import given, read_records, seek_to_start
from tests.eventually import eventually
from tests.kafka import KafkaForTests

QUICK = KafkaSettings(request_timeout=1, session_timeout=6)


class Sender:
    """Appends numbered records, and keeps what it was told of each."""

    def __init__(self, writer: KafkaWriter) -> None:
        self.writer = writer
        self.sent = 0
        self.confirmed: set[bytes] = set()

    async def send(self, records: int = 5) -> bool:
        """Append *records*; return whether they were confirmed, which must become clear soon."""
        values = [b"%d" % (self.sent + number) for number in range(records)]
        self.sent += records
        entries = [Entry(b"key-%d" % number, value) for number, value in enumerate(values)]
        try:
            async with asyncio.timeout(30):
                await self.writer.append(entries)
        except LogUnavailable:
            return False
        self.confirmed.update(values)
        return True


async def test_a_writer_survives_a_broker_that_is_absent_frozen_and_killed(
    broker: Cluster,
) -> None:
    (node,) = broker.brokers
    topic = await KafkaForTests(broker.bootstrap).new_topic(2)
    node.stop()
    address = KafkaAddress(broker.bootstrap, QUICK, "test")
    async with open_kafka_writer(address, topic, append_timeout_seconds=2) as writer:
        sender = Sender(writer)
        assert not await sender.send()
        assert await writer.check() is not None
        await _start(node)
        await eventually(sender.send)
        assert await writer.check() is None

        node.freeze()
        assert not await sender.send()
        assert await writer.check() is not None
        node.thaw()
        await eventually(sender.send)

        node.kill()
        assert not await sender.send()
        await _start(node)
        await eventually(sender.send)
        assert await writer.check() is None
    await _all_confirmed_are_there(address, topic, sender)
    await _closes_while_frozen(node, address, topic)


async def _closes_while_frozen(node: Broker, address: KafkaAddress, topic: str) -> None:
    """Close both sides while nothing answers, in the time in which a service promises to stop."""
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(open_kafka_writer(address, topic))
        reader = await stack.enter_async_context(open_kafka_reader(address, topic, group=topic))
        await given(reader)
        await reader.reached(0, 0)
        node.freeze()
        appending = asyncio.create_task(writer.append([Entry(b"k", b"v")]))
        await asyncio.sleep(0)
        async with asyncio.timeout(25):
            await stack.aclose()
        with pytest.raises(LogUnavailable):
            await appending


async def test_a_cluster_confirms_while_enough_copies_are_in_step_and_not_beyond(
    three_brokers: Cluster,
) -> None:
    first, second, _ = three_brokers.brokers
    topic = await KafkaForTests(three_brokers.bootstrap, copies=3).new_topic(3)
    address = KafkaAddress(three_brokers.bootstrap, QUICK, "test")
    async with open_kafka_writer(address, topic, append_timeout_seconds=2) as writer:
        sender = Sender(writer)
        await eventually(sender.send)
        first.kill()
        await eventually(sender.send)
        second.kill()
        await _refused(sender)
        await _start(second)
        await eventually(sender.send)
    await _all_confirmed_are_there(address, topic, sender)


async def _refused(sender: Sender) -> None:
    """Send until nothing is confirmed any more: one copy of two that must be in step is left."""

    async def refused() -> bool:
        return not await sender.send()

    await eventually(refused)
    assert not await sender.send()


async def _start(node: Broker) -> None:
    node.start()  # here, for a broker dies with the thread that started it
    await asyncio.to_thread(node.wait_until_ready)


async def _all_confirmed_are_there(address: KafkaAddress, topic: str, sender: Sender) -> None:
    async with open_kafka_reader(address, topic, group=None) as reader:
        await seek_to_start(reader)
        ends = await reader.end_offsets()
        records = await read_records(reader, sum(ends.values()))
    assert sender.confirmed <= {record.value for record in records}
    assert len(sender.confirmed) >= 10
