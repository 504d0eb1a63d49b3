"""How far Kafka's log reaches, for whoever reads nothing of it."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Self

from shared.errors import LogReplaced, LogUnavailable
from shared.log.kafka import open_kafka_reader
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_reader import KafkaReader


class KafkaEnds:
    """Asks for the ends of a topic's partitions; for the tasks of one event loop.

    It connects at the first question, and anew after one that failed.
    """

    def __init__(self, address: KafkaAddress, topic: str) -> None:
        self._address = address
        self._topic = topic
        self._reader: KafkaReader | None = None
        self._stack = AsyncExitStack()
        self._asking = asyncio.Lock()

    async def __call__(self) -> Mapping[int, int]:
        """Return for each partition the offset that its next record will get.

        Raises:
            LogUnavailable: Kafka cannot be reached, or the topic was made anew a moment ago.
        """
        async with self._asking:
            try:
                if self._reader is None:
                    opening = open_kafka_reader(self._address, self._topic, group=None)
                    self._reader = await self._stack.enter_async_context(opening)
                return await self._reader.end_offsets()
            except (LogUnavailable, LogReplaced) as error:
                await self.close()
                raise LogUnavailable(error.message) from error

    async def close(self) -> None:
        """Close the connection; the next question makes another."""
        self._reader = None
        await self._stack.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
