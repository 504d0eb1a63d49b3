"""``GET /v1/stream``: the feed over a real connection, for as long as the reader stays."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from services.api.app import create_app
from services.api.databases import Databases
from services.api.resources import Directory
from services.api.streams import Streams
from shared.errors import Unauthorized
from shared.http.front import Front
from shared.keys import Principal
from tests.eventually import eventually
from tests.fakes.known_keys import EVERYTHING, KnownKeys
from tests.fixtures.http_servers import PATIENCE_SECONDS, served
from tests.fixtures.served_api import Served, built_api, served_api
from tests.fixtures.told_messages import ANA, merged, retraction, say, transition


@dataclass(slots=True)
class Event:
    """One event as it came; ``comments`` are the lines since the one before it."""

    id: str
    event: str
    data: Mapping[str, object]
    comments: int


class Listener:
    """Reads a stream by the rules of the HTML standard, as far as they matter here."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()
        self.headers = answer.headers
        self.comments = 0

    async def event(self) -> Event:
        fields: dict[str, str] = {}
        comments = 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for line in self._lines:
                if line.startswith(":"):
                    comments += 1
                elif not line and "data" in fields:
                    data = msgspec.json.decode(fields["data"], type=dict[str, object])
                    return Event(fields["id"], fields["event"], data, comments)
                elif line:
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")
        raise EOFError("the stream ended")

    async def comment(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for line in self._lines:
                if line.startswith(":"):
                    return
        raise EOFError("the stream ended")

    async def end(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for _ in self._lines:
                pass


@dataclass(frozen=True, slots=True)
class Streaming:
    """An API behind a real server."""

    api: Served
    url: str

    @asynccontextmanager
    async def listening(self, key: str = "sk_all", **asked: str) -> AsyncIterator[Listener]:
        """Open a stream; ``last_event_id`` is sent as a header, anything else as a parameter."""
        headers = {"Authorization": f"Bearer {key}"}
        if "last_event_id" in asked:
            headers["Last-Event-ID"] = asked.pop("last_event_id")
        async with (
            httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client,
            client.stream("GET", f"{self.url}/v1/stream", params=asked, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                await answer.aread()
                answer.raise_for_status()
            yield Listener(answer)


@pytest.fixture
async def streaming(database_url: str) -> AsyncIterator[Streaming]:
    async with served_api(database_url) as api, served(Front({}, api.app)) as server:
        yield Streaming(api, server.url)
        api.ending.set()


def number(event: Event) -> int:
    return int(str(event.data["id"]), 16)


async def test_a_stream_gives_what_was_told_and_what_is_told_from_then_on(
    streaming: Streaming,
) -> None:
    await say(streaming.api, transition(1), merged(ANA), retraction(1))
    async with streaming.listening() as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        first, second = await stream.event(), await stream.event()
        assert (first.event, first.data["kind"]) == ("journey.transition", "transition")
        assert (second.event, second.data["kind"]) == ("journey.transition_retracted", "retraction")
        await say(streaming.api, transition(2))
        assert number(await stream.event()) == 2


async def test_an_event_is_the_item_of_the_feed(streaming: Streaming) -> None:
    await say(streaming.api, transition(1))
    [item] = (await streaming.api.client.get("/v1/transitions")).json()["items"]
    async with streaming.listening() as stream:
        assert (await stream.event()).data == item


async def test_a_reader_goes_on_behind_the_last_event_it_has(streaming: Streaming) -> None:
    await say(streaming.api, *(transition(n) for n in range(5)))
    async with streaming.listening() as stream:
        events = [await stream.event() for _ in range(5)]
    for seen in range(5):
        async with streaming.listening(last_event_id=events[seen].id) as stream:
            await say(streaming.api, transition(100 + seen))
            got = [number(await stream.event()) for _ in range(5 - seen + seen)]
            assert got == [*range(seen + 1, 5), *range(100, 101 + seen)]


async def test_an_id_is_the_cursor_of_the_feed_and_the_other_way_round(
    streaming: Streaming,
) -> None:
    await say(streaming.api, transition(1), transition(2))
    async with streaming.listening() as stream:
        id_ = (await stream.event()).id
    answer = await streaming.api.client.get("/v1/transitions", params={"cursor": id_, "limit": 1})
    assert [int(item["id"], 16) for item in answer.json()["items"]] == [2]
    await say(streaming.api, transition(3))
    async with streaming.listening(cursor=answer.json()["next"]) as stream:
        assert number(await stream.event()) == 3


async def test_an_unknown_id_is_refused_before_the_stream_begins(streaming: Streaming) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        async with streaming.listening(last_event_id="never-given"):
            pass
    assert refused.value.response.status_code == 400
    assert refused.value.response.json()["code"] == "bad_cursor"


async def test_a_silent_stream_says_that_it_is_there(streaming: Streaming) -> None:
    async with streaming.listening() as stream:
        for _ in range(3):
            await stream.comment()


async def test_a_stream_of_only_what_comes_leaves_out_what_was(streaming: Streaming) -> None:
    await say(streaming.api, transition(1))
    async with streaming.listening(start="latest") as stream:
        await stream.comment()
        await say(streaming.api, transition(2))
        assert number(await stream.event()) == 2


async def test_a_stream_ends_when_the_process_stops(streaming: Streaming) -> None:
    async with streaming.listening() as stream:
        await stream.comment()
        streaming.api.ending.set()
        await stream.end()


class Revocable(KnownKeys):
    """Knows one key until it is revoked."""

    def __init__(self) -> None:
        super().__init__({"sk_all": EVERYTHING})
        self.revoked = False

    async def authenticate(self, presented: str | None) -> Principal:
        if self.revoked:
            raise Unauthorized("the key was revoked")
        return await super().authenticate(presented)


def api_with(api: Served, streams: Streams, keys: Directory | None = None) -> FastAPI:
    """Return *api* with other streams, and other keys if they are given."""
    outlets = replace(api.outlets, streams=streams)
    return built_api(api.engine, api.clock, api.log, outlets, keys=keys)


async def test_a_stream_ends_when_its_key_is_revoked(database_url: str) -> None:
    keys, stopping = Revocable(), asyncio.Event()
    async with served_api(database_url) as api:
        streams = Streams(Databases(api.engine), stopping, heartbeat_seconds=0.05)
        app = api_with(api, streams, keys)
        async with (
            served(create_app(app, {})) as server,
            Streaming(api, server.url).listening() as stream,
        ):
            await stream.comment()
            keys.revoked = True
            await stream.end()


async def test_streams_are_refused_beyond_what_a_process_holds(database_url: str) -> None:
    stopping = asyncio.Event()
    async with served_api(database_url) as api:
        app = api_with(api, Streams(Databases(api.engine), stopping, most=1))
        async with served(create_app(app, {})) as server:
            streaming = Streaming(api, server.url)
            async with streaming.listening() as stream:
                await stream.comment()
                with pytest.raises(httpx.HTTPStatusError) as refused:
                    async with streaming.listening():
                        pass
            assert refused.value.response.status_code == 503
            assert "retry-after" in refused.value.response.headers

            async def there_is_room_again() -> bool:
                try:
                    async with streaming.listening():
                        return True
                except httpx.HTTPStatusError:
                    return False

            await eventually(there_is_room_again)
            stopping.set()


async def test_readers_who_leave_give_their_connections_back(streaming: Streaming) -> None:
    for _ in range(20):
        async with streaming.listening() as stream:
            await stream.comment()
    async with streaming.listening() as stream:
        await say(streaming.api, transition(1))
        assert number(await stream.event()) == 1


async def test_many_streams_share_what_they_read(streaming: Streaming) -> None:
    readers = 30
    before = await reads(streaming)
    async with AsyncExitStack() as stack:
        opened = [streaming.listening(start="latest") for _ in range(readers)]
        listeners = [await stack.enter_async_context(one) for one in opened]
        for said in range(1, 6):
            await say(streaming.api, transition(said))
            told = await asyncio.gather(*(listener.event() for listener in listeners))
            assert {number(event) for event in told} == {said}
    assert await reads(streaming) - before < 5 * readers


async def reads(streaming: Streaming) -> int:
    """Return how often the index of the outbox was read by."""
    connection = streaming.api.histories.connection
    await connection.execute("SELECT pg_stat_force_next_flush()")
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    counted: int = await connection.fetchval(
        "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'outbox_seq_key'"
    )
    return counted
