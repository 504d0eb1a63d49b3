"""A real server: how it begins and how it ends."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from shared.errors import SetupError
from shared.http.asgi import read_body, respond
from shared.http.front import Front
from shared.http.health import health_routes, not_stopping
from shared.http.server import listen, serve
from tests.fixtures.http_servers import served


class Gate:
    """An endpoint that answers when it is told to."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        await read_body(receive)
        self.entered.set()
        await self.opened.wait()
        await respond(send, 200, b"done")


async def test_a_request_that_was_begun_is_finished_before_the_server_stops() -> None:
    gate = Gate()
    async with served(Front({"/gate": gate})) as server, httpx.AsyncClient() as client:
        asked = asyncio.create_task(client.post(f"{server.url}/gate"))
        await gate.entered.wait()
        server.stopping.set()
        await asyncio.sleep(0.3)
        assert not server.task.done()
        gate.opened.set()
        answer = await asked
        assert (answer.status_code, answer.text) == (200, "done")
        assert answer.headers["connection"] == "close"
        await server.task
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", server.port)


async def test_a_request_that_cannot_be_finished_is_told_to_come_again() -> None:
    gate = Gate()
    front = Front({"/gate": gate})
    async with served(front, shutdown_seconds=1) as server, httpx.AsyncClient() as client:
        asked = asyncio.create_task(client.post(f"{server.url}/gate"))
        await gate.entered.wait()
        server.stopping.set()
        answer = await asked
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        await server.task


async def test_connections_without_a_request_do_not_keep_the_server() -> None:
    async with served(Front({})) as server, server.connection() as silent:
        async with server.connection() as used, server.connection() as half:
            await used.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await used.answer()).status == 404
            await half.send(b"GET / HT")
            server.stopping.set()
            async with asyncio.timeout(5):
                await server.task
            assert await used.rest() == b""
            assert await half.rest() == b""
        assert await silent.rest() == b""


async def test_the_server_answers_while_balancers_learn_that_it_stops() -> None:
    stopping = asyncio.Event()
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    front = Front(health_routes({"stopping": not_stopping(stopping)}))
    task = asyncio.create_task(serve(front, listener, stopping=stopping, drain_seconds=1))
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/readyz")).status_code == 200
        stopping.set()
        await asyncio.sleep(0.4)  # longer than it takes the server to notice
        async with httpx.AsyncClient(base_url=url) as newcomer:
            assert (await newcomer.get("/readyz")).status_code == 503
    await task


async def test_a_caller_that_is_cancelled_leaves_nothing_running() -> None:
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    task = asyncio.create_task(serve(Front({}), listener, stopping=asyncio.Event()))
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 404
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_the_application_is_started_before_requests_and_stopped_after_them() -> None:
    stages: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        stages.append("up")
        yield
        stages.append("down")

    async with served(Front({}, FastAPI(lifespan=lifespan))) as server:
        async with httpx.AsyncClient() as client:
            await client.get(server.url)
        assert stages == ["up"]
    assert stages == ["up", "down"]


async def test_an_application_that_cannot_start_is_a_setup_error() -> None:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        raise ZeroDivisionError
        yield

    app = Front({}, FastAPI(lifespan=lifespan))
    with pytest.raises(SetupError, match="could not start"):
        await serve(app, listen("127.0.0.1", 0), stopping=asyncio.Event())


def test_a_port_in_use_is_told_in_a_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=f"port {port} is in use: stop"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_ours_is_told_in_a_sentence(host: str) -> None:
    with pytest.raises(SetupError, match=host):
        listen(host, 0)


def test_a_port_can_be_listened_on_again_at_once() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), first.accept()[0]:
            pass
    listen("127.0.0.1", port).close()


async def test_answers_do_not_name_the_server() -> None:
    async with served(Front({})) as server, httpx.AsyncClient() as client:
        answer = await client.get(server.url)
    assert "server" not in answer.headers
    assert "date" in answer.headers


async def who(scope: Scope, _: Receive, send: Send) -> None:
    await respond(send, 200, f"{scope['client'][0]} {scope['scheme']}".encode())


@pytest.mark.parametrize(
    ("trusted", "told"),
    [
        ((), "127.0.0.1 http"),
        (("192.0.2.1",), "127.0.0.1 http"),
        (("127.0.0.1",), "203.0.113.9 https"),
    ],
)
async def test_only_a_trusted_proxy_can_say_for_whom_it_asks(
    trusted: tuple[str, ...], told: str
) -> None:
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    stopping = asyncio.Event()
    serving = serve(Front({"/who": who}), listener, stopping=stopping, trusted_proxies=trusted)
    task = asyncio.create_task(serving)
    said = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/who", headers=said)
    stopping.set()
    await task
    assert answer.text == told
