from urllib.parse import quote

import pytest

from shared.instants import HOUR, SECOND, datetime_of, rfc3339
from tests.fixtures.served_api import NOW, START, Served
from tests.fixtures.told import Told

QUARANTINE = """
INSERT INTO quarantine (id, source, event_id, reason, message, raw, raw_length, raw_sha256,
                        received_at, recorded_at, claim_id, log_offset, status)
VALUES ('7c0f8a52-4c2e-4b0c-9a63-0d6a6c1e2f00', 'web', $1, 'unknown_field', 'no such field', '',
        0, '', $2, $2, 1, 7, $3)
"""


async def test_a_stored_touchpoint_says_where_it_lies_and_what_it_did(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=START), Told(event_id="e2", at=START + HOUR), recorded_at=START
    )
    document = (await served.client.get("/v1/receipts/web/e2")).json()
    effects = document.pop("effects")
    assert document == {
        "status": "stored",
        "received_at": rfc3339(START + HOUR),
        "position": {"topic": "touchpoints", "partition": 0, "offset": 1},
        "customer_id": "c93c665a-cde8-5ae7-9a89-be58d33875a8",
        "duplicates": 0,
        "conflict": None,
        "reason": None,
        "redrive_of": None,
    }
    assert [(effect["axis"], effect["to"], effect["rule"]) for effect in effects] == [
        ("stage", "decision", "interested")
    ]


async def test_what_another_touchpoint_took_back_is_no_effect_any_more(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=START), Told(event_id="e2", at=START + HOUR), recorded_at=START
    )
    late = Told(event_id="e0", at=START - HOUR, type="order_completed")
    await served.histories.store(late, recorded_at=START + HOUR)
    assert (await served.client.get("/v1/receipts/web/e2")).json()["effects"] == []


async def test_duplicates_and_a_conflict_are_told(served: Served) -> None:
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    await served.histories.connection.execute(
        "INSERT INTO duplicates (source, event_id, seen, conflicts, last_seen_at, last_conflict)"
        " VALUES ('web', 'e1', 3, 1, now(), '{\"type\": \"other\"}')"
    )
    document = (await served.client.get("/v1/receipts/web/e1")).json()
    assert (document["duplicates"], document["conflict"]) == (3, {"type": "other"})


async def test_a_refused_touchpoint_says_why(served: Served) -> None:
    await served.histories.connection.execute(QUARANTINE, "bad", datetime_of(START), "open")
    document = (await served.client.get("/v1/receipts/web/bad")).json()
    assert document["status"] == "quarantined"
    assert document["reason"] == "unknown_field"
    assert document["position"] == {"topic": "touchpoints", "partition": 0, "offset": 7}
    assert document["customer_id"] is None


async def test_stored_comes_before_quarantined_and_names_what_it_was_repaired_from(
    served: Served,
) -> None:
    await served.histories.connection.execute(QUARANTINE, "e1", datetime_of(START), "redriven")
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    document = (await served.client.get("/v1/receipts/web/e1")).json()
    assert document["status"] == "stored"
    assert document["redrive_of"] == "7c0f8a52-4c2e-4b0c-9a63-0d6a6c1e2f00"


async def test_what_may_still_lie_in_the_log_is_pending_until_it_cannot(served: Served) -> None:
    served.clock.now = NOW + SECOND
    answer = await served.client.get("/v1/receipts/web/unheard-of")
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert int(answer.headers["retry-after"]) > 0
    await served.histories.read_through(NOW + SECOND)
    served.clock.now = NOW + 2 * SECOND
    answer = await served.client.get("/v1/receipts/web/unheard-of")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("event_id", ["a/b", "ü?#&+%", "x" * 200, "order#1"])
async def test_an_event_id_may_hold_any_character(served: Served, event_id: str) -> None:
    await served.histories.store(Told(event_id=event_id, at=START), recorded_at=START)
    by_path = await served.client.get(f"/v1/receipts/web/{quote(event_id, safe='')}")
    by_query = await served.client.get(
        "/v1/receipts", params={"source": "web", "event_id": event_id}
    )
    assert by_path.json()["status"] == "stored"
    assert by_query.json() == by_path.json()
