"""Refused items repaired, redriven and discarded over HTTP; what is appended is read back."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import httpx
import msgspec
import pytest

from shared.instants import DAY, HOUR, Instant, datetime_of
from shared.records import TouchpointRecord, decode
from shared.storage.audit import broken_links
from tests.fixtures.served_api import START, Served, client_of
from tests.fixtures.told import Told

INSERT = """
INSERT INTO quarantine (id, source, event_id, reason, message, errors, raw, raw_length, raw_sha256,
                        received_at, recorded_at)
VALUES ($1, $2, $3, $4, 'is required', '[]', $5, $6, 'abc', $7, $7)
"""
SOURCE = """
INSERT INTO sources (name, channel, created_at, updated_at) VALUES ('till', 'in_store', $1, $1)
"""


async def refuse(
    served: Served, number: int, item: object, *, at: Instant = START, reason: str = "required"
) -> str:
    """Put *item* into the quarantine of the source ``till`` and return its path."""
    connection = served.histories.connection
    if not await connection.fetchval("SELECT count(*) FROM sources"):
        await connection.execute(SOURCE, datetime_of(START))
    raw = item if isinstance(item, bytes) else msgspec.json.encode(item)
    event_id = item.get("event_id") if isinstance(item, dict) else None
    row = (UUID(int=number), "till", event_id, reason, raw, len(raw), datetime_of(at))
    await connection.execute(INSERT, *row)
    return f"/v1/quarantine/{UUID(int=number)}"


def sale(event_id: str, card: str, **members: object) -> dict[str, object]:
    """Return a sale whose card stands in the wrong member, as a wrong column map puts it."""
    return {
        "event_id": event_id,
        "type": "order_completed",
        "properties": {"card": card, "value": 3},
        **members,
    }


def appended(served: Served) -> list[TouchpointRecord]:
    records = [decode(record.value) for record in served.appended.records]
    touchpoints = [record for record in records if isinstance(record, TouchpointRecord)]
    assert len(touchpoints) == len(records)
    return touchpoints


MOVE = {"move": {"properties.card": "customer.loyalty_id"}}


async def test_a_repaired_item_goes_to_the_log_once_with_its_time_and_id(served: Served) -> None:
    path = await refuse(served, 1, sale("s1", "L-9"), at=START + HOUR)
    first = await served.client.post(f"{path}/redrive", json=MOVE)
    again = await served.client.post(f"{path}/redrive", json=MOVE)
    assert (first.status_code, again.status_code) == (200, 200)
    assert (first.json()["redriven"], again.json()["redriven"]) == (1, 0)
    assert first.json()["items"] == again.json()["items"]
    [record] = appended(served)
    assert (record.sender, record.id) == ("till", "s1")
    assert record.data.received_at == datetime_of(START + HOUR)
    assert record.data.redrive_of == UUID(int=1)
    assert record.data.identifiers == ("loyalty_id:L-9",)
    document = (await served.client.get(path)).json()
    assert (document["status"], document["redriven_event_id"]) == ("redriven", "s1")


async def test_an_item_that_is_redriven_several_times_at_once_goes_to_the_log_once(
    served: Served,
) -> None:
    path = await refuse(served, 1, sale("s1", "L-9"))
    bulk = {"filter": {"source": "till"}, **MOVE}
    answers = await asyncio.gather(
        *(served.client.post(f"{path}/redrive", json=MOVE) for _ in range(4)),
        served.client.post("/v1/quarantine/redrive", json=bulk),
    )
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["redriven"] for answer in answers) == 1
    assert len(appended(served)) == 1


async def test_a_patch_or_a_whole_item_repairs_as_well(served: Served) -> None:
    one = await refuse(served, 1, {"event_id": "p", "type": "order_completed"})
    other = await refuse(served, 2, b'{"broken', reason="bad_json")
    patch = {"patch": {"customer": {"email": " Ana@Example.com "}}}
    item = {"item": {"type": "order_completed", "customer": {"email": "bo@example.com"}}}
    assert (await served.client.post(f"{one}/redrive", json=patch)).status_code == 200
    assert (await served.client.post(f"{other}/redrive", json=item)).status_code == 200
    found = {record.id: record.data.identifiers for record in appended(served)}
    assert found == {"p": ("email:ana@example.com",), str(UUID(int=2)): ("email:bo@example.com",)}


async def test_without_a_body_an_item_is_redriven_as_it_was_sent(served: Served) -> None:
    path = await refuse(served, 1, {"type": "sale", "customer": {"email": "a@example.com"}})
    assert (await served.client.post(f"{path}/redrive")).json()["redriven"] == 1


async def test_what_is_still_wrong_is_refused_and_stays_open(served: Served) -> None:
    path = await refuse(served, 1, sale("s1", "L-9"))
    answer = await served.client.post(f"{path}/redrive", json={"patch": {"type": "?"}})
    assert answer.status_code == 422
    assert answer.json()["code"] == "still_wrong"
    assert {fault["path"] for fault in answer.json()["errors"]} == {"type", "customer"}
    assert (await served.client.get(path)).json()["status"] == "open"
    assert appended(served) == []


async def test_what_was_discarded_cannot_be_redriven_nor_the_other_way_round(
    served: Served,
) -> None:
    path = await refuse(served, 1, sale("s1", "L-9"))
    for _ in range(2):
        answer = await served.client.post(f"{path}/discard", json={"reason": "a test"})
        assert answer.json()["status"] == "discarded"
    assert (await served.client.post(f"{path}/redrive", json=MOVE)).status_code == 409
    other = await refuse(served, 2, sale("s2", "L-9"))
    await served.client.post(f"{other}/redrive", json=MOVE)
    answer = await served.client.post(f"{other}/discard", json={"reason": "too late"})
    assert answer.status_code == 409


async def test_a_filter_redrives_what_it_selects_and_names_what_is_still_wrong(
    served: Served,
) -> None:
    for number in range(1, 6):
        await refuse(served, number, sale(f"s{number}", f"L-{number}"), at=START + number * HOUR)
    await refuse(served, 6, {"event_id": "s6", "type": "order_completed"}, at=START + 6 * HOUR)
    await refuse(served, 7, sale("s7", "L-7"), reason="unknown_type")
    body = {"filter": {"source": "till", "reason": "required"}, **MOVE}
    document = (await served.client.post("/v1/quarantine/redrive", json=body)).json()
    assert (document["matched"], document["redriven"], document["still_wrong"]) == (6, 5, 1)
    assert document["items"][0]["event_id"] == "s6"
    assert document["items"][0]["errors"][0]["path"] == "customer"
    assert [record.id for record in appended(served)].count("s7") == 0
    assert len(appended(served)) == 5
    answer = await served.client.post("/v1/quarantine/redrive", json=body)
    assert answer.status_code == 422


async def test_nothing_selected_is_nothing_done(served: Served) -> None:
    document = (await served.client.post("/v1/quarantine/redrive", json={"filter": {}})).json()
    assert document == {"matched": 0, "redriven": 0, "still_wrong": 0, "items": []}


async def tell(served: Served, *told: Told) -> None:
    await served.histories.store(*told, recorded_at=START + 2 * DAY)


async def test_a_dry_run_shows_whose_journeys_change_and_writes_nothing(served: Served) -> None:
    names = ("loyalty_id:L-1",)
    await tell(served, Told(event_id="seen", at=START, identifiers=names))
    for number in (1, 2):
        await refuse(served, number, sale(f"s{number}", f"L-{number}"))
    body = {"filter": {}, "dry_run": True, **MOVE}
    document = (await served.client.post("/v1/quarantine/redrive", json=body)).json()
    assert (document["matched"], document["redriven"]) == (2, 0)
    effects = document["effects"]
    assert (effects["touchpoints"], effects["customers"], effects["new_customers"]) == (2, 2, 1)
    moves = {(move["from"], move["to"]): move["customers"] for move in effects["moves"]}
    assert moves == {("awareness", "onboarding"): 1, (None, "onboarding"): 1}
    assert appended(served) == []
    statuses = [
        item["status"] for item in (await served.client.get("/v1/quarantine")).json()["items"]
    ]
    assert statuses == ["open", "open"]


async def test_a_dry_run_tells_of_merges(served: Served) -> None:
    await tell(
        served,
        Told(event_id="a", at=START, identifiers=("loyalty_id:L-1",)),
        Told(event_id="b", at=START + HOUR, identifiers=("email:ana@example.com",)),
    )
    item = sale("s1", "L-1", customer={"email": "ana@example.com"})
    path = await refuse(served, 1, item, at=START + 2 * HOUR)
    answer = await served.client.post(f"{path}/redrive", json={"dry_run": True, **MOVE})
    [journey] = answer.json()["effects"]["journeys"]
    assert len(journey["before"]) == 2
    assert journey["stage"] == "onboarding"


async def test_a_log_that_is_away_leaves_items_open(served: Served) -> None:
    path = await refuse(served, 1, sale("s1", "L-9"))
    served.writer.unavailable = "the log is away"
    answer = await served.client.post(f"{path}/redrive", json=MOVE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    served.writer.unavailable = None
    assert (await served.client.post(f"{path}/redrive", json=MOVE)).json()["redriven"] == 1


async def test_every_change_is_in_the_audit_log_without_what_is_personal(served: Served) -> None:
    path = await refuse(served, 1, sale("s1", "L-9"))
    await served.client.post(
        f"{path}/redrive", json={"patch": {"customer": {"user_id": "u_canary"}}}
    )
    other = await refuse(served, 2, sale("s2", "L-9"))
    await served.client.post(f"{other}/discard", json={"reason": "not ours"})
    connection = served.histories.connection
    rows = await connection.fetch("SELECT actor, action, subject, reason, details FROM audit")
    assert [(row["actor"], row["action"], row["reason"]) for row in rows] == [
        ("key:test", "quarantine.redriven", None),
        ("key:test", "quarantine.discarded", "not ours"),
    ]
    assert "canary" not in str(rows)
    assert [row async for row in broken_links(connection)] == []


@pytest.mark.parametrize(
    "body", [{}, {"filter": None}, {"filter": {"id": 1}}, {"filter": {}, "x": 1}]
)
async def test_a_bulk_redrive_says_what_it_selects(served: Served, body: object) -> None:
    answer = await served.client.post("/v1/quarantine/redrive", json=body)
    assert answer.status_code == 422


async def test_only_who_may_write_the_quarantine_redrives(served: Served) -> None:
    path = await refuse(served, 1, sale("s1", "L-9"))
    calls: Sequence[tuple[str, object]] = (
        (f"{path}/redrive", MOVE),
        (f"{path}/discard", {"reason": "r"}),
        ("/v1/quarantine/redrive", {"filter": {}, **MOVE}),
    )
    for key, status in (("sk_customers:read", 403), ("wk_web", 403), (None, 401)):
        async with client_of(served.app, key) as client:
            for url, body in calls:
                answer: httpx.Response = await client.post(url, json=body)
                assert answer.status_code == status


async def test_what_is_not_there_cannot_be_redriven(served: Served) -> None:
    path = f"/v1/quarantine/{UUID(int=9)}"
    assert (await served.client.post(f"{path}/redrive", json={})).status_code == 404
    answer = await served.client.post(f"{path}/discard", json={"reason": "r"})
    assert answer.status_code == 404


async def test_an_item_of_another_format_is_repaired_as_it_was_read(served: Served) -> None:
    path = await refuse(served, 1, {"event": "Signed Up", "messageId": "m1"})
    native = {"event_id": "m1", "type": "signed_up", "customer": {}}
    await served.histories.connection.execute(
        "UPDATE quarantine SET format = 'segment', item = $1", msgspec.json.encode(native)
    )
    shown = (await served.client.get(path)).json()
    assert (shown["format"], shown["item"], shown["repair"]) == ("segment", native, "patch")
    assert shown["parsed"] == {"event": "Signed Up", "messageId": "m1"}
    body = {"patch": {"customer": {"user_id": "u1"}}}
    answer = await served.client.post(f"{path}/redrive", json=body)
    assert answer.status_code == 200, answer.text
    [record] = appended(served)
    assert (record.id, record.data.type, record.data.identifiers) == (
        "m1",
        "signed_up",
        ("user_id:u1",),
    )


async def test_what_no_touchpoint_could_be_read_out_of_takes_a_whole_item(served: Served) -> None:
    path = await refuse(served, 1, {"id": "evt_1", "type": "charge.succeeded"})
    await served.histories.connection.execute("UPDATE quarantine SET format = 'stripe'")
    shown = (await served.client.get(path)).json()
    assert (shown["format"], shown["item"], shown["repair"]) == ("stripe", None, "item")
    for body in (None, {"patch": {"customer": {"user_id": "u1"}}}):
        answer = await served.client.post(f"{path}/redrive", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "needs_item")
        assert "came as stripe" in answer.json()["detail"]
    whole = {"type": "order_completed", "customer": {"user_id": "u1"}}
    answer = await served.client.post(f"{path}/redrive", json={"item": whole})
    assert answer.status_code == 200, answer.text
