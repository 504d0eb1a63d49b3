"""Whether a topic keeps what it confirms, and topics that do, made where there are none."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.errors import LogUnavailable, SetupError
from shared.log.kafka_connection import KafkaAddress, bounded, close_quietly
from shared.log.kafka_producer import BATCH_BYTES
from shared.log.kafka_topic import KafkaTopic, TopicState

log = structlog.get_logger()

_RETRY_SECONDS: Final = 5.0

RETENTION_MILLISECONDS: Final = 7 * 24 * 3_600 * 1_000
COPIES: Final = 3
IN_SYNC: Final = 2
MAX_MESSAGE_BYTES: Final = BATCH_BYTES + 12
"""Kafka's own default: a mebibyte and the head of a batch."""


async def check_topic(address: KafkaAddress, topic: str) -> None:
    """Look whether *topic* keeps what it confirms, and say what does not.

    Raises:
        SetupError: the profile is ``production`` and the topic is not fit; says all that is wrong.
        LogUnavailable: Kafka cannot be asked.
    """
    _, faults = await look_at(address, topic)
    if faults and address.settings.profile == "production":
        raise SetupError(f"the topic {topic} is not fit for production: {'; '.join(faults)}")
    for fault in faults:
        log.warning("topic_unfit_for_production", topic=topic, fault=fault)


async def look_at(address: KafkaAddress, topic: str) -> tuple[int, Sequence[str]]:
    """Return how many partitions *topic* has, and what lets it lose or refuse records.

    Raises:
        LogUnavailable: Kafka cannot be asked.
    """
    async with KafkaTopic(address, topic) as looking:
        state = await looking.look()
    return len(state.partitions), topic_faults(state, await settings_of(address, topic))


def topic_faults(state: TopicState, settings: Mapping[str, str]) -> Sequence[str]:
    """Return what lets a topic lose, or refuse, records; each with what would be right."""
    fewest = min((len(each.copies) for each in state.partitions.values()), default=0)
    retention = int(settings.get("retention.ms", "-1"))
    faults = {
        f"it has {fewest} copies; {COPIES} survive a broken broker": fewest < COPIES,
        f"min.insync.replicas should be {IN_SYNC} or more": (
            int(settings.get("min.insync.replicas", "1")) < IN_SYNC
        ),
        "unclean.leader.election.enable should be false": (
            settings.get("unclean.leader.election.enable") == "true"
        ),
        f"retention.ms should be {RETENTION_MILLISECONDS} or more, or -1": (
            0 <= retention < RETENTION_MILLISECONDS
        ),
        f"max.message.bytes should be {MAX_MESSAGE_BYTES} or more": (
            int(settings.get("max.message.bytes", MAX_MESSAGE_BYTES)) < BATCH_BYTES
        ),
        "cleanup.policy should be delete": settings.get("cleanup.policy", "delete") != "delete",
    }
    return [fault for fault, holds in faults.items() if holds]


async def preflight(address: KafkaAddress, topic: str, stopping: asyncio.Event) -> None:
    """Check *topic* as soon as Kafka can be asked, or return when *stopping* is set.

    Raises:
        SetupError: the profile is ``production`` and the topic is not fit; says all that is wrong.
    """
    while not stopping.is_set():
        try:
            await check_topic(address, topic)
        except LogUnavailable as error:
            log.warning("topic_not_checked_yet", topic=topic, why=error.message)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _RETRY_SECONDS)
        else:
            return


async def ensure_topics(address: KafkaAddress, topics: Sequence[str]) -> Sequence[str]:
    """Make those of *topics* that are missing, and return their names.

    Where the profile is ``development``, they get no more copies than there are brokers.

    Raises:
        SetupError: Kafka refuses to make one; says why.
        LogUnavailable: Kafka cannot be reached.
    """
    made: list[str] = []
    async with _admin(address) as admin:
        cluster = await admin.describe_cluster()
        copies = address.settings.replication
        if address.settings.profile == "development":
            copies = min(copies, len(cluster["brokers"]))
        settings = {
            "cleanup.policy": "delete",
            "max.message.bytes": str(MAX_MESSAGE_BYTES),
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(min(IN_SYNC, max(1, copies - 1))),
            "retention.ms": str(RETENTION_MILLISECONDS),
            "unclean.leader.election.enable": "false",
        }
        for topic in topics:
            wanted = NewTopic(topic, address.settings.partitions, copies, topic_configs=settings)
            answer = await admin.create_topics([wanted])
            [(_, code, why)] = answer.topic_errors
            if not code:
                made.append(topic)
            elif for_code(code) is not TopicAlreadyExistsError:
                raise SetupError(
                    f"Kafka does not make the topic {topic}: {why or for_code(code).__name__}; "
                    "KAFKA_PARTITIONS and KAFKA_REPLICATION say what is asked for"
                )
    return made


async def settings_of(address: KafkaAddress, topic: str) -> Mapping[str, str]:
    """Return the settings of *topic*, also those that it has from its brokers.

    Raises:
        LogUnavailable: Kafka cannot be asked, or has no such topic.
    """
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    async with _admin(address) as admin:
        [answer] = await admin.describe_configs([resource])
    [(code, why, _, _, entries)] = answer.resources
    if code:
        raise LogUnavailable(f"Kafka does not tell the settings of {topic}: {why}")
    return {name: value for name, value, *_ in entries if value is not None}


@asynccontextmanager
async def _admin(address: KafkaAddress) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**address.options())
    try:
        async with bounded(4 * address.call_seconds, "answer questions about topics"):
            await admin.start()
            yield admin
    finally:
        await close_quietly(admin.close())
