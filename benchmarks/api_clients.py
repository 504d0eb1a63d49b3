"""Clients of the API: connections that are kept, each with one request under way at any time."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import quantiles
from time import perf_counter
from typing import Final, cast

_HEAD_ENDS: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_OK: Final = b"HTTP/1.1 200"


@dataclass(slots=True)
class Asked:
    """What came of asking for some seconds."""

    seconds: float = 0.0
    bytes: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def answers(self) -> int:
        return len(self.latencies)

    def latency(self, percent: int) -> float:
        """Return how many milliseconds so many percent of the answers took at most."""
        return quantiles(self.latencies, n=100)[percent - 1] * 1_000


class _Client(asyncio.Protocol):
    """One connection; asks anew as soon as an answer has come whole, until time is over."""

    def __init__(self, requests: Sequence[bytes], asked: Asked, ends: float, seed: int) -> None:
        self._requests = requests
        self._asked = asked
        self._ends = ends
        self._chance = random.Random(seed)
        self._answer = bytearray()
        self._wanted = 0
        self._sent = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._wanted:
            self._wanted = self._length_of_answer()
        if self._wanted and len(self._answer) >= self._wanted:
            now = perf_counter()
            self._asked.latencies.append(now - self._sent)
            self._asked.bytes += self._wanted
            if now < self._ends:
                self._ask()
            else:
                self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def _ask(self) -> None:
        self._answer.clear()
        self._wanted = 0
        self._sent = perf_counter()
        self._transport.write(self._chance.choice(self._requests))

    def _length_of_answer(self) -> int:
        """Return the length of head and body together; 0 while the head is not here."""
        end = self._answer.find(_HEAD_ENDS)
        if end < 0:
            return 0
        head = bytes(self._answer[:end]).lower()
        if not self._answer.startswith(_OK):
            self.done.set_exception(RuntimeError(head.decode()))
            self._transport.close()
        length = head.partition(_LENGTH)[2].partition(b"\r\n")[0]
        return end + len(_HEAD_ENDS) + int(length)


def _itself(client: _Client) -> _Client:
    return client


async def ask(
    port: int, key: str, paths: Sequence[str], *, connections: int, seconds: float
) -> Asked:
    """Ask for *paths*, at random, on so many connections.

    Raises:
        RuntimeError: something else than 200 was answered.
    """
    head = f"HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer {key}\r\n\r\n"
    requests = [f"GET {path} {head}".encode() for path in paths]
    asked = Asked()
    began = perf_counter()
    loop = asyncio.get_running_loop()
    clients = [_Client(requests, asked, began + seconds, seed) for seed in range(connections)]
    for client in clients:
        await loop.create_connection(partial(_itself, client), "127.0.0.1", port)
    await asyncio.gather(*(client.done for client in clients))
    asked.seconds = perf_counter() - began
    return asked
