"""Offsets told to the consumer group: for tools that show its lag, never to read on from."""

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

COMMIT_SECONDS: Final = 1.0
"""How much later tools see it, and how long the last commit may take."""


class GroupCommits:
    """Commits in the background what its reader notes; whatever fails is forgotten."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._reached: dict[TopicPartition, int] = {}
        self._waiting: asyncio.Task[None] | None = None
        self._committing: set[asyncio.Task[None]] = set()

    def note(self, place: TopicPartition, offset: int) -> None:
        """Let the group know soon that everything before *offset* is done."""
        self._reached[place] = offset
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.get_running_loop().create_task(self._commit_later())

    async def finish(self) -> None:
        """Commit what is left; bounded in time."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait([self._waiting])
            await self._commit()

    async def _commit_later(self) -> None:
        await asyncio.sleep(COMMIT_SECONDS)
        await self._commit()

    async def _commit(self) -> None:
        """Commit, and wait a moment for the answer, which may come later or never.

        The client's own task goes on when it is not waited for any more; nobody cancels it, and
        somebody has to hear what it has to say.
        """
        reached, self._reached = self._reached, {}
        given = self._consumer.assignment()
        if offsets := {place: offset for place, offset in reached.items() if place in given}:
            task = asyncio.get_running_loop().create_task(self._consumer.commit(offsets))
            self._committing.add(task)
            task.add_done_callback(self._heard)
            await asyncio.wait([task], timeout=COMMIT_SECONDS)

    def _heard(self, task: "asyncio.Task[None]") -> None:
        self._committing.discard(task)
        if not task.cancelled():
            task.exception()
