"""What the outbox holds reaches its topic: all of it, in order, with stable ids."""

from collections import defaultdict

import msgspec
import pytest

from services.classifier.publishing import Publisher
from services.classifier.relaying import Relay
from shared.errors import LogUnavailable
from shared.instants import DAY
from shared.log.kafka import open_kafka_reader, open_kafka_writer
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_settings import KafkaSettings
from shared.log.port import LogRecord
from tests.contract.logs import read_records, seek_to_start
from tests.fixtures.classification import START, Classifier, Sent
from tests.kafka import KafkaForTests


class Event(msgspec.Struct):
    """A CloudEvent as a reader of the topic takes it."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    sequence: str
    data: dict[str, object]
    subject: str | None = None


def event_of(record: LogRecord) -> Event:
    return msgspec.json.decode(record.value, type=Event)


async def test_every_message_is_relayed_in_order_and_again_if_nobody_confirmed(
    classifier: Classifier, kafka: KafkaForTests
) -> None:
    for number in range(12):
        buys = Sent(
            f"order-{number}",
            (f"user_id:u_{number % 4}",),
            at=START + number * DAY,
            type="order_completed",
            properties={"order_id": f"{number}", "value": 10.0},
        )
        await classifier.feed(buys)
    published = await Publisher(classifier.engine, lambda: classifier.now).publish()
    assert published > 8
    told = await classifier.outbox()

    topic = await kafka.new_topic(3)
    address = KafkaAddress(kafka.bootstrap, KafkaSettings(), "test")
    missing = open_kafka_writer(address, f"{topic}-missing", append_timeout_seconds=0.3)
    async with missing as nowhere:
        with pytest.raises(LogUnavailable):
            await Relay(classifier.engine, nowhere, lambda: classifier.now).relay()
    async with open_kafka_writer(address, topic, append_timeout_seconds=20) as writer:
        relay = Relay(classifier.engine, writer, lambda: classifier.now)
        assert await relay.relay() == published
        assert await relay.relay() == 0
        await classifier.execute("UPDATE outbox SET relayed_at = NULL WHERE seq <= 3")
        assert await relay.relay() == 3
    async with open_kafka_reader(address, topic, group=None) as reader:
        await seek_to_start(reader)
        records = await read_records(reader, published + 3)

    by_id = {event_of(record).id: event_of(record) for record in records}
    assert sorted(by_id, key=int) == [str(seq) for seq in range(1, published + 1)]
    for seq, (kind, data) in enumerate(told, 1):
        event = by_id[str(seq)]
        assert (event.type, event.data) == (f"journeyline.{kind}", data)
    by_customer: defaultdict[str | None, list[int]] = defaultdict(list)
    for record in records:
        event = event_of(record)
        assert record.key.decode() == event.subject
        by_customer[event.subject].append(int(event.sequence))
    assert len(by_customer) == 4
    for sequence in by_customer.values():
        first = list(dict.fromkeys(sequence))  # without what was sent again
        assert first == sorted(first)
