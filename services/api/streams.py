"""Streams: the feed as server-sent events, for as long as the reader stays.

Every stream reads one slice at a time and reads the next only when the last one is written out, so
a slow reader holds one slice in memory and nothing else. All streams of a process share one look
at how far the feed reaches, and what they read there.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final

from services.api.cursors import Cursors
from services.api.databases import Databases
from services.api.feed import FeedSlice
from services.api.feed_slices import SharedSlice, SharedSlices
from services.api.readers.feed import read_feed_bounds
from shared.errors import Overloaded, PermanentError, RetryableError
from shared.metrics import API_STREAMS

MOST_STREAMS: Final = 500
LOOK_SECONDS: Final = 0.2
HEARTBEAT_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 1.0

_GREETING: Final = b"retry: 3000\n: connected\n\n"
_HEARTBEAT: Final = b": still here\n\n"
_WAITING: Final = b": waits for the database\n\n"


class Streams:
    """The streams of one process.

    Args:
        databases: What they read.
        stopping: Ends them all when it is set.
        heartbeat_seconds: The longest silence; as often it is asked whether the reader still may.
        most: How many may be open at once.
    """

    def __init__(
        self,
        databases: Databases,
        stopping: asyncio.Event,
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        most: int = MOST_STREAMS,
    ) -> None:
        self._databases = databases
        self._slices = SharedSlices(databases)
        self._stopping = stopping
        self._heartbeat = heartbeat_seconds
        self._most = most
        self._open = 0
        self._published = 0
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    def require_room(self) -> None:
        """Refuse one more stream if this process has as many as it may.

        Raises:
            Overloaded: it has.
        """
        if self._open >= self._most:
            raise Overloaded(f"{self._most} streams are open here already: try again in a moment")

    async def slice_behind(self, seq: int) -> SharedSlice:
        """Return what comes behind *seq*, as it was read for whoever asked last."""
        return await self._slices.behind(seq)

    async def events(
        self, first: SharedSlice, cursors: Cursors, check: Callable[[], Awaitable[object]]
    ) -> AsyncGenerator[bytes]:
        """Yield *first* and all that comes behind it, as ``text/event-stream``.

        Args:
            first: What was read before the answer began.
            cursors: Seal the ids of events.
            check: Raises when the reader may no longer read; the stream ends then.
        """
        with self._counted():
            async for part in self._parts(first, cursors, check):
                yield part

    @contextmanager
    def _counted(self) -> Generator[None]:
        self._open += 1
        API_STREAMS.set(self._open)
        try:
            yield
        finally:
            self._open -= 1
            API_STREAMS.set(self._open)

    async def _parts(
        self, first: SharedSlice, cursors: Cursors, check: Callable[[], Awaitable[object]]
    ) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        yield _GREETING
        current, said_at = first, loop.time()
        while not self._stopping.is_set():
            if text := current.text(cursors):
                yield text
            if loop.time() - said_at >= self._heartbeat:
                if not await _holds(check):
                    return
                yield _HEARTBEAT
                said_at = loop.time()
            try:
                if not current.slice.more:
                    await self._grown_beyond(current.slice.reached, said_at + self._heartbeat)
                current = await self.slice_behind(current.slice.reached)
            except RetryableError:
                yield _WAITING
                await self._pause(RETRY_SECONDS)
                current = SharedSlice(FeedSlice([], current.slice.reached, more=False))

    async def _grown_beyond(self, seq: int, until: float) -> None:
        """Return when the feed reaches beyond *seq*, at *until* by the loop's clock, or at the end.

        Whoever waits longest looks, for all who wait.
        """
        loop = asyncio.get_running_loop()
        while self._published <= seq and loop.time() < until and not self._stopping.is_set():
            async with self._looking:
                if loop.time() - self._looked_at >= LOOK_SECONDS:
                    await asyncio.shield(asyncio.ensure_future(self._look()))
            if self._published <= seq:
                await self._pause(min(LOOK_SECONDS, max(until - loop.time(), 0)))

    async def _look(self) -> None:
        async with self._databases.reading() as connection:
            self._published = (await read_feed_bounds(connection)).published
        self._looked_at = asyncio.get_running_loop().time()

    async def _pause(self, seconds: float) -> None:
        """Wait for *seconds*, no longer than this process runs."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


async def _holds(check: Callable[[], Awaitable[object]]) -> bool:
    """Tell whether *check* finds nothing wrong; nothing is wrong while nobody can tell."""
    try:
        await check()
    except RetryableError:
        return True
    except PermanentError:
        return False
    return True
