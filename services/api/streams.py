"""Streams: the feed as server-sent events, for as long as the reader stays.

Every stream reads one slice at a time and reads the next only when the last one is written out, so
a slow reader holds one slice in memory and nothing else. All streams of a process share one look
at how far the feed reaches.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec

from services.api.cursors import Cursors
from services.api.databases import Databases
from services.api.feed import FeedItem, FeedSlice, ToldRetraction, read_slice, seal
from services.api.readers.feed import RETRACTION, TRANSITION, read_feed_bounds
from shared.errors import Overloaded, PermanentError, RetryableError
from shared.metrics import API_STREAMS

MOST_STREAMS: Final = 500
SLICE: Final = 100
"""Items read at once; what a reader may have waiting for it here."""
LOOK_SECONDS: Final = 0.2
HEARTBEAT_SECONDS: Final = 10.0
RETRY_SECONDS: Final = 1.0

_GREETING: Final = b"retry: 3000\n: connected\n\n"
_HEARTBEAT: Final = b": still here\n\n"
_WAITING: Final = b": waits for the database\n\n"
_encoder: Final = msgspec.json.Encoder()


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

    async def slice_behind(self, seq: int) -> FeedSlice:
        """Read what comes behind *seq*, to its end even if the reader goes away meanwhile.

        A connection that is given back in the middle of a statement would have to be closed.
        """
        return await asyncio.shield(asyncio.ensure_future(self._slice_behind(seq)))

    async def events(
        self, first: FeedSlice, cursors: Cursors, check: Callable[[], Awaitable[object]]
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
        self, first: FeedSlice, cursors: Cursors, check: Callable[[], Awaitable[object]]
    ) -> AsyncGenerator[bytes]:
        loop = asyncio.get_running_loop()
        yield _GREETING
        current, said_at = first, loop.time()
        while not self._stopping.is_set():
            if current.items:
                yield b"".join(_event(item, cursors) for item in current.items)
            if loop.time() - said_at >= self._heartbeat:
                if not await _holds(check):
                    return
                yield _HEARTBEAT
                said_at = loop.time()
            try:
                if not current.more:
                    await self._grown_beyond(current.reached, said_at + self._heartbeat)
                current = await self.slice_behind(current.reached)
            except RetryableError:
                yield _WAITING
                await self._pause(RETRY_SECONDS)
                current = FeedSlice([], current.reached, more=False)

    async def _slice_behind(self, seq: int) -> FeedSlice:
        async with self._databases.reading() as connection:
            return await read_slice(connection, seq, SLICE)

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


def _event(item: FeedItem, cursors: Cursors) -> bytes:
    name = RETRACTION if isinstance(item, ToldRetraction) else TRANSITION
    head = f"id: {seal(cursors, item.seq)}\nevent: {name}\ndata: ".encode()
    return head + _encoder.encode(item) + b"\n\n"
