"""The proxy that all fault tests rest on does what it is told, and nothing to what it carries."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.eventually import eventually
from tests.faults.proxy import FaultProxy, proxied

BOUND = 20.0


@dataclass(slots=True)
class Echo:
    """A server that answers each line with the same line, behind a proxy."""

    proxy: FaultProxy
    heard: list[bytes]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.proxy.port, limit=1 << 24)

    async def ask(self, line: bytes) -> bytes:
        reader, writer = await self.connect()
        try:
            writer.write(line + b"\n")
            async with asyncio.timeout(BOUND):
                return (await reader.readuntil(b"\n"))[:-1]
        finally:
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            async for line in reader:
                heard.append(line[:-1])
                writer.write(line)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 24)
    async with proxied(server.sockets[0].getsockname()[1]) as proxy:
        yield Echo(proxy, heard)
    server.close()


async def test_without_faults_everything_arrives_as_it_was_sent(echo: Echo) -> None:
    lines = [random.Random(1).randbytes(3_000_000).replace(b"\n", b" "), b"", b"short"]
    assert [await echo.ask(line) for line in lines] == lines


async def test_what_is_held_arrives_when_it_is_healed(echo: Echo) -> None:
    echo.proxy.hold()
    asking = asyncio.create_task(echo.ask(b"late"))
    await eventually(lambda: _there(echo.proxy.connections == 1))
    done, _ = await asyncio.wait([asking], timeout=0.1)
    assert not done
    assert not echo.heard
    echo.proxy.heal()
    assert await asking == b"late"


async def test_answers_alone_can_be_held_back_while_requests_are_carried_out(echo: Echo) -> None:
    echo.proxy.back.hold()
    asking = asyncio.create_task(echo.ask(b"done"))
    await eventually(lambda: _there(echo.heard == [b"done"]))
    assert not asking.done()
    echo.proxy.heal()
    assert await asking == b"done"


async def test_a_reset_ends_connections_with_an_error_and_new_ones_work(echo: Echo) -> None:
    reader, writer = await echo.connect()
    writer.write(b"one\n")
    assert await reader.readuntil(b"\n") == b"one\n"
    assert echo.proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), BOUND)
    assert await echo.ask(b"two") == b"two"


async def test_refusing_ends_new_connections_only(echo: Echo) -> None:
    reader, writer = await echo.connect()
    writer.write(b"before\n")
    await reader.readuntil(b"\n")
    echo.proxy.refusing = True
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await echo.ask(b"refused")
    writer.write(b"still\n")
    assert await reader.readuntil(b"\n") == b"still\n"
    assert echo.heard == [b"before", b"still"]
    writer.close()


async def test_latency_and_bandwidth_take_their_time(echo: Echo) -> None:
    began = asyncio.get_running_loop().time()
    echo.proxy.slow(0.2, 0.1)
    await echo.ask(b"slow")
    assert asyncio.get_running_loop().time() - began >= 0.2
    echo.proxy.heal()
    echo.proxy.back.bytes_per_second = 1_000_000
    began = asyncio.get_running_loop().time()
    await echo.ask(bytes(300_000))
    assert asyncio.get_running_loop().time() - began >= 0.3


async def test_slices_change_nothing_but_the_size_of_pieces(echo: Echo) -> None:
    echo.proxy.slice(7)
    line = bytes(range(11, 250)) * 40
    assert await echo.ask(line) == line


async def test_a_limit_of_bytes_cuts_a_connection_off_in_the_middle(echo: Echo) -> None:
    echo.proxy.back.limit_bytes = 10
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await echo.ask(b"more than ten bytes")
    assert echo.heard == [b"more than ten bytes"]
    assert await echo.ask(b"less") == b"less"


async def test_the_end_of_a_connection_is_carried_too(echo: Echo) -> None:
    reader, writer = await echo.connect()
    writer.write(b"last\n")
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), BOUND) == b"last\n"
    writer.close()
    await eventually(lambda: _there(echo.proxy.connections == 0))


async def _there(holds: bool) -> bool:  # noqa: FBT001 - what eventually asks for, made of a value
    return holds
