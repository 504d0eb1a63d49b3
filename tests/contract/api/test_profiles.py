"""Customers in the shape of Segment's Profile API."""

import msgspec
import pytest

from shared.instants import HOUR
from shared.touchpoints import JsonObject
from tests.fixtures.served_api import START, Served
from tests.fixtures.told import Told

PROFILES = "/v1/spaces/s1/collections/users/profiles"
ANA = f"{PROFILES}/user_id:u_42"


class Page(msgspec.Struct, frozen=True):
    cursor: JsonObject
    data: list[dict[str, object]] = []
    traits: JsonObject = {}
    metadata: JsonObject = {}

    @property
    def names(self) -> list[object]:
        """What stands on the page, whatever it is of."""
        return [*self.data, *self.traits]


async def told_ana(served: Served) -> None:
    known = ("user_id:u_42", "email:ana@example.com")
    await served.histories.store(
        Told(event_id="e1", at=START, type="page_viewed", identifiers=("anonymous_id:a/7",)),
        Told(
            event_id="e2",
            at=START + HOUR,
            type="identify",
            identifiers=(*known, "anonymous_id:a/7"),
            traits={"plan": "pro", "age": 7},
        ),
        Told(
            event_id="e3",
            at=START + 2 * HOUR + 1_500,
            type="order_completed",
            identifiers=known,
            properties={"total": 99.5},
        ),
        recorded_at=START,
    )


async def read(served: Served, path: str, **asked: str | int) -> Page:
    answer = await served.client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=Page)


async def test_events_are_touchpoints_newest_first(served: Served) -> None:
    await told_ana(served)
    document = await read(served, f"{ANA}/events")
    events = document.data
    assert [(event["type"], event["message_id"]) for event in events] == [
        ("track", "e3"),
        ("identify", "e2"),
        ("page", "e1"),
    ]
    order = events[0]
    assert order["event"] == "order_completed"
    assert order["timestamp"] == "2025-03-01T14:00:00.001Z"
    assert order["properties"] == {"total": 99.5}
    assert order["source_id"] == "web"
    assert order["external_ids"] == [
        {"collection": "users", "type": "user_id", "id": "u_42", "encoding": "none"},
        {"collection": "users", "type": "email", "id": "ana@example.com", "encoding": "none"},
    ]
    assert document.cursor == {
        "url": f"{ANA}/events",
        "has_more": False,
        "next": "",
        "limit": 10,
    }


async def test_lists_go_on_behind_their_cursor(served: Served) -> None:
    await told_ana(served)
    for what in ("events", "external_ids", "traits"):
        whole = await read(served, f"{ANA}/{what}", limit=100)
        page = await read(served, f"{ANA}/{what}", limit=1)
        seen = page.names
        while page.cursor["has_more"]:
            page = await read(served, f"{ANA}/{what}", limit=1, next=str(page.cursor["next"]))
            seen += page.names
        assert seen == whole.names
        assert len(seen) > 1


async def test_events_are_chosen_by_name_and_time(served: Served) -> None:
    await told_ana(served)
    questions: tuple[tuple[dict[str, str | int], list[str]], ...] = (
        ({"include": "order_completed,identify"}, ["e3", "e2"]),
        ({"exclude": "order_completed"}, ["e2", "e1"]),
        ({"sort": "asc", "limit": 2}, ["e1", "e2"]),
        ({"start": "2025-03-01T13:00:00Z", "end": "2025-03-01T14:00:00Z"}, ["e2"]),
    )
    for asked, ids in questions:
        document = await read(served, f"{ANA}/events", **asked)
        assert [event["message_id"] for event in document.data] == ids


async def test_traits_hold_the_stage(served: Served) -> None:
    await told_ana(served)
    traits = (await read(served, f"{ANA}/traits")).traits
    assert traits == {
        "age": 7,
        "journey_stage": "onboarding",
        "journey_stage_since": "2025-03-01T14:00:00.0015Z",
        "plan": "pro",
    }
    chosen = await read(served, f"{ANA}/traits", include="journey_stage")
    assert chosen.traits == {"journey_stage": "onboarding"}


async def test_every_identifier_is_an_external_id_and_finds_the_profile(served: Served) -> None:
    await told_ana(served)
    ids = (await read(served, f"{PROFILES}/anonymous_id:a%2F7/external_ids")).data
    assert [(one["type"], one["id"]) for one in ids] == [
        ("anonymous_id", "a/7"),
        ("email", "ana@example.com"),
        ("user_id", "u_42"),
    ]


async def test_metadata_names_the_first_and_the_last_message(served: Served) -> None:
    await told_ana(served)
    metadata = (await read(served, f"{PROFILES}/email:ana%40example.com/metadata")).metadata
    assert metadata == {
        "created_at": "2025-03-01T12:00:00.000Z",
        "updated_at": "2025-03-01T14:00:00.001Z",
        "expires_at": None,
        "first_message_id": "e1",
        "first_source_id": "web",
        "last_message_id": "e3",
        "last_source_id": "web",
    }


@pytest.mark.parametrize("what", ["events", "traits", "external_ids", "metadata"])
async def test_a_profile_that_is_not_there_is_told_in_both_ways(served: Served, what: str) -> None:
    answer = await served.client.get(f"{PROFILES}/user_id:nobody/{what}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"
    assert answer.json()["error"] == {"code": "not_found", "message": "Profile was not found."}
