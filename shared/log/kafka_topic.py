"""A topic of Kafka as it is: which one exactly, its partitions, their leaders and copies."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Self
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from shared.errors import LogUnavailable
from shared.log.kafka_connection import KafkaAddress, bounded, close_quietly

_API_KEY: Final = 3
_VERSION: Final = 10
_UUID_BYTES: Final = 16
_NO_UUID: Final = bytes(_UUID_BYTES)


@dataclass(frozen=True, slots=True)
class PartitionState:
    """Who holds a partition: node numbers; ``leader`` is -1 while there is none."""

    leader: int
    copies: tuple[int, ...]
    in_sync: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic at one moment; ``log_id`` differs from that of any topic before it of that name."""

    log_id: str
    partitions: Mapping[int, PartitionState]


class _Uuid:
    """The wire form of a UUID: sixteen bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(_UUID_BYTES)

    @classmethod
    def repr(cls, value: bytes) -> str:
        return value.hex()


class _Topics(Response):
    """Metadata, version 10; https://kafka.apache.org/protocol.html#The_Messages_Metadata."""

    API_KEY = _API_KEY
    API_VERSION = _VERSION
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _TopicsAsked(RequestStruct):
    API_KEY = _API_KEY
    API_VERSION = _VERSION
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Topics
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _AskTopics(Request[_TopicsAsked]):
    """Asks in the version that tells a topic's id, which the client itself never asks for."""

    API_KEY = _API_KEY

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_TopicsAsked]) -> _TopicsAsked:
        topics: list[tuple[bytes, str, dict[int, bytes]]]
        topics = [(_NO_UUID, topic, {}) for topic in self._topics]
        return request_struct_class(topics, False, False, False, {})  # noqa: FBT003 - wire order


class KafkaTopic:
    """Looks at one topic over a connection of its own; for the tasks of one event loop."""

    def __init__(self, address: KafkaAddress, topic: str) -> None:
        self.topic = topic
        self._address = address
        self._client: AIOKafkaClient | None = None
        self._connecting = asyncio.Lock()

    async def look(self) -> TopicState:
        """Return the topic as it is now.

        Raises:
            LogUnavailable: Kafka cannot be reached, or there is no such topic; says what to do.
        """
        async with bounded(self._address.call_seconds, f"describe the topic {self.topic}"):
            client = await self._connected()
            answer = await client.send(client.get_random_node(), _AskTopics([self.topic]))
        [(code, _, topic_id, _, partitions, *_)] = answer.topics
        if code:
            raise LogUnavailable(
                f"Kafka has no usable topic {self.topic} ({for_code(code).__name__}); "
                "`journeyline migrate` makes it"
            )
        return TopicState(
            f"{answer.cluster_id}/{UUID(bytes=topic_id)}",
            {
                number: PartitionState(leader, tuple(copies), tuple(in_sync))
                for _, number, leader, _, copies, in_sync, *_ in partitions
            },
        )

    async def close(self) -> None:
        """Close the connection; bounded in time."""
        if self._client is not None:
            await close_quietly(self._client.close())
            self._client = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _connected(self) -> AIOKafkaClient:
        async with self._connecting:
            if self._client is None:
                client = AIOKafkaClient(**self._address.options())
                try:
                    await client.bootstrap()
                except BaseException:
                    await close_quietly(client.close())
                    raise
                self._client = client
            return self._client
