from datetime import timedelta
from uuid import UUID

import pytest

from shared.instants import HOUR, datetime_of, rfc3339
from tests.fixtures.served_api import START, Served

INSERT = """
INSERT INTO quarantine (id, source, event_id, reason, message, errors, raw, raw_length, raw_sha256,
                        received_at, recorded_at, status)
VALUES ($1, $2, $3, $4, 'is not known', '[{"path": "colour", "code": "unknown_field"}]', $5, 3,
        'abc', $6, $6, $7)
"""


async def fill(served: Served, number: int) -> None:
    rows = [
        (
            UUID(int=n),
            ("web", "till")[n % 2],
            None if n % 3 == 0 else f"e{n}",
            ("unknown_field", "bad_json")[n % 5 == 0],
            b'{"a',
            datetime_of(START) + timedelta(hours=n // 2),
            "open",
        )
        for n in range(number)
    ]
    await served.histories.connection.executemany(INSERT, rows)


async def test_refused_items_come_newest_first_and_are_counted_by_reason(served: Served) -> None:
    await fill(served, 11)
    document = (await served.client.get("/v1/quarantine")).json()
    times = [item["received_at"] for item in document["items"]]
    assert times == sorted(times, reverse=True)
    assert document["items"][0] == {
        "id": str(UUID(int=10)),
        "reason": "bad_json",
        "source": "web",
        "event_id": "e10",
        "received_at": rfc3339(START + 5 * HOUR),
        "status": "open",
    }
    assert document["groups"] == [
        {"reason": "unknown_field", "count": 8},
        {"reason": "bad_json", "count": 3},
    ]
    assert document["next"] is None


@pytest.mark.parametrize("limit", [1, 3, 10, 11])
async def test_pages_put_together_are_the_whole(served: Served, limit: int) -> None:
    await fill(served, 11)
    whole = (await served.client.get("/v1/quarantine")).json()["items"]
    read: list[object] = []
    answer = await served.client.get("/v1/quarantine", params={"limit": limit})
    read += answer.json()["items"]
    while "next" in answer.links:
        answer = await served.client.get(answer.links["next"]["url"])
        read += answer.json()["items"]
    assert read == whole


async def test_reason_source_status_and_time_select(served: Served) -> None:
    await fill(served, 11)
    for params, expected in (
        ({"reason": "bad_json"}, {0, 5, 10}),
        ({"source": "till"}, {1, 3, 5, 7, 9}),
        ({"source": "till", "reason": "bad_json"}, {5}),
        ({"since": rfc3339(START + 4 * HOUR)}, {8, 9, 10}),
        ({"status": "redriven"}, set()),
    ):
        document = (await served.client.get("/v1/quarantine", params=params)).json()
        assert {UUID(item["id"]).int for item in document["items"]} == expected, params


async def test_an_item_in_full_holds_its_bytes_and_all_that_is_wrong(served: Served) -> None:
    await fill(served, 2)
    document = (await served.client.get(f"/v1/quarantine/{UUID(int=1)}")).json()
    assert (document["raw"], document["raw_base64"], document["raw_length"]) == ('{"a', None, 3)
    assert document["errors"] == [{"path": "colour", "code": "unknown_field"}]
    assert document["position"] is None


async def test_bytes_that_are_no_text_come_as_base64_too(served: Served) -> None:
    row = (UUID(int=1), "web", None, "bad_json", b"\xff\0", datetime_of(START), "open")
    await served.histories.connection.execute(INSERT, *row)
    document = (await served.client.get(f"/v1/quarantine/{UUID(int=1)}")).json()
    assert (document["raw"], document["raw_base64"]) == ("\ufffd\0", "/wA=")


async def test_what_is_not_there_is_not_found(served: Served) -> None:
    for name in (str(UUID(int=9)), "nine", "%00", "%FF"):
        assert (await served.client.get(f"/v1/quarantine/{name}")).status_code in {400, 404}
