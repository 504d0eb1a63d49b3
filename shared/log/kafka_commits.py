"""Offsets told to the consumer group: for tools that show its lag, never to read on from."""

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from shared.log.kafka_connection import close_quietly

COMMIT_SECONDS: Final = 1.0
"""How much later tools see it, and how long the last commit may take."""


class GroupCommits:
    """Commits in the background what its reader notes; whatever fails is forgotten."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._reached: dict[TopicPartition, int] = {}
        self._committing: asyncio.Task[None] | None = None

    def note(self, place: TopicPartition, offset: int) -> None:
        """Let the group know soon that everything before *offset* is done."""
        self._reached[place] = offset
        if self._committing is None or self._committing.done():
            self._committing = asyncio.get_running_loop().create_task(self._commit_later())

    async def finish(self) -> None:
        """Commit what is left; bounded in time."""
        if self._committing is not None:
            self._committing.cancel()
            await asyncio.wait([self._committing])
            await close_quietly(self._commit(), COMMIT_SECONDS)

    async def _commit_later(self) -> None:
        await asyncio.sleep(COMMIT_SECONDS)
        await close_quietly(self._commit())

    async def _commit(self) -> None:
        reached, self._reached = self._reached, {}
        given = self._consumer.assignment()
        if offsets := {place: offset for place, offset in reached.items() if place in given}:
            await self._consumer.commit(offsets)
