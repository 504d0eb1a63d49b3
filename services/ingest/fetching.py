"""Fetching what a delivery refers to: bounded in time and size, and never by way of a redirect."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Protocol

import httpx

from shared.clock import Clock
from shared.errors import Unreachable
from shared.instants import DAY, Instant, Micros

LONGEST_SECONDS: Final = 5.0
MOST_BYTES: Final = 64 * 1024
MOST_AT_ONCE: Final = 8
MOST_REMEMBERED: Final = 64
REMEMBERED_FOR: Final[Micros] = DAY

_OK: Final = 200


class Fetcher(Protocol):
    """Fetches documents by address; which addresses are fit is its caller's to know."""

    async def fetch(self, address: str) -> bytes:
        """Return what stands at *address*.

        Raises:
            Unreachable: It did not answer 200, in time, with a document of a fair size.
        """
        ...


class HttpFetcher:
    """Fetches over HTTP, a few at a time; proxies of the environment are used."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def fetch(self, address: str) -> bytes:
        """Return what stands at *address*; see ``Fetcher``."""
        try:
            async with asyncio.timeout(LONGEST_SECONDS), self._turns:
                return await _read(address)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{_host(address)} cannot be reached: {error!r}") from error


@dataclass(slots=True)
class RememberedFetches:
    """Fetches a document once a day, as long as not too many others are asked for.

    What could not be fetched is not remembered.
    """

    fetcher: Fetcher
    clock: Clock
    _kept: OrderedDict[str, tuple[Instant, bytes]] = field(default_factory=OrderedDict)

    async def fetch(self, address: str) -> bytes:
        """Return what stands, or lately stood, at *address*; see ``Fetcher``."""
        now = self.clock()
        kept = self._kept.get(address)
        if kept is not None and now - kept[0] < REMEMBERED_FOR:
            return kept[1]
        document = await self.fetcher.fetch(address)
        self._kept[address] = (now, document)
        self._kept.move_to_end(address)
        if len(self._kept) > MOST_REMEMBERED:
            self._kept.popitem(last=False)
        return document


async def _read(address: str) -> bytes:
    async with (
        httpx.AsyncClient(follow_redirects=False, timeout=LONGEST_SECONDS) as client,
        client.stream("GET", address) as answer,
    ):
        if answer.status_code != _OK:
            raise Unreachable(f"{_host(address)} answered {answer.status_code}")
        document = bytearray()
        async for part in answer.aiter_bytes():
            document += part
            if len(document) > MOST_BYTES:
                raise Unreachable(f"{_host(address)} answered more than {MOST_BYTES:,} bytes")
        return bytes(document)


def _host(address: str) -> str:
    return address.partition("://")[2].partition("/")[0]
