"""Reads on a real streaming replica: what it shows, what it must not be asked, when it is gone."""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from services.api import replicas
from services.api.databases import open_databases
from services.api.replicas import Replica
from services.api.transactions import reading
from shared.clock import wall_clock
from shared.errors import DatabaseUnavailable
from shared.instants import DAY, HOUR, SECOND, parse_rfc3339, rfc3339
from shared.storage.engine import open_engine
from tests.eventually import eventually
from tests.fixtures.replicas import Replicated, ask, replicated
from tests.fixtures.served_api import NOW, START, Served, served_api
from tests.fixtures.told import Told
from tests.fixtures.told_messages import say, transition
from tests.postgres import address, execute

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANA = "/v1/customers/user_id:u_1"
FUTURE = rfc3339(wall_clock() + DAY)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")  # noqa: S108 - only a folder of our own in it is used
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(folder: Path) -> AsyncIterator[Replicated]:
    async with replicated(folder) as servers:
        yield servers


@pytest_asyncio.fixture(loop_scope="module")
async def served(both: Replicated) -> AsyncIterator[Served]:
    """An API over a database of this test's own on both, with three touchpoints of Ana."""
    name = f"test_{uuid4().hex[:8]}"
    await execute(both.primary_url, f"CREATE DATABASE {name} TEMPLATE journeyline")
    await both.caught_up()
    urls = [address(url, name) for url in (both.primary_url, both.replica_url)]
    async with served_api(urls[0], replica_url=urls[1]) as api:
        await api.histories.store(*visits(3), recorded_at=START + DAY)
        await both.caught_up()
        await replica_of(api).look()
        assert replica_of(api).trouble is None
        try:
            yield api
        finally:
            with suppress(OSError):
                await both.resume()


def visits(count: int, first: int = 0) -> list[Told]:
    return [Told(event_id=f"e{n}", at=START + n * HOUR) for n in range(first, first + count)]


def replica_of(served: Served) -> Replica:
    replica = served.databases.replica
    assert replica is not None
    return replica


async def total(served: Served, **params: str) -> int:
    answer = await served.client.get(ANA, params=params)
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["touchpoints"]["total"]
    return number


async def test_an_answer_is_what_the_replica_has_and_says_how_fresh_that_is(
    served: Served, both: Replicated
) -> None:
    await both.pause()
    await served.histories.store(*visits(1, 3), recorded_at=START + DAY)
    await served.histories.read_through(NOW + HOUR)
    served.clock.now = NOW + HOUR
    for path in (ANA, f"{ANA}/timeline", f"{ANA}/journey", f"{ANA}/explanation", "/v1/customers"):
        fresh = (await served.client.get(path)).json()["freshness"]
        assert fresh["as_of"] == rfc3339(NOW), path
        assert (fresh["lag_seconds"], fresh["stale"]) == (HOUR / SECOND, True), path
    assert await total(served) == 3
    await both.resume()
    await both.caught_up()
    assert await total(served) == 4
    assert (await served.client.get(ANA)).json()["freshness"]["as_of"] == rfc3339(NOW + HOUR)


async def test_what_was_waited_for_is_in_the_answer_however_far_behind_the_replica_is(
    served: Served, both: Replicated
) -> None:
    await both.pause()
    await served.histories.store(*visits(2, 3), recorded_at=START + DAY)
    waited = {"wait_for": "web/e4"}
    assert await total(served, **waited) == 5
    page = await served.client.get(f"{ANA}/timeline", params={**waited, "kinds": "touchpoint"})
    assert page.json()["items"][0]["event_id"] == "e4"
    journey = await served.client.get(f"{ANA}/journey", params=waited)
    assert journey.json()["counts"]["looked"] == 5
    assert await total(served) == 3


async def test_what_is_decided_by_is_read_on_the_primary(served: Served, both: Replicated) -> None:
    await both.pause()
    await served.histories.store(*visits(1, 3), recorded_at=START + DAY)
    receipt = await served.client.get("/v1/receipts/web/e3")
    assert receipt.json()["status"] == "stored"
    made = await served.client.post("/v1/sources", json={"name": "till", "channel": "in_store"})
    assert made.status_code == 201
    names = [one["name"] for one in (await served.client.get("/v1/sources")).json()["items"]]
    assert "till" in names


