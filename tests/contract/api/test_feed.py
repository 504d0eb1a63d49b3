"""``GET /v1/transitions``: everything that was told of journeys, once and in order."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import pytest

from shared.instants import rfc3339
from shared.touchpoints import JsonObject
from tests.fixtures.served_api import NOW, Served
from tests.fixtures.told_messages import (
    ANA,
    forget_through,
    merged,
    publish,
    retraction,
    say,
    transition,
    write,
)

FEED = "/v1/transitions"


@dataclass(frozen=True, slots=True)
class Page:
    items: list[JsonObject]
    next: str


async def page(served: Served, **asked: str | int) -> Page:
    answer = await served.client.get(FEED, params=asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["link"].endswith('rel="next"')
    return msgspec.json.decode(answer.content, type=Page)


def numbers(items: Sequence[JsonObject]) -> list[int]:
    return [int(str(item["id"]), 16) for item in items]


async def test_an_item_is_the_transition_with_whose_it_is_and_its_number(served: Served) -> None:
    await say(served, transition(7))
    [item] = (await page(served)).items
    assert item == {
        "kind": "transition",
        "id": f"{7:032x}",
        "n": 1,
        "seq": 1,
        "customer_id": str(ANA),
        "model": "shop",
        "version": "v1",
        "historical": False,
        "axis": "stage",
        "move": "advance",
        "from": "awareness",
        "to": "decision",
        "at": rfc3339(NOW),
        "decided_at": rfc3339(NOW),
        "superseded_at": None,
        "cycle": 1,
        "rule": "interested",
        "cause": {"touchpoint": {"source": "web", "event_id": "e7"}, "evidence": []},
    }


async def test_a_retraction_is_an_item_of_its_own(served: Served) -> None:
    await say(served, transition(1), retraction(1), transition(1, n=2))
    told = (await page(served)).items
    assert [(item["kind"], item["n"]) for item in told] == [
        ("transition", 1),
        ("retraction", 1),
        ("transition", 2),
    ]
    before, taken_back, _ = told
    assert taken_back == {
        **before,
        "kind": "retraction",
        "seq": 2,
        "superseded_at": rfc3339(NOW),
    }


async def test_what_is_told_of_customers_and_models_is_not_in_the_feed(served: Served) -> None:
    await say(served, merged(ANA), transition(1), (None, "model.activated", {}), merged(ANA))
    found = await page(served)
    assert numbers(found.items) == [1]
    await say(served, transition(2))
    assert numbers((await page(served, cursor=found.next)).items) == [2]


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
async def test_pages_hold_every_item_once_and_in_order(served: Served, limit: int) -> None:
    await say(served, *(transition(number) for number in range(7)))
    found, cursor = await page(served, limit=limit), ""
    seen = numbers(found.items)
    while found.items:
        cursor = found.next
        found = await page(served, limit=limit, cursor=cursor)
        seen += numbers(found.items)
    assert seen == list(range(7))
    await say(served, transition(7))
    assert numbers((await page(served, limit=limit, cursor=found.next)).items) == [7]


async def test_an_empty_feed_gives_a_cursor_that_waits_for_what_comes(served: Served) -> None:
    found = await page(served)
    assert found.items == []
    await say(served, transition(1))
    assert numbers((await page(served, cursor=found.next)).items) == [1]


async def test_the_end_can_be_taken_without_reading_what_is_before_it(served: Served) -> None:
    await say(served, transition(1))
    found = await page(served, start="latest")
    assert found.items == []
    await say(served, transition(2))
    assert numbers((await page(served, cursor=found.next)).items) == [2]


async def test_what_is_not_published_yet_is_not_in_the_feed(served: Served) -> None:
    await write(served, [transition(1)])
    found = await page(served)
    assert found.items == []
    await publish(served)
    assert numbers((await page(served, cursor=found.next)).items) == [1]


async def test_a_cursor_from_before_what_is_kept_is_told_so(served: Served) -> None:
    await say(served, *(transition(number) for number in range(4)))
    early = (await page(served, limit=1)).next
    last_gone = (await page(served, limit=3)).next
    await forget_through(served.histories.connection, 3)
    answer = await served.client.get(FEED, params={"cursor": early})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_expired")
    assert numbers((await page(served, cursor=last_gone)).items) == [3]
    assert numbers((await page(served)).items) == [3]


@pytest.mark.parametrize(
    "asked",
    [
        {"cursor": "AAAA"},
        {"cursor": ""},
        {"limit": "0"},
        {"limit": "501"},
        {"start": "now"},
        {"since": "yesterday"},
    ],
)
async def test_what_cannot_be_asked_is_refused(served: Served, asked: dict[str, str]) -> None:
    answer = await served.client.get(FEED, params=asked)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_cursor_of_another_list_is_refused(served: Served) -> None:
    await say(served, *(transition(number) for number in range(2)))
    cursor = (await page(served, limit=1)).next
    answer = await served.client.get("/v1/customers", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")
