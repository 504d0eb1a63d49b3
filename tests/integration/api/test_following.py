"""A follower of the feed sees everything once, whoever writes meanwhile."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Final

import httpx
import pytest

from services.classifier.publishing import Publisher
from shared.instants import HOUR
from shared.storage.engine import open_engine
from tests.eventually import eventually
from tests.fixtures.classification import START as LONG_AGO
from tests.fixtures.classification import Classifier, Sent
from tests.fixtures.served_api import Served, served_api

PEOPLE: Final = 12
BATCHES: Final = 12
KINDS: Final = {"journey.transition": "transition", "journey.transition_retracted": "retraction"}


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with served_api(database_url) as api:
        yield api


def batches(seed: int, partition: int) -> list[list[Sent]]:
    """Return what comes off one partition: out of order, so that much is taken back again."""
    chance = random.Random(seed * 10 + partition)
    return [
        [
            Sent(
                f"{partition}-{batch}-{number}",
                (f"user_id:u{partition}-{chance.randrange(PEOPLE)}",),
                at=LONG_AGO + chance.randrange(24 * 300) * HOUR,
                type=chance.choice(["product_viewed", "order_completed", "page_viewed"]),
            )
            for number in range(25)
        ]
        for batch in range(BATCHES)
    ]


class Follower:
    """Follows the feed by its cursors, as a CRM system would."""

    def __init__(self, client: httpx.AsyncClient, limit: int) -> None:
        self._client = client
        self._asked: dict[str, str] = {"limit": str(limit)}
        self.seen: list[tuple[str, str, int]] = []
        self.numbers: list[int] = []

    async def read(self) -> bool:
        """Read one page; tell whether anything was on it."""
        answer = await self._client.get("/v1/transitions", params=self._asked)
        page = answer.raise_for_status().json()
        self._asked["cursor"] = page["next"]
        self.seen += [(item["kind"], item["id"], item["n"]) for item in page["items"]]
        self.numbers += [item["seq"] for item in page["items"]]
        return bool(page["items"])

    async def follow(self, writing: asyncio.Event) -> None:
        """Read until nothing comes any more after *writing* has ended."""
        while not writing.is_set() or await self.read():
            await self.read()


async def classify(classifier: Classifier, partition: int, work: Sequence[Sequence[Sent]]) -> None:
    for batch in work:
        await classifier.feed(*batch, partition=partition)


async def test_two_classifiers_write_and_every_follower_sees_each_message_once(
    served: Served, database_url: str
) -> None:
    over = asyncio.Event()
    async with AsyncExitStack() as stack:
        engines = [
            await stack.enter_async_context(open_engine(database_url, pool_size=4))
            for _ in range(2)
        ]
        writers = [Classifier(engine) for engine in engines]
        publishers = [Publisher(engine, served.clock) for engine in engines]
        publishing = [asyncio.create_task(one.run(over)) for one in publishers]
        followers = [Follower(served.client, limit) for limit in (1, 7)]
        written = asyncio.Event()
        following = [asyncio.create_task(one.follow(written)) for one in followers]
        await asyncio.gather(*(classify(w, p, batches(5, p)) for p, w in enumerate(writers)))
        await eventually(lambda: all_numbered(writers[0]))
        written.set()
        await asyncio.gather(*following)
        over.set()
        await asyncio.gather(*publishing)
        rows = await writers[0].rows(
            "SELECT customer_id, data ->> 'id' AS id, (data ->> 'n')::int AS n, type, id AS row"
            "  FROM outbox ORDER BY seq"
        )
    told = [(KINDS[str(row["type"])], str(row["id"]), int(str(row["n"]))) for row in rows]
    assert len({*told}) == len(told) > 200
    assert any(kind == "retraction" for kind, _, _ in told)
    for follower in followers:
        assert follower.seen == told
        assert follower.numbers == list(range(1, len(told) + 1))
    for customer in {row["customer_id"] for row in rows}:
        of_customer = [int(str(row["row"])) for row in rows if row["customer_id"] == customer]
        assert of_customer == sorted(of_customer)


async def all_numbered(classifier: Classifier) -> bool:
    return not await classifier.rows("SELECT FROM outbox WHERE seq IS NULL")