async def test_pages_that_begin_on_the_primary_do_not_go_on_where_less_is_known(
    served: Served, both: Replicated
) -> None:
    await both.pause()
    await served.histories.store(*visits(4, 3), recorded_at=START + DAY)
    params = {"wait_for": "web/e6", "kinds": "touchpoint", "limit": "2"}
    seen, pages = [], 0
    answer = await served.client.get(f"{ANA}/timeline", params=params)
    while True:
        seen += [item["event_id"] for item in answer.json()["items"]]
        pages += 1
        if "link" not in answer.headers:
            break
        if pages == 2:
            await both.resume()
            await both.caught_up()
        answer = await served.client.get(answer.headers["link"].partition(">")[0][1:])
    assert seen == [f"e{n}" for n in reversed(range(7))]


async def test_pages_that_begin_on_the_replica_never_skip_or_repeat_on_the_primary(
    served: Served, both: Replicated
) -> None:
    await both.pause()
    await served.histories.store(*visits(3, 3), recorded_at=START + DAY)
    first = await served.client.get(f"{ANA}/timeline?kinds=touchpoint&limit=1&order=asc")
    assert first.json()["items"][0]["event_id"] == "e0"
    replica_of(served).rest("a test says so")
    second = await served.client.get(first.headers["link"].partition(">")[0][1:])
    assert second.json()["items"][0]["event_id"] == "e1"


async def test_a_transaction_that_is_open_on_the_primary_keeps_its_time_unsettled(
    served: Served, both: Replicated
) -> None:
    async with served.engine.connect() as writer:
        await writer.exec_driver_sql("UPDATE sources SET name = name")
        began = await ask(both.primary_url, "SELECT clock_timestamp()")
        await replica_of(served).look()
        await both.caught_up()
        answer = await served.client.get(f"{ANA}/journey", params={"known_at": FUTURE})
        assert parse_rfc3339(answer.json()["known_at"]) < parse_rfc3339(str(began))
    await replica_of(served).look()
    await both.caught_up()
    answer = await served.client.get(f"{ANA}/journey", params={"known_at": FUTURE})
    assert parse_rfc3339(answer.json()["known_at"]) > parse_rfc3339(str(began))


async def test_what_is_not_replayed_yet_is_not_settled(served: Served, both: Replicated) -> None:
    await both.pause()
    paused = wall_clock()
    await served.histories.store(*visits(1, 3), recorded_at=wall_clock())
    await replica_of(served).look()
    answer = await served.client.get(f"{ANA}/journey", params={"known_at": FUTURE})
    assert parse_rfc3339(answer.json()["known_at"]) <= paused
    assert answer.json()["counts"]["looked"] == 3


@pytest.mark.parametrize("seed", range(2))
async def test_what_the_replica_said_was_known_is_what_the_primary_says_afterwards(
    served: Served, seed: int
) -> None:
    chance = random.Random(seed)
    said: dict[str, list[str]] = {}

    async def write() -> None:
        for number in range(3, 33):
            async with served.histories.connection.transaction():
                recorded_at = wall_clock()
                await asyncio.sleep(chance.random() * 0.03)
                await served.histories.store(*visits(1, number), recorded_at=recorded_at)
                await asyncio.sleep(chance.random() * 0.03)

    async def look() -> None:
        while not writing.done():
            await replica_of(served).look()
            await asyncio.sleep(chance.random() * 0.05)

    async def known_at(moment: str) -> tuple[str, list[str]]:
        params = {"known_at": moment, "kinds": "touchpoint", "limit": "500"}
        document = (await served.client.get(f"{ANA}/timeline", params=params)).json()
        return document["known_at"], [item["event_id"] for item in document["items"]]

    writing = asyncio.create_task(write())
    looking = asyncio.create_task(look())
    while not writing.done():
        moment, events = await known_at(FUTURE)
        said[moment] = events
    await asyncio.gather(writing, looking)
    replica_of(served).rest("the primary is asked now")
    assert len({len(events) for events in said.values()}) > 1
    for moment, events in said.items():
        assert await known_at(moment) == (moment, events)


async def test_a_cursor_of_the_feed_is_never_moved_back(served: Served, both: Replicated) -> None:
    await say(served, transition(1))
    await both.caught_up()
    await both.pause()
    await say(served, transition(2))
    replica_of(served).rest("the primary is asked first")
    ahead = (await served.client.get("/v1/transitions?start=latest")).json()["next"]
    replica_of(served).trouble = None
    behind = (await served.client.get("/v1/transitions", params={"cursor": ahead})).json()
    assert behind == {"items": [], "next": ahead}
    await both.resume()
    await say(served, transition(3))
    await both.caught_up()
    [item] = (await served.client.get("/v1/transitions", params={"cursor": ahead})).json()["items"]
    assert item["seq"] == 3


