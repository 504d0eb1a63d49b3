"""One Apache Kafka for all tests of a run, whichever process runs them; kept by a ``keepers.py``.

``KAFKA_BOOTSTRAP`` names a cluster to use instead. Each test makes topics of its own.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from deploy.kafka.brokers import Cluster
from deploy.kafka.jars import missing_programs
from tests.keepers import joined, keeping

_GROUPS: Final = {"group.min.session.timeout.ms": "1000"}


@dataclass(frozen=True, slots=True)
class KafkaForTests:
    """A cluster that others use too; what is made in it gets *copies* of everything."""

    bootstrap: str
    copies: int = 1

    async def new_topic(self, partitions: int = 4, **settings: str) -> str:
        """Make a topic that no other test knows, and return its name.

        *settings* are the topic's, with underscores for dots.
        """
        name = f"test-{uuid4().hex}"
        await self.make_topic(name, partitions, **settings)
        return name

    async def make_topic(self, name: str, partitions: int = 4, **settings: str) -> None:
        """Make a topic of that name."""
        dotted = {setting.replace("_", "."): value for setting, value in settings.items()}
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            topic = NewTopic(name, partitions, self.copies, topic_configs=dotted)
            answer = await admin.create_topics([topic])
            for _, code, message in answer.topic_errors:
                if code:
                    raise for_code(code)(message)
            await _until_led(admin, name, partitions)
        finally:
            await admin.close()

    async def ensure_topic(self, name: str) -> None:
        """Make a topic of that name, unless there is one."""
        with suppress(TopicAlreadyExistsError):
            await self.make_topic(name)

    async def make_topic_when_free(self, name: str, partitions: int) -> None:
        """Make a topic in place of one that is being deleted."""
        async with asyncio.timeout(30):
            while True:
                try:
                    return await self.make_topic(name, partitions)
                except TopicAlreadyExistsError:
                    await asyncio.sleep(0.05)

    async def delete_topic(self, name: str) -> None:
        """Delete a topic; its name is free again a moment later."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([name])
        finally:
            await admin.close()


async def _until_led(admin: AIOKafkaAdminClient, topic: str, partitions: int) -> None:
    """Return once clients find all partitions: brokers hear of a new topic a moment later."""
    async with asyncio.timeout(30):
        while True:
            [found] = await admin.describe_topics([topic])
            if sum(each["leader"] >= 0 for each in found["partitions"]) == partitions:
                return
            await asyncio.sleep(0.02)


def why_no_kafka() -> str | None:
    """Return None if tests have a Kafka, else what is missing."""
    return None if "KAFKA_BOOTSTRAP" in os.environ else missing_programs()


@contextmanager
def joined_kafka(folder: Path) -> Generator[KafkaForTests]:
    """Use the broker of *folder*, which the first user starts and none of them has to stop."""
    if bootstrap := os.environ.get("KAFKA_BOOTSTRAP"):
        yield KafkaForTests(bootstrap)
        return
    with joined("tests.kafka", folder) as said:
        yield KafkaForTests(said["bootstrap"])


@contextmanager
def own_cluster(
    folder: Path, *, size: int = 1, prepared: Cluster | None = None
) -> Generator[Cluster]:
    """Run brokers of one test's own, to be killed and frozen at will.

    *prepared* is a cluster that has more than plain listeners. Not to be used in a passing thread.
    """
    cluster = prepared or Cluster(folder, size=size, settings=_GROUPS)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.end()


def _keep(folder: Path) -> None:
    with (
        keeping(folder) as serve,
        tempfile.TemporaryDirectory(prefix="journeyline-kafka-") as home,
        own_cluster(Path(home)) as cluster,
    ):
        serve({"bootstrap": cluster.bootstrap})


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))
