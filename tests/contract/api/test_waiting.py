import asyncio

from shared.instants import HOUR, rfc3339
from tests.fixtures.served_api import NOW, START, Served
from tests.fixtures.told import Told


async def test_a_new_customer_is_waited_for_before_looked_up(served: Served) -> None:
    path = "/v1/customers/user_id:u_1"
    assert (await served.client.get(path)).status_code == 404
    asked = asyncio.create_task(served.client.get(path, params={"wait_for": "web/e1/x"}))
    await asyncio.sleep(0)
    await served.histories.store(Told(event_id="e1/x", at=START), recorded_at=START)
    assert (await asked).status_code == 200


async def test_without_a_verdict_in_time_the_answer_is_not_yet(served: Served) -> None:
    answer = await served.client.get(
        "/v1/customers/user_id:u_1/timeline", params={"wait_for": "web/e1", "timeout": "0.05"}
    )
    assert (answer.status_code, answer.json()["code"]) == (504, "not_yet")
    assert answer.headers["retry-after"]


async def test_a_refused_touchpoint_has_a_verdict_too(served: Served) -> None:
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    await served.histories.connection.execute(
        "INSERT INTO quarantine (id, source, event_id, reason, message, raw, raw_length,"
        " raw_sha256, received_at, recorded_at)"
        " VALUES (gen_random_uuid(), 'web', 'bad', 'unknown_field', '', '', 0, '', now(), now())"
    )
    answer = await served.client.get(
        "/v1/customers/user_id:u_1", params={"wait_for": "web/bad", "timeout": "0"}
    )
    assert answer.status_code == 200


async def test_what_was_waited_for_is_in_the_journey_though_the_watermark_lies_before_it(
    served: Served,
) -> None:
    await served.histories.store(
        Told(event_id="e1", at=NOW - HOUR), Told(event_id="e2", at=NOW), recorded_at=NOW
    )
    await served.histories.read_through(NOW - HOUR)
    path = "/v1/customers/user_id:u_1/journey"
    before = (await served.client.get(path)).json()
    after = (await served.client.get(path, params={"wait_for": "web/e2"})).json()
    assert (before["counts"]["looked"], after["counts"]["looked"]) == (1, 2)
    assert after["as_of"] == rfc3339(NOW)
    assert after["freshness"]["as_of"] == rfc3339(NOW - HOUR)


async def test_a_touchpoint_of_the_future_does_not_carry_the_answer_there(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=NOW), Told(event_id="e2", at=NOW + HOUR), recorded_at=NOW
    )
    path = "/v1/customers/user_id:u_1/journey"
    document = (await served.client.get(path, params={"wait_for": "web/e2"})).json()
    assert (document["as_of"], document["counts"]["looked"]) == (rfc3339(NOW), 1)


async def test_an_explicit_time_is_taken_as_it_is(served: Served) -> None:
    await served.histories.store(
        Told(event_id="e1", at=NOW), Told(event_id="e2", at=NOW + HOUR), recorded_at=NOW
    )
    path = "/v1/customers/user_id:u_1/journey"
    document = (
        await served.client.get(
            path, params={"wait_for": "web/e2", "as_of": rfc3339(NOW + 2 * HOUR)}
        )
    ).json()
    assert document["counts"]["looked"] == 2


async def test_wait_for_names_a_source_and_an_event_id(served: Served) -> None:
    for wrong in ("web", "web/", "/e1", "", "web/" + "x" * 201, "web/\0"):
        answer = await served.client.get("/v1/customers/user_id:u_1", params={"wait_for": wrong})
        assert answer.status_code == 400, wrong
        assert answer.json()["errors"][0]["path"].startswith("wait_for")
