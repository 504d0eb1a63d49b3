"""Serving an application over HTTP/1.1, on the event loop of the process that composes it."""

import asyncio
import errno
import gc
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from shared.errors import SetupError
from shared.http.limits import Limits
from shared.http.protocol import GuardedProtocol
from shared.metrics import EVENT_LOOP_LAG_SECONDS, note_build

BACKLOG: Final = 2_048
SHUTDOWN_SECONDS: Final = 25

_LAG_INTERVAL_SECONDS: Final = 1.0
_LIMITS: Final = Limits()


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: whoever composes the process has them."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit as error:
            raise SetupError("the application could not start; the log says why") from error

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens, which tells early whether *port* is free.

    Who connects before ``serve`` runs waits until it does.

    Args:
        host: An address or a name; the first address it has is taken.
        port: 0 for any free one.

    Raises:
        SetupError: The port is in use or not allowed, or *host* is none of this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SetupError(f"cannot listen on {host}: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)  # noqa: FBT003 - the name says what is set
    except OSError as error:
        listener.close()
        raise SetupError(_why_not(error, host, port)) from error
    return listener


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    stopping: asyncio.Event,
    drain_seconds: float = 0,
    shutdown_seconds: int = SHUTDOWN_SECONDS,
    limits: Limits = _LIMITS,
    trusted_proxies: tuple[str, ...] = (),
) -> None:
    """Serve *app* until *stopping* is set, then finish what was begun and return.

    Answers that never end (server-sent events) must watch *stopping* themselves, or they are cut
    off when *shutdown_seconds* are over. When the caller is cancelled, it stops as gracefully.

    Args:
        app: Gets lifespan messages too; its startup must succeed.
        listener: From ``listen``; closed here.
        stopping: Tells when to stop; ``/readyz`` should be red from then on.
        drain_seconds: How long new requests are still answered after that, so that a load
            balancer has time to see it.
        shutdown_seconds: For requests under way after that; then they are cut off.
        limits: What clients may do.
        trusted_proxies: Addresses whose ``X-Forwarded-*`` headers are believed.

    Raises:
        SetupError: The application's startup failed.
    """
    config = uvicorn.Config(
        app,
        http=GuardedProtocol.with_limits(limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=list(trusted_proxies),
        backlog=BACKLOG,
        timeout_keep_alive=limits.keep_alive_seconds,
        timeout_graceful_shutdown=shutdown_seconds,
    )
    server = _Server(config)
    note_build()
    _leave_out_of_collections()
    telling = asyncio.create_task(_tell(server, stopping, drain_seconds))
    measuring = asyncio.create_task(_measure_lag())
    try:
        await _run(server, listener)
    finally:
        telling.cancel()
        measuring.cancel()
        listener.close()


def _leave_out_of_collections() -> None:
    """Spare the garbage collector what the process is made of by now: most of it stays to the end.

    Every request brings objects enough for a collection, and the full ones among them would look
    through all modules each time: a sixth of what taking in batches costs.
    """
    gc.collect()
    gc.freeze()


async def _run(server: _Server, listener: socket.socket) -> None:
    """Run *server* to its end, also when the caller is cancelled meanwhile."""
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        server.should_exit = True
        await running
        raise


async def _tell(server: _Server, stopping: asyncio.Event, drain_seconds: float) -> None:
    await stopping.wait()
    await asyncio.sleep(drain_seconds)
    server.should_exit = True


async def _measure_lag() -> None:
    """Note every second how late the event loop is; whatever blocks it shows here."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LAG_INTERVAL_SECONDS
        await asyncio.sleep(_LAG_INTERVAL_SECONDS)
        EVENT_LOOP_LAG_SECONDS.set(max(0.0, loop.time() - due))


def _why_not(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} is in use: stop the other program, or choose another port"
        case errno.EACCES:
            return f"port {port} needs privileges that this process has not: choose one over 1023"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine: try 127.0.0.1 or 0.0.0.0"
        case _:
            return f"cannot listen on {host}:{port}: {error.strerror}"