async def test_a_follower_of_the_feed_sees_each_message_once_wherever_it_reads(
    served: Served, both: Replicated
) -> None:
    chance = random.Random(7)

    async def write() -> None:
        for number in range(1, 41):
            await say(served, transition(number))
            if number % 8 == 0:
                await (both.pause() if number % 16 else both.resume())
        await both.resume()

    writing = asyncio.create_task(write())
    seen: list[int] = []
    params: dict[str, str] = {"limit": "3"}
    while not writing.done() or len(seen) < 40:
        if chance.random() < 0.3:
            replica_of(served).trouble = chance.choice([None, "a test says so"])
        page = (await served.client.get("/v1/transitions", params=params)).json()
        seen += [item["seq"] for item in page["items"]]
        params["cursor"] = page["next"]
    await writing
    assert seen == list(range(1, 41))


async def test_reads_go_to_the_primary_while_the_replica_is_gone(
    served: Served, both: Replicated
) -> None:
    assert await total(served) == 3
    await both.stop_replica()
    try:
        statuses = [(await served.client.get(ANA)).status_code for _ in range(5)]
        assert set(statuses[1:]) == {200}
        assert statuses[0] in {200, 503}  # a connection that had been open broke under the first
        assert replica_of(served).trouble is not None
        health = (await served.client.get("/v1/health")).json()
        assert health["replica"]["serves"] is False
    finally:
        await both.start_replica()
    await both.caught_up()
    await replica_of(served).look()
    assert replica_of(served).trouble is None
    await both.pause()
    await served.histories.store(*visits(1, 3), recorded_at=START + DAY)
    assert await total(served) == 3


async def test_what_is_no_replica_of_the_primary_is_not_read_from(
    served: Served, both: Replicated, database_url: str
) -> None:
    async with open_engine(both.primary_url, pool_size=1) as itself:
        replica = Replica(itself, served.engine)
        await replica.look()
        assert replica.trouble == "it is no standby: API_REPLICA_URL has to name one"
    async with (
        open_engine(database_url, pool_size=1) as foreign,
        open_engine(both.replica_url, pool_size=1) as standby,
    ):
        replica = Replica(standby, foreign)
        await replica.look()
        assert "another database" in str(replica.trouble)


async def test_a_read_that_the_replica_has_to_cut_off_is_told_to_come_again(
    served: Served,
) -> None:
    counting = "SELECT count(*) FROM quarantine"
    primary = served.engine.url.render_as_string(hide_password=False)

    async def read_across_a_drop() -> None:
        async with reading(replica_of(served).engine) as connection:
            assert await connection.fetchval(counting) == 0
            await execute(primary, "DROP TABLE quarantine CASCADE")
            for _ in range(100):  # the replica waits half a second for readers, then goes on
                await asyncio.sleep(0.1)
                await connection.fetchval(counting)

    with pytest.raises(DatabaseUnavailable):
        await read_across_a_drop()


async def test_the_setting_opens_a_replica_that_is_looked_after(
    served: Served, both: Replicated
) -> None:
    async with open_databases(served.engine, both.replica_url, pool_size=2, name="t") as opened:
        for current, standby in ((False, True), (True, False)):
            async with opened.reading(current=current) as connection:
                assert await connection.fetchval("SELECT pg_is_in_recovery()") is standby
        assert opened.replica is not None
        opened.replica.rest("a test says so")

        async def serves() -> bool:
            return opened.replica is not None and opened.replica.trouble is None

        await eventually(serves)
    async with (
        open_databases(served.engine, "", pool_size=2, name="t") as alone,
        alone.reading() as connection,
    ):
        assert await connection.fetchval("SELECT pg_is_in_recovery()") is False


async def test_whose_replica_it_is_has_to_be_known_before_it_is_read_from(served: Served) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    async with open_engine(nowhere, pool_size=1) as away:
        replica = Replica(replica_of(served).engine, away)
        await replica.look()
        assert "has not been seen" in str(replica.trouble)


async def test_a_replica_that_hangs_is_found_out_soon(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "PATIENCE_SECONDS", 0.3)
    answered = asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answered.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with open_engine(f"postgresql://a@127.0.0.1:{port}/a", pool_size=1) as frozen:
        replica = Replica(frozen, served.engine)
        async with asyncio.timeout(4):
            await replica.look()
        assert replica.trouble == "it did not answer within 0.3 s"
        answered.set()
        await asyncio.sleep(0.05)
    server.close()
