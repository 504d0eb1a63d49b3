"""Reading from Kafka where it gives, takes away, leaves gaps, and forgets."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.structs import TopicPartition

from deploy.kafka.jars import bring_jars
from shared.errors import LogReplaced, LogUnavailable, OffsetOutOfRange, SetupError
from shared.instants import DAY, HOUR
from shared.log.kafka import open_kafka_reader, open_kafka_writer
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_keeping import keeping_of
from shared.log.kafka_preflight import check_topic, ensure_topics
from shared.log.kafka_reader import KafkaReader
from shared.log.kafka_settings import KafkaSettings
from shared.log.partitioning import partition_of
from shared.log.port import Entry
from tests.contract.logs import given, read_records, seek_to_start
from tests.kafka import KafkaForTests

QUICK = KafkaSettings(session_timeout=6)


def address(kafka: KafkaForTests, settings: KafkaSettings = QUICK) -> KafkaAddress:
    return KafkaAddress(kafka.bootstrap, settings, "test")


async def append(kafka: KafkaForTests, topic: str, *entries: Entry) -> None:
    async with open_kafka_writer(address(kafka), topic, append_timeout_seconds=20) as writer:
        await writer.append(entries)


@asynccontextmanager
async def admin(kafka: KafkaForTests) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def read_nothing(reader: KafkaReader) -> None:
    """Poll until the reader objects; it must not give a single record before."""
    async with asyncio.timeout(30):
        while True:
            try:
                assert await reader.poll(max_records=10, timeout_seconds=0.1) == {}
                await reader.end_offsets()
            except LogUnavailable:
                await asyncio.sleep(0.05)


async def test_a_topic_that_is_made_anew_is_noticed_before_anything_of_it_is_given(
    kafka: KafkaForTests,
) -> None:
    topic = await kafka.new_topic(1)
    await append(kafka, topic, Entry(b"k", b"old"))
    async with open_kafka_reader(address(kafka), topic, group=topic) as reader:
        await given(reader)
        await seek_to_start(reader)
        await read_records(reader, 1)
        await kafka.delete_topic(topic)
        await kafka.make_topic_when_free(topic, 1)
        await append(kafka, topic, Entry(b"k", b"new"), Entry(b"k", b"new"))
        with pytest.raises(LogReplaced, match="made anew"):
            await read_nothing(reader)


async def test_records_that_were_deleted_before_they_were_read_are_never_skipped_silently(
    kafka: KafkaForTests,
) -> None:
    topic = await kafka.new_topic(1)
    await append(kafka, topic, *[Entry(b"k", b"%d" % number) for number in range(10)])
    async with open_kafka_reader(address(kafka), topic, group=topic) as reader:
        await given(reader)
        await seek_to_start(reader)
        await reader.seek(0, 3)
        async with admin(kafka) as client:
            await client.delete_records({TopicPartition(topic, 0): RecordsToDelete(7)})
        with pytest.raises(OffsetOutOfRange) as refused:
            await reader.seek(0, 3)
        assert refused.value.partition == 0
        with pytest.raises(OffsetOutOfRange) as refused:
            await read_nothing(reader)
        assert refused.value.partition == 0


async def test_offsets_that_hold_no_record_are_passed_and_told(kafka: KafkaForTests) -> None:
    topic = await kafka.new_topic(1)
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, transactional_id=topic
    ) as producer:
        for number in range(2):
            async with producer.transaction():
                await producer.send_and_wait(topic, b"%d" % number, key=b"k", partition=0)
    async with open_kafka_reader(address(kafka), topic, group=topic) as reader:
        await given(reader)
        await seek_to_start(reader)
        records = await read_records(reader, 2)
        assert [record.offset for record in records] == [0, 2]
        async with asyncio.timeout(30):
            while await reader.position(0) < 4:
                assert await reader.poll(max_records=10, timeout_seconds=0.1) == {}
        assert await reader.end_offsets() == {0: 4}


async def test_readers_of_a_group_share_partitions_and_go_on_where_they_were_sought(
    kafka: KafkaForTests,
) -> None:
    topic = await kafka.new_topic(4)
    entries = [Entry(b"key-%d" % number, b"%d" % number) for number in range(40)]
    await append(kafka, topic, *entries)
    async with open_kafka_reader(address(kafka), topic, group=topic) as first:
        await given(first)
        await seek_to_start(first)
        assert len(await read_records(first, 40)) == 40
        async with (
            asyncio.timeout(60),
            open_kafka_reader(address(kafka), topic, group=topic) as second,
        ):
            while len(first.assigned) + len(second.assigned) != 4 or len(second.assigned) != 2:
                # What was sought stays where it is, through every rebalance.
                assert await first.poll(max_records=100, timeout_seconds=0.05) == {}
                assert await second.poll(max_records=100, timeout_seconds=0.05) == {}
            assert not first.assigned & second.assigned
            lost = min(second.assigned)
            with pytest.raises(LogUnavailable):
                await first.seek(lost, 0)
            await second.seek(lost, 0)
            expected = [e for e in entries if partition_of(e.key, 4) == lost]
            assert len(await read_records(second, len(expected))) == len(expected)
        async with asyncio.timeout(60):
            while len(first.assigned) < 4:  # the other one left, which is told at once
                await first.poll(max_records=100, timeout_seconds=0.05)


async def test_what_the_group_committed_decides_nothing(kafka: KafkaForTests) -> None:
    topic = await kafka.new_topic(1)
    await append(kafka, topic, *[Entry(b"k", b"%d" % number) for number in range(5)])
    async with open_kafka_reader(address(kafka), topic, group=topic) as reader:
        await given(reader)
        await seek_to_start(reader)
        await read_records(reader, 5)
        await reader.reached(0, 5)
    async with open_kafka_reader(address(kafka), topic, group=topic) as reader:
        await given(reader)
        assert await reader.poll(max_records=10, timeout_seconds=0.3) == {}
        await reader.seek(0, 1)
        assert [record.offset for record in await read_records(reader, 4)] == [1, 2, 3, 4]


async def test_partitions_that_are_added_are_given_and_written_to(kafka: KafkaForTests) -> None:
    topic = await kafka.new_topic(1)
    async with open_kafka_reader(address(kafka), topic, group=topic) as reader:
        await given(reader)
        async with admin(kafka) as client:
            await client.create_partitions({topic: NewPartitions(total_count=3)})
        await append(kafka, topic, *[Entry(b"key-%d" % number, b"v") for number in range(30)])
        ends = await reader.end_offsets()
        assert set(ends) == {0, 1, 2}
        assert sum(ends.values()) == 30


async def test_a_reader_without_a_group_has_all_partitions(kafka: KafkaForTests) -> None:
    topic = await kafka.new_topic(2)
    await append(kafka, topic, *[Entry(b"key-%d" % number, b"v") for number in range(10)])
    async with open_kafka_reader(address(kafka), topic, group=None) as reader:
        assert await reader.poll(max_records=10, timeout_seconds=0.01) == {}
        await seek_to_start(reader)
        assert reader.assigned == {0, 1}
        assert len(await read_records(reader, 10)) == 10


async def test_keys_land_where_kafkas_own_producer_puts_them(kafka: KafkaForTests) -> None:
    topic = await kafka.new_topic(12)
    keys = [f"email:person-{number}@example.com" for number in range(60)]
    java = ["java", "-cp", f"{bring_jars()}/*", "org.apache.kafka.tools.ConsoleProducer"]
    options = ["--bootstrap-server", kafka.bootstrap, "--topic", topic]
    properties = ["--property", "parse.key=true", "--property", "key.separator=|"]
    await asyncio.to_thread(
        subprocess.run,
        [*java, *options, *properties],
        input="".join(f"{key}|v\n" for key in keys).encode(),
        check=True,
        capture_output=True,
        timeout=120,
    )
    async with open_kafka_reader(address(kafka), topic, group=None) as reader:
        await seek_to_start(reader)
        records = await read_records(reader, len(keys))
    assert {record.key.decode(): record.partition for record in records} == {
        key: partition_of(key.encode(), 12) for key in keys
    }


async def test_topics_are_made_once_and_a_fragile_one_is_refused_in_production(
    kafka: KafkaForTests,
) -> None:
    name = f"{await kafka.new_topic(1)}-made"
    development = KafkaSettings(partitions=2)
    assert await ensure_topics(address(kafka, development), [name]) == [name]
    assert await ensure_topics(address(kafka, development), [name]) == []
    await check_topic(address(kafka, development), name)
    production = KafkaSettings(profile="production")
    with pytest.raises(SetupError, match="copies"):
        await check_topic(address(kafka, production), name)
    if len(kafka.bootstrap.split(",")) == 1:
        with pytest.raises(SetupError, match="KAFKA_REPLICATION"):
            await ensure_topics(address(kafka, production), [f"{name}-too"])


async def test_a_topic_tells_for_how_long_it_keeps_a_record(kafka: KafkaForTests) -> None:
    name = await kafka.new_topic(1)
    made = f"{name}-kept"
    await ensure_topics(address(kafka, KafkaSettings(partitions=1)), [made])
    keeping = await keeping_of(address(kafka), [made])
    assert keeping.longest == 14 * DAY + HOUR, "a week of segment.ms is Kafka's own default"
    compacted = NewTopic(f"{name}-ever", 1, 1, topic_configs={"cleanup.policy": "compact"})
    async with admin(kafka) as client:
        await client.create_topics([compacted])
    keeping = await keeping_of(address(kafka), [made, compacted.name])
    assert keeping.longest is None
    assert compacted.name in keeping.why
    with pytest.raises(LogUnavailable):
        await keeping_of(address(kafka), [f"{name}-none"])
