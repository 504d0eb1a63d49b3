"""Sending one message to one endpoint, and nowhere else.

There are no redirects, no proxies of the environment, and no address that was not looked at: a
connection goes to the address that was found public, under the name that was asked for.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpcore

from services.api.version import VERSION
from services.api.webhooks.addresses import AddressRefused, public_addresses
from services.api.webhooks.slots import MOST

ATTEMPT_SECONDS: Final = 20.0
MOST_CONNECTIONS: Final = MOST + 20
"""One for each slot, and some for whoever tries an endpoint out."""
READ_AT_MOST: Final = 16_384
"""Bytes of an answer; nobody looks at them, but a connection can be used again behind them."""

_AGENT: Final = f"Journeyline/{VERSION}".encode()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: the status that was answered, or why none was."""

    status: int | None
    error: str | None = None
    retry_after: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the endpoint took the message: 2xx and nothing else."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP's classes


class PinnedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only; the name is resolved here and never again."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the name is the base class's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of *host* that takes the connection."""
        try:
            addresses = await public_addresses(host, port)
        except AddressRefused as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._inner.sleep(seconds)


class Sender:
    """Sends messages over a pool of connections.

    ``allow_private`` tells whether the pool connects to addresses of private networks too.
    """

    def __init__(self, pool: httpcore.AsyncConnectionPool, *, allow_private: bool) -> None:
        self._pool = pool
        self.allow_private = allow_private

    async def send(self, url: str, headers: dict[bytes, bytes], body: bytes) -> Outcome:
        """Post *body* to *url* once, and return how that ended; raises nothing of its own."""
        fields = [
            *headers.items(),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"user-agent", _AGENT),
            (b"accept", b"*/*"),
        ]
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await self._exchange(url, fields, body)
        except TimeoutError:
            return Outcome(None, f"no answer within {ATTEMPT_SECONDS:g} s")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            return Outcome(None, f"{type(error).__name__}: {error}")
        except (httpcore.UnsupportedProtocol, ssl.SSLError, OSError, ValueError) as error:
            return Outcome(None, f"{type(error).__name__}: {error}")

    async def _exchange(self, url: str, fields: list[tuple[bytes, bytes]], body: bytes) -> Outcome:
        host = httpcore.URL(url)
        named = [(b"host", _authority(host)), *fields]
        async with self._pool.stream("POST", host, headers=named, content=body) as answer:
            headers = {name.lower(): value for name, value in answer.headers}
            read = 0
            async for part in answer.aiter_stream():
                read += len(part)
                if read > READ_AT_MOST:
                    break
        after = headers.get(b"retry-after")
        return Outcome(answer.status, None, None if after is None else after.decode("latin-1"))


def _authority(url: httpcore.URL) -> bytes:
    host = b"[" + url.host + b"]" if b":" in url.host else url.host
    return host if url.port is None else host + b":" + str(url.port).encode()


@asynccontextmanager
async def open_sender(*, allow_private: bool) -> AsyncGenerator[Sender]:
    """Yield a sender, and close its connections afterwards.

    Args:
        allow_private: Whether addresses of private networks may be asked too.
    """
    network: httpcore.AsyncNetworkBackend = httpcore.AnyIOBackend()
    if not allow_private:
        network = PinnedNetwork(network)
    async with httpcore.AsyncConnectionPool(
        ssl_context=ssl.create_default_context(),
        max_connections=MOST_CONNECTIONS,
        keepalive_expiry=30,
        network_backend=network,
    ) as pool:
        yield Sender(pool, allow_private=allow_private)
