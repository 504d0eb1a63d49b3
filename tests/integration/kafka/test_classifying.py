"""A classifier over Kafka where it is taken over, meets gaps and lost records, or waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.structs import TopicPartition

from services.classifier.app import Classifier as ClassifierProcess
from services.classifier.app import build_classifier
from services.classifier.service import ClassifierService
from shared.clock import wall_clock
from shared.errors import DatabaseUnavailable
from shared.instants import SECOND
from shared.log.kafka import open_kafka_reader, open_kafka_writer
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_settings import KafkaSettings
from shared.log.port import Entry, LogReader
from shared.storage.watermark import load_watermark
from shared.upkeep.transactions import transaction
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.fixtures.classification import Classifier, Sent
from tests.kafka import KafkaForTests

QUICK = KafkaSettings(session_timeout=6)


class Stage:
    """A topic, the database, and the processes that a test lets run."""

    def __init__(self, kafka: KafkaForTests, database: Classifier, topic: str) -> None:
        self.kafka = kafka
        self.database = database
        self.topic = topic
        self.address = KafkaAddress(kafka.bootstrap, QUICK, "test")

    async def append(self, *sent: Sent) -> None:
        opening = open_kafka_writer(self.address, self.topic, append_timeout_seconds=20)
        async with opening as writer:
            await writer.append([Entry(*item.value()) for item in sent])

    def build(self, reader: LogReader) -> ClassifierProcess:
        return build_classifier(self.database.engine, reader, clock=wall_clock, leave_alone=SECOND)

    def service(self, accepted_log: str | None = None) -> ClassifierService:
        return ClassifierService(
            self.database.engine,
            lambda: open_kafka_reader(self.address, self.topic, group=self.topic),
            self.build,
            accepted_log=accepted_log,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ClassifierProcess]:
        """Run a classifier as a process of its own would."""
        async with open_kafka_reader(self.address, self.topic, group=self.topic) as reader:
            process = self.build(reader)
            async with told_to_stop(process.run):
                yield process

    async def counted(self, **expected: int) -> None:
        """Return once the claims of all partitions add up to *expected*."""

        async def holds() -> bool:
            try:
                return expected.items() <= (await self.counts()).items()
            except DatabaseUnavailable:  # this test's own connection was cut as well
                return False

        try:
            await eventually(holds)
        except TimeoutError:
            assert (await self.counts()) == expected
            raise

    async def counts(self) -> dict[str, int]:
        names = ("stored", "duplicate", "quarantined", "gaps", "next_offset", "partitions")
        columns = ", ".join(f"sum({name})::bigint AS {name}" for name in names[:-1])
        [row] = await self.database.rows(f"SELECT {columns}, count(*) AS partitions FROM claims")  # noqa: S608
        return {name: int(str(row[name] or 0)) for name in names}

    async def watermark(self) -> int | None:
        async with transaction(self.database.engine) as connection:
            return await load_watermark(connection)


@asynccontextmanager
async def told_to_stop(run: object) -> AsyncIterator[None]:
    """Run something that takes an event until the block ends."""
    assert callable(run)
    stopping = asyncio.Event()
    task = asyncio.create_task(run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(task, PATIENCE_SECONDS)


@asynccontextmanager
async def administering(kafka: KafkaForTests) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


def numbered(start: int, end: int) -> list[Sent]:
    return [Sent(f"e{number}", (f"user_id:u{number % 9}",)) for number in range(start, end)]


@pytest.fixture
async def stage(kafka: KafkaForTests, classifier: Classifier) -> Stage:
    return Stage(kafka, classifier, await kafka.new_topic(3))


async def test_classifiers_that_come_and_go_store_everything_once(stage: Stage) -> None:
    sent = 0
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(stage.running())
        for _ in range(3):
            async with stage.running() as second:

                async def shares(process: ClassifierProcess = second) -> bool:
                    return len(process.worker.owned) > 0

                await eventually(shares)
                await stage.append(*numbered(sent, sent + 40), *numbered(0, 1))
                sent += 40
            await stage.append(*numbered(sent, sent + 40))
            sent += 40
        await stage.counted(stored=sent, duplicate=3, gaps=0)
        claims = await stage.database.rows("SELECT sum(epoch) AS taken FROM claims")
        assert int(str(claims[0]["taken"])) > 3


async def test_a_claim_that_was_taken_is_left_to_its_owner_and_taken_again_later(
    stage: Stage,
) -> None:
    async with stage.running() as process:

        async def owns_all() -> bool:
            return len(process.worker.owned) == 3

        await eventually(owns_all)
        await stage.database.execute("UPDATE claims SET epoch = epoch + 1")
        await stage.append(*numbered(0, 30))
        await stage.counted(stored=30, duplicate=0)
        await eventually(owns_all)


async def test_offsets_without_records_are_counted_as_gaps_to_the_end(stage: Stage) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=stage.kafka.bootstrap, transactional_id=stage.topic
    ) as producer:
        for item in numbered(0, 5):
            key, value = item.value()
            async with producer.transaction():
                await producer.send_and_wait(stage.topic, value, key=key)
    began = wall_clock()
    async with stage.running():
        await stage.counted(stored=5, gaps=5, next_offset=10)

        async def passed() -> bool:
            return (await stage.watermark() or 0) > began

        await eventually(passed)


async def test_partitions_that_are_added_are_read_and_hold_the_watermark_back_until_then(
    stage: Stage,
) -> None:
    async with stage.running():
        await stage.append(*numbered(0, 10))
        await stage.counted(stored=10, partitions=3)
        async with administering(stage.kafka) as client:
            await client.create_partitions({stage.topic: NewPartitions(total_count=5)})
        await stage.append(*numbered(10, 60))
        await stage.counted(stored=60, partitions=5)


async def test_records_that_are_gone_stop_their_partition_and_no_other(stage: Stage) -> None:
    await stage.append(*numbered(0, 30))
    async with stage.running():
        await stage.counted(stored=30)
    await stage.append(*numbered(30, 90))
    async with open_kafka_reader(stage.address, stage.topic, group=None) as reader:
        ends = await reader.end_offsets()
    [claim] = await stage.database.rows("SELECT next_offset FROM claims WHERE partition = 0")
    assert int(str(claim["next_offset"])) < ends[0]
    async with administering(stage.kafka) as client:
        await client.delete_records({TopicPartition(stage.topic, 0): RecordsToDelete(ends[0])})
    async with stage.running() as process:
        lost = ends[0] - int(str(claim["next_offset"]))
        await stage.counted(stored=90 - lost)
        assert set(process.worker.stopped_partitions) == {0}
        trouble = await process.check_progress()
        assert trouble is not None
        assert trouble.startswith("partition 0 is stopped")


async def test_a_topic_made_anew_stops_everything_until_an_operator_has_decided(
    stage: Stage,
) -> None:
    await stage.append(*numbered(0, 20))
    async with stage.running() as process:
        await stage.counted(stored=20)
        await stage.kafka.delete_topic(stage.topic)
        await stage.kafka.make_topic_when_free(stage.topic, 3)
        await stage.append(*numbered(100, 110))

        async def stopped() -> bool:
            return len(process.worker.stopped_partitions) == 3

        await eventually(stopped)
        assert "made anew" in str(await process.check_progress())
    assert (await stage.counts())["stored"] == 20

    service = stage.service()
    async with told_to_stop(service.run):

        async def says_so() -> bool:
            return "CLASSIFIER_ACCEPT_LOG" in str(await service.checks["classifier"]())

        await eventually(says_so)
    assert (await stage.counts())["stored"] == 20

    async with open_kafka_reader(stage.address, stage.topic, group=None) as reader:
        decided = stage.service(accepted_log=reader.log_id)
    began = wall_clock()
    async with told_to_stop(decided.run):
        await stage.counted(stored=30)

        async def passed() -> bool:
            return (await stage.watermark() or 0) > began

        await eventually(passed)


async def test_an_outage_of_the_database_is_waited_out_without_leaving_the_group(
    stage: Stage,
) -> None:
    async with stage.running() as process:
        await stage.append(*numbered(0, 10))
        await stage.counted(stored=10)
        owned = process.worker.owned
        async with transaction(stage.database.engine) as connection:
            await connection.execute("LOCK TABLE claims")
            await stage.append(*numbered(10, 30))

            async def waits() -> bool:
                await connection.execute("SELECT")  # a transaction that idles is ended
                return "waits" in str(process.worker.trouble)

            await eventually(waits)
            assert process.worker.idle(wall_clock()) < 30 * SECOND
        await stage.counted(stored=30, duplicate=0)
        assert process.worker.owned == owned
