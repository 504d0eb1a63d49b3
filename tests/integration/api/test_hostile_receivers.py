"""Receivers that hang, drip, and never end: they cost what is set, and hold up nobody else."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import pytest

from services.api.webhooks import addresses, sending
from services.api.webhooks.addresses import AddressRefused, resolve
from services.api.webhooks.sending import open_sender
from tests.fixtures.hooked import Hooked, id_of
from tests.fixtures.told_messages import say, transition

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@asynccontextmanager
async def receiving(behaviour: Behaviour) -> AsyncIterator[str]:
    """Yield the address of a receiver that behaves so towards every connection."""

    behaving: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(behaviour(reader, writer))
        behaving.add(task)
        with suppress(OSError, asyncio.CancelledError):
            await task
        behaving.discard(task)
        writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    finally:
        server.close()
        while behaving:
            for task in behaving:
                task.cancel()
            await asyncio.sleep(0.01)


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1_000):
        writer.write(f"x-{number}: y\r\n".encode())
        await writer.drain()
        await asyncio.sleep(0.05)


async def never_end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def fill_the_head(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nx: ")
    while True:
        writer.write(b"x" * 0x10000)
        await writer.drain()


async def inform(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("behaviour", "taken"),
    [(hang, "no"), (drip, "no"), (never_end, "yes"), (fill_the_head, "no"), (inform, "no")],
)
async def test_an_attempt_ends_whatever_the_receiver_does(
    behaviour: Behaviour, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ATTEMPT_SECONDS", 0.5)
    async with receiving(behaviour) as url, open_sender(allow_private=True) as sender:
        async with asyncio.timeout(20):
            outcome = await sender.send(url, {}, b"{}")
    assert outcome.delivered is (taken == "yes")
    assert outcome.delivered or outcome.error


async def test_endpoints_that_hang_make_no_other_one_fail(
    hooked: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ATTEMPT_SECONDS", 1.0)
    async with receiving(hang) as url:
        for number in range(99):
            await hooked.register(url=f"{url}/{number}")
        good = await hooked.register()
        await say(hooked.api, *(transition(n, of=UUID(int=n)) for n in range(1, 6)))
        async with asyncio.timeout(60):
            await hooked.deliver()
        assert sorted(hooked.to.ids) == [id_of(number) for number in range(1, 6)]
        assert (await hooked.endpoint(good))["failures"] == 0
        told = await hooked.deliveries(good)
        assert {(one["status"], one["attempts"]) for one in told} == {("delivered", 1)}


async def test_name_servers_that_hang_keep_nobody_else_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    released = threading.Event()

    def hanging(*_: object, **__: object) -> list[object]:
        loop.call_soon_threadsafe(asked.set)
        released.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    monkeypatch.setattr(addresses, "RESOLVE_SECONDS", 0.2)
    waiting = [asyncio.create_task(resolve("slow.example", 443)) for _ in range(50)]
    await asked.wait()
    assert await asyncio.to_thread(lambda: "threads are left for others") != ""
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in ended} == {AddressRefused}
    released.set()
