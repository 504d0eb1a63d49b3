"""What was believed stays what it was, whatever a real classifier does to the customers later."""

from collections.abc import AsyncIterator
from typing import Final

import pytest

from shared.clock import wall_clock
from shared.instants import DAY, HOUR, Instant, rfc3339
from shared.storage.engine import open_engine
from tests.fixtures.classification import Classifier, Sent
from tests.fixtures.served_api import NOW, Served, served_api

ANONYMOUS: Final = "anonymous_id:a_1"
USER: Final = "user_id:u_1"
TIMELINE: Final = f"/v1/customers/{ANONYMOUS}/timeline"


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with served_api(database_url) as api:
        yield api


@pytest.fixture
async def classifier(served: Served, database_url: str) -> AsyncIterator[Classifier]:
    del served  # it has made the database
    async with open_engine(database_url, pool_size=2) as engine:
        yield Classifier(engine)


async def believed(served: Served, *times: Instant) -> list[list[dict[str, object]]]:
    """Return the moves on the timeline as known at each time, without and with those taken back."""
    return [
        (
            await served.client.get(
                TIMELINE,
                params={
                    "kinds": "transition",
                    "known_at": rfc3339(at),
                    "superseded": superseded,
                },
            )
        ).json()["items"]
        for at in times
        for superseded in ("false", "true")
    ]


async def test_moves_handed_to_another_customer_stay_in_the_beliefs_of_before(
    served: Served, classifier: Classifier
) -> None:
    start = NOW - 9 * DAY
    views = [
        Sent(f"v{n}", (ANONYMOUS,), at=start - n * HOUR, type="product_viewed") for n in (1, 2, 3)
    ]
    await classifier.feed(*views)
    first = wall_clock()
    await classifier.feed(Sent("late", (ANONYMOUS,), at=start - DAY, type="product_viewed"))
    second = wall_clock()
    before = await believed(served, first, second)
    assert all(before)
    assert all(any(item["decided_at"] for item in items) for items in before)
    assert any(item["superseded_at"] for item in before[-1])
    assert not any(item["superseded_at"] for items in before[:-1] for item in items)

    await classifier.feed(Sent("login", (USER, ANONYMOUS), at=start, type="identify"))
    rows = await classifier.rows("SELECT DISTINCT customer_id FROM transitions")
    assert len(rows) == 1, "the login was to hand the moves over"
    assert await believed(served, first, second) == before

    await classifier.feed(Sent("bought", (USER,), at=start - 2 * DAY, type="order_completed"))
    assert await believed(served, first, second) == before
    apart = await served.client.post(
        f"/v1/customers/{USER}/unlink", json={"identifier": ANONYMOUS, "reason": "not the same"}
    )
    assert apart.status_code == 200, apart.text
    assert await believed(served, first, second) == before
