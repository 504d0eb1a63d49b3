"""The Kafka that tests and developers run on this machine."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.structs import TopicPartition

from deploy.kafka.brokers import FRONTED, Cluster, Listening, Port, answers
from tests.fixtures.kafka import skip_without_kafka
from tests.fixtures.processes import ROOT, ended, spawn
from tests.kafka import KafkaForTests, own_cluster


async def _append(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value, partition=0)


async def _read(bootstrap: str, topic: str) -> list[bytes]:
    partition = TopicPartition(topic, 0)
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_has_topics_of_its_own_on_the_shared_broker(
    kafka: KafkaForTests, turn: int
) -> None:
    topic = await kafka.new_topic()
    await _append(kafka.bootstrap, topic, b"%d" % turn)
    assert await _read(kafka.bootstrap, topic) == [b"%d" % turn]


async def test_a_broker_is_frozen_and_thawed_killed_and_started_again_and_loses_nothing(
    broker: Cluster,
) -> None:
    (node,) = broker.brokers
    topic = await KafkaForTests(broker.bootstrap).new_topic()
    await _append(broker.bootstrap, topic, b"kept")
    node.freeze()
    assert not answers(node.port, seconds=0.3)
    node.thaw()
    assert answers(node.port, seconds=30)
    node.kill()
    assert not answers(node.port)
    node.start()
    node.wait_until_ready()
    assert await _read(broker.bootstrap, topic) == [b"kept"]


def test_a_broker_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    skip_without_kafka()
    script = (
        "import sys, pathlib; from tests.kafka import own_cluster\n"
        "with own_cluster(pathlib.Path(sys.argv[1])) as cluster:\n"
        "    print(cluster.brokers[0].port, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        assert answers(port)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    within_reach = [answers(port) for _ in range(50)]
    assert not within_reach[-1]


async def test_clients_that_come_through_a_front_are_sent_back_to_it(tmp_path: Path) -> None:
    skip_without_kafka()
    front = Port()
    cluster = Cluster(tmp_path, listening=Listening(fronts=[front.number]))
    with own_cluster(tmp_path, prepared=cluster):
        behind = cluster.brokers[0].node.listeners[FRONTED].number
        assert cluster.addresses(FRONTED) == f"127.0.0.1:{front.number}"
        assert behind != front.number
        client = AIOKafkaClient(bootstrap_servers=f"127.0.0.1:{behind}")
        try:
            await client.bootstrap()
            (met,) = client.cluster.brokers()
            assert met.port == front.number
        finally:
            await client.close()
    front.release()


def test_one_command_starts_a_broker_in_the_background_and_another_stops_it(
    tmp_path: Path,
) -> None:
    skip_without_kafka()
    client, controller = Port(), Port()
    local = [sys.executable, "-m", "deploy.kafka.local"]
    place = ["--data", str(tmp_path / "kafka")]
    ports = ["--port", str(client.number), "--controller-port", str(controller.number)]
    try:
        for said in (f"answers at 127.0.0.1:{client.number}", "runs already"):
            started = ended(spawn([*local, "up", *place, *ports]))
            assert started.code == 0, started.err
            assert said in started.err
        assert answers(client.number)
    finally:
        stopped = ended(spawn([*local, "down", *place]))
        client.release()
        controller.release()
    assert stopped.code == 0, stopped.err
    assert not answers(client.number)
    assert "does not run" in ended(spawn([*local, "down", *place])).err
