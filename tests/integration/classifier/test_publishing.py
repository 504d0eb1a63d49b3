"""What has to be told gets its place in the feed after commit, without gaps, in order."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import asyncpg

from services.classifier.publishing import Publisher
from shared.instants import DAY, Instant
from shared.upkeep.outbox import tell
from shared.upkeep.transactions import transaction
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.fixtures.classification import START, Classifier

ANA, BEN = UUID(int=1), UUID(int=2)
WRITERS = 4
MESSAGES = 40


async def say(
    connection: asyncpg.Connection, *texts: str, of: UUID = ANA, at: Instant = START
) -> None:
    await tell(connection, [(of, "journey.transition", {"text": text}) for text in texts], at=at)


async def feed(classifier: Classifier) -> list[tuple[int, str]]:
    """Return what is published, in order."""
    rows = await classifier.rows(
        "SELECT seq, data ->> 'text' AS text FROM outbox WHERE seq IS NOT NULL ORDER BY seq"
    )
    return [(int(str(row["seq"])), str(row["text"])) for row in rows]


async def bounds(classifier: Classifier) -> tuple[object, object]:
    [row] = await classifier.rows("SELECT published, forgotten FROM feed")
    return row["published"], row["forgotten"]


def publisher(classifier: Classifier) -> Publisher:
    return Publisher(classifier.engine, lambda: classifier.now)


async def test_messages_are_numbered_from_one_without_gaps(classifier: Classifier) -> None:
    async with transaction(classifier.engine) as connection:
        await say(connection, "a", "b")
    assert await publisher(classifier).publish() == 2
    async with transaction(classifier.engine) as connection:
        await say(connection, "c")
    assert await publisher(classifier).publish() == 1
    assert await publisher(classifier).publish() == 0
    assert await feed(classifier) == [(1, "a"), (2, "b"), (3, "c")]


async def test_messages_of_the_feed_have_numbers_without_gaps_among_themselves(
    classifier: Classifier,
) -> None:
    kinds = ["transition", "merged", "transition_retracted", "merged", "transition", "transition"]
    for kind in kinds:
        name = f"journey.{kind}" if kind.startswith("transition") else f"customer.{kind}"
        async with transaction(classifier.engine) as connection:
            await tell(connection, [(ANA, name, {"text": kind})], at=START)
        if kind == "transition_retracted":
            assert await publisher(classifier).publish() == 3
    assert await publisher(classifier).publish() == 3
    rows = await classifier.rows("SELECT seq, feed_seq FROM outbox ORDER BY seq")
    assert [(row["seq"], row["feed_seq"]) for row in rows] == [
        (1, 1),
        (2, None),
        (3, 2),
        (4, None),
        (5, 3),
        (6, 4),
    ]


async def test_what_is_not_committed_gets_no_number_and_leaves_no_gap(
    classifier: Classifier,
) -> None:
    async with transaction(classifier.engine) as slow:
        await say(slow, "began first")
        async with transaction(classifier.engine) as quick:
            await say(quick, "ended first", of=BEN)
        assert await publisher(classifier).publish() == 1
    assert await publisher(classifier).publish() == 1
    assert await feed(classifier) == [(1, "ended first"), (2, "began first")]


async def test_what_is_taken_back_by_the_database_was_never_told(classifier: Classifier) -> None:
    async with classifier.engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        undone = raw.transaction()
        await undone.start()
        await say(raw, "never was")
        await undone.rollback()
    async with transaction(classifier.engine) as connection_after:
        await say(connection_after, "was")
    await publisher(classifier).publish()
    assert await feed(classifier) == [(1, "was")]


async def test_numbers_go_on_where_they_were_when_messages_are_gone(classifier: Classifier) -> None:
    async with transaction(classifier.engine) as connection:
        await say(connection, "a", "b")
    await publisher(classifier).publish()
    await classifier.execute("DELETE FROM outbox")
    async with transaction(classifier.engine) as connection:
        await say(connection, "c")
    await publisher(classifier).publish()
    assert await feed(classifier) == [(3, "c")]


async def test_many_writers_and_two_publishers_make_one_feed(classifier: Classifier) -> None:
    writing = True

    async def write(writer: int) -> None:
        customer = UUID(int=writer)
        for number in range(MESSAGES):
            async with transaction(classifier.engine) as connection:
                await say(connection, f"{writer}:{number}", of=customer)
                await asyncio.sleep(0.001 * (number % 3))

    async def publish() -> None:
        one = publisher(classifier)
        while writing or await one.publish():
            await asyncio.sleep(0.001)
            await one.publish()

    seen: list[list[tuple[int, str]]] = []

    async def look() -> None:
        while writing:
            seen.append(await feed(classifier))
            await asyncio.sleep(0.003)

    others = [asyncio.create_task(publish()) for _ in range(2)]
    watching = asyncio.create_task(look())
    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    writing = False
    await asyncio.gather(*others, watching)
    whole = await feed(classifier)
    assert [seq for seq, _ in whole] == list(range(1, WRITERS * MESSAGES + 1))
    assert all(whole[: len(part)] == part for part in seen)
    for writer in range(WRITERS):
        assert of_writer(whole, writer) == [f"{writer}:{number}" for number in range(MESSAGES)]


def of_writer(whole: Sequence[tuple[int, str]], writer: int) -> list[str]:
    return [text for _, text in whole if text.startswith(f"{writer}:")]


async def test_a_publisher_leaves_the_turn_to_the_one_that_has_it(classifier: Classifier) -> None:
    async with transaction(classifier.engine) as connection:
        await say(connection, "a")
    async with transaction(classifier.engine) as other:
        await other.execute("SELECT pg_advisory_xact_lock(x'666565642D736571'::bigint)")
        assert await publisher(classifier).publish() == 0
    assert await publisher(classifier).publish() == 1


async def test_old_messages_are_forgotten_from_the_beginning_only(classifier: Classifier) -> None:
    async with transaction(classifier.engine) as connection:
        for age in (40, 35, 5, 33, 1):
            await say(connection, f"{age} days", at=classifier.now - age * DAY)
    await publisher(classifier).publish()
    assert await publisher(classifier).forget() == 2
    assert [text for _, text in await feed(classifier)] == ["5 days", "33 days", "1 days"]
    assert await bounds(classifier) == (5, 2)
    assert await publisher(classifier).forget() == 0


async def test_what_is_not_numbered_yet_is_never_forgotten(classifier: Classifier) -> None:
    async with transaction(classifier.engine) as connection:
        await say(connection, "old", at=classifier.now - 400 * DAY, of=uuid4())
    assert await publisher(classifier).forget() == 0
    assert await publisher(classifier).publish() == 1


async def test_a_running_publisher_publishes_and_ends_when_told(classifier: Classifier) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(publisher(classifier).run(stopping))
    async with transaction(classifier.engine) as connection:
        await say(connection, "a")

    async def published() -> bool:
        return bool(await feed(classifier))

    await eventually(published)
    stopping.set()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
