"""A TCP proxy that makes a network as bad as it is told to, at run time and in each direction.

It holds bytes back and never drops or changes them, as TCP does: what a connection has carried is
right, it only may come late, in pieces, or not at all because the connection ends.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 64 * 1024

_HOST: Final = "127.0.0.1"
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Way:
    """What happens to bytes that go in one direction; all of it may be changed at any time.

    Attributes:
        latency_seconds: What each piece waits.
        jitter_seconds: By how much that varies, up and down.
        bytes_per_second: How fast pieces follow one another; None is as fast as they come.
        slice_bytes: How large a piece may be; None is as large as they come.
        limit_bytes: After how many bytes of a connection it is reset; None is never.
        carried: How many bytes have gone this way.
    """

    chance: random.Random
    latency_seconds: float = 0.0
    jitter_seconds: float = 0.0
    bytes_per_second: float | None = None
    slice_bytes: int | None = None
    limit_bytes: int | None = None
    carried: int = 0
    _open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._open.set()

    @property
    def is_held(self) -> bool:
        return not self._open.is_set()

    def hold(self) -> None:
        """Let nothing through until ``heal``; connections stay open."""
        self._open.clear()

    def heal(self) -> None:
        """Let everything through as it comes."""
        self.latency_seconds = self.jitter_seconds = 0.0
        self.bytes_per_second = self.slice_bytes = self.limit_bytes = None
        self._open.set()

    async def passage(self, size: int) -> None:
        """Return when a piece of *size* bytes may go on."""
        wait = self.latency_seconds + self.chance.uniform(-1, 1) * self.jitter_seconds
        if self.bytes_per_second is not None:
            wait += size / self.bytes_per_second
        if wait > 0:
            await asyncio.sleep(wait)
        await self._open.wait()
        self.carried += size


class FaultProxy:
    """Takes connections on ``port`` and carries them to another port of this machine, or a socket.

    Attributes:
        there: The way from clients to the server.
        back: The way from the server to clients; held alone, it swallows the answers to what was
            carried out.
        refusing: New connections are reset at once.
        resets: How many connections were reset.
    """

    def __init__(self, target: int | Path, seed: int = 0) -> None:
        self.target = target
        chance = random.Random(seed)
        self.there, self.back = Way(chance), Way(chance)
        self.refusing = False
        self.resets = 0
        self.port = 0
        self._connections: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    def hold(self) -> None:
        """Let nothing through in either direction until ``heal``."""
        self.there.hold()
        self.back.hold()

    def slow(self, latency_seconds: float, jitter_seconds: float = 0.0) -> None:
        """Let every piece wait, in both directions."""
        for way in (self.there, self.back):
            way.latency_seconds, way.jitter_seconds = latency_seconds, jitter_seconds

    def slice(self, size: int) -> None:
        """Cut what passes into pieces of *size* bytes, in both directions."""
        self.there.slice_bytes = self.back.slice_bytes = size

    def reset(self) -> int:
        """Reset all connections, so that both sides see an error; return how many."""
        number = len(self._connections)
        for task, writers in self._connections.items():
            _reset_at_close(*writers)
            task.cancel()
        self.resets += number
        return number

    async def end(self) -> None:
        """Reset all connections and return when they are gone."""
        self.reset()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def heal(self) -> None:
        """Be a network without faults."""
        self.refusing = False
        self.there.heal()
        self.back.heal()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is carried by a task")
        self._connections[task] = (writer,)
        try:
            if self.refusing:
                raise ConnectionRefusedError
            upstream, server = await self._connect()
            self._connections[task] = (writer, server)
            await self._both_ways(reader, writer, upstream, server)
        except (OSError, ExceptionGroup):
            _reset_at_close(*self._connections[task])
        except asyncio.CancelledError:
            pass  # reset, or the proxy is closed
        finally:
            for each in self._connections.pop(task):
                each.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, Path):
            return await asyncio.open_unix_connection(self.target)
        return await asyncio.open_connection(_HOST, self.target)

    async def _both_ways(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: asyncio.StreamReader,
        server: asyncio.StreamWriter,
    ) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._carry(self.there, reader, server))
            group.create_task(self._carry(self.back, upstream, writer))

    async def _carry(
        self, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        left = way.limit_bytes
        while piece := await source.read(way.slice_bytes or CHUNK_BYTES):
            await way.passage(len(piece))
            if left is None:
                left = way.limit_bytes
            if left is not None:
                left -= len(piece)
                if left < 0:
                    self.resets += 1
                    raise ConnectionResetError
            sink.write(piece)
            await sink.drain()
        with contextlib.suppress(OSError):
            sink.write_eof()


@asynccontextmanager
async def proxied(target: int | Path, seed: int = 0) -> AsyncGenerator[FaultProxy]:
    """Stand in front of a port or socket of this machine, without faults to begin with."""
    proxy = FaultProxy(target, seed)
    server = await asyncio.start_server(proxy.carry, _HOST, 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()


def _reset_at_close(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        raw = writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
