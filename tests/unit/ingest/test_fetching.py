"""Fetching, from a real server on this machine."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.ingest.fetching import (
    MOST_BYTES,
    MOST_REMEMBERED,
    REMEMBERED_FOR,
    Fetcher,
    HttpFetcher,
    RememberedFetches,
)
from shared.errors import Unreachable
from shared.instants import Instant
from tests.fakes.fetcher import InMemoryFetcher

ANSWERS = {
    "/certificate": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "/elsewhere": b"HTTP/1.1 302 Found\r\nlocation: /certificate\r\ncontent-length: 0\r\n\r\n",
    "/nothing": b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nhi",
    "/full": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MOST_BYTES,
    "/over": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MOST_BYTES + 1),
    "/junk": b"what?\r\n\r\n",
    "/cut": b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi",
}


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWERS[head.split(b" ")[1].decode()])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture(params=["http", "memory"])
def fetcher(request: pytest.FixtureRequest, address: str) -> Fetcher:
    """Every implementation of the port."""
    documents = {f"{address}/certificate": b"hi", f"{address}/full": b"x" * MOST_BYTES}
    return HttpFetcher() if request.param == "http" else InMemoryFetcher(documents)


@pytest.mark.parametrize(("path", "length"), [("/certificate", 2), ("/full", MOST_BYTES)])
async def test_a_document_is_what_stands_there(
    fetcher: Fetcher, address: str, path: str, length: int
) -> None:
    assert len(await fetcher.fetch(address + path)) == length


@pytest.mark.parametrize("path", ["/elsewhere", "/nothing", "/over", "/junk", "/cut"])
async def test_anything_but_a_fair_document_is_none(
    fetcher: Fetcher, address: str, path: str
) -> None:
    with pytest.raises(Unreachable) as error:
        await fetcher.fetch(address + path)
    assert "127.0.0.1" in error.value.message


@pytest.mark.parametrize("wrong", ["http://127.0.0.1:1/", "nowhere", "http://[::1", "http://a b/"])
async def test_where_nobody_is_nothing_is_fetched(wrong: str) -> None:
    with pytest.raises(Unreachable):
        await HttpFetcher().fetch(wrong)


class Clock:
    now: Instant = 0

    def __call__(self) -> Instant:
        return self.now


async def test_a_document_is_fetched_once_a_day() -> None:
    clock, fetcher = Clock(), InMemoryFetcher({"a": b"1"})
    remembered = RememberedFetches(fetcher, clock)
    for clock.now in (0, REMEMBERED_FOR - 1, REMEMBERED_FOR, REMEMBERED_FOR + 1):
        assert await remembered.fetch("a") == b"1"
    assert fetcher.asked == ["a", "a"]


async def test_what_could_not_be_fetched_is_asked_for_again() -> None:
    fetcher = InMemoryFetcher({})
    remembered = RememberedFetches(fetcher, Clock())
    for _ in range(2):
        with pytest.raises(Unreachable):
            await remembered.fetch("a")
    assert fetcher.asked == ["a", "a"]


async def test_of_too_many_documents_the_oldest_is_forgotten() -> None:
    names = [str(number) for number in range(MOST_REMEMBERED + 1)]
    fetcher = InMemoryFetcher(dict.fromkeys(names, b"1"))
    remembered = RememberedFetches(fetcher, Clock())
    for name in (*names, names[-1], names[1], names[0]):
        await remembered.fetch(name)
    assert fetcher.asked == [*names, names[0]]
