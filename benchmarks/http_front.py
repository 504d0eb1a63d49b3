"""What a request costs on its way in: a plain endpoint in front of FastAPI, behind it, and a route.

The server runs in a process of its own, so that its CPU time can be told from the client's. The
client keeps a few connections full of pipelined requests, which costs it next to nothing.

Run as ``python -m benchmarks.http_front [SECONDS]``.
"""

import asyncio
import itertools
import multiprocessing
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Annotated, Final

import msgspec
import uvloop
from fastapi import Body, FastAPI
from pydantic import BaseModel
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http.asgi import by_method, read_inflated, respond
from shared.http.front import Front
from shared.http.problems import install_problems
from shared.http.server import listen, serve

CONNECTIONS: Final = 16
PIPELINED: Final = 16
SECONDS: Final = 3.0
BODY: Final = msgspec.json.encode(
    {
        "event_id": "order-1001",
        "type": "order_completed",
        "occurred_at": "2026-01-05T10:00:00Z",
        "customer": {"user_id": "u_42", "email": "ana@example.com"},
        "properties": {"order_id": "1001", "value": 99.5, "currency": "EUR"},
    }
)
PATHS: Final = {
    "/front": "plain endpoint in front of FastAPI",
    "/behind": "plain endpoint behind FastAPI's router",
    "/model": "FastAPI route with a pydantic model",
}


class Touchpoint(msgspec.Struct):
    """The body, as the plain endpoint reads it."""

    event_id: str
    type: str
    occurred_at: str
    customer: dict[str, str]
    properties: dict[str, object]


class TouchpointModel(BaseModel):
    """The body, as FastAPI reads it."""

    event_id: str
    type: str
    occurred_at: str
    customer: dict[str, str]
    properties: dict[str, object]


_decoder: Final = msgspec.json.Decoder(Touchpoint)


class Accept:
    """Reads one touchpoint and answers with its id."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        touchpoint = _decoder.decode(await read_inflated(scope, receive))
        await respond(send, 202, msgspec.json.encode({"event_id": touchpoint.event_id}))


def application() -> ASGIApp:
    """Return all three side by side."""
    app = FastAPI(redirect_slashes=False, docs_url=None, redoc_url=None)
    install_problems(app)
    app.router.routes.append(Route("/behind", Accept(), methods=["POST"]))

    @app.post("/model", status_code=202)
    async def model(touchpoint: Annotated[TouchpointModel, Body()]) -> dict[str, str]:
        return {"event_id": touchpoint.event_id}

    return Front({"/front": by_method({"POST": Accept()})}, app)


def run_server(pipe: Connection) -> None:
    """Serve until the other end of *pipe* says so; whenever it asks, tell the CPU time used."""
    uvloop.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    await serve_for(pipe, application())


async def serve_for(pipe: Connection, app: ASGIApp) -> None:
    """Serve *app* until the other end of *pipe*, which is told the port first, says so."""
    listener = listen("127.0.0.1", 0)
    stopping = asyncio.Event()
    pipe.send(listener.getsockname()[1])

    def asked() -> None:
        if pipe.recv() == "stop":
            stopping.set()
        else:
            used = resource.getrusage(resource.RUSAGE_SELF)
            pipe.send(used.ru_utime + used.ru_stime)

    asyncio.get_running_loop().add_reader(pipe.fileno(), asked)
    await serve(app, listener, stopping=stopping)


def request_of(path: str, body: bytes) -> bytes:
    """Return a request that posts *body*."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer wk_00000000_{'0' * 49}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def load(
    port: int, requests: Sequence[bytes], seconds: float, connections: int = CONNECTIONS
) -> int:
    """Send *requests* over and over on several connections; return how many were answered."""
    ends = perf_counter() + seconds
    clients = (_client(port, requests, ends) for _ in range(connections))
    return sum(await asyncio.gather(*clients))


async def _client(port: int, requests: Sequence[bytes], ends: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = itertools.cycle(requests)
    answered = 0
    while perf_counter() < ends:
        writer.write(b"".join(itertools.islice(sending, PIPELINED)))
        for _ in range(PIPELINED):
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 20"):
                raise RuntimeError(head.decode())
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        answered += PIPELINED
    writer.close()
    return answered


def measure(seconds: float) -> Mapping[str, tuple[float, float]]:
    """Return for each path the requests per second, and per second of the server's CPU time."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=run_server, args=(theirs,))
    server.start()
    try:
        return _measured(ours, ours.recv(), seconds)
    finally:
        ours.send("stop")
        server.join(30)


def _measured(pipe: Connection, port: int, seconds: float) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for path in PATHS:
        requests = [request_of(path, BODY)]
        uvloop.run(load(port, requests, seconds / 6))
        before = cpu_seconds(pipe)
        answered = uvloop.run(load(port, requests, seconds))
        found[path] = (answered / seconds, answered / (cpu_seconds(pipe) - before))
    return found


def cpu_seconds(pipe: Connection) -> float:
    """Return the CPU time that the server at the other end of *pipe* has used so far."""
    pipe.send("cpu")
    return float(pipe.recv())


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    print(f"{os.cpu_count()} cores, {CONNECTIONS} connections, {PIPELINED} requests in flight each")
    for path, (wall, cpu) in measure(seconds).items():
        print(f"{PATHS[path]:42} {wall:9,.0f} requests/s {cpu:9,.0f} per CPU second")


if __name__ == "__main__":
    main()
