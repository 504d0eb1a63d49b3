"""Going back to the version of a stage model that was in force before."""

import asyncio

import pytest

from shared.instants import DAY, rfc3339
from shared.journey.bundled import bundled_model
from shared.journey.loading import load_model
from shared.storage.verification import Difference
from tests.fixtures.classification import MODEL, START, Sent
from tests.fixtures.classified_api import Classified, releasing
from tests.fixtures.histories import findings

RULES = bundled_model("default").split("\nexamples:")[0]
QUICKER = RULES.replace("P45D", "P10D")
SLOWER = RULES.replace("P45D", "P90D")
OTHER = bundled_model("five-stage")
ROLLBACK = "/v1/models/rollback"
JOURNEY = "/v1/customers/user_id:ana/journey"


async def put_in_force(classified: Classified, document: str) -> str:
    made = await classified.client.post("/v1/models", content=document)
    version = str(made.json()["version"])
    answer = await classified.post(f"/v1/models/{version}/activate")
    assert answer["state"] == "active"
    return version


async def states(classified: Classified) -> dict[str, str]:
    items = (await classified.client.get("/v1/models")).json()["items"]
    return {item["version"]: item["state"] for item in items}


async def test_the_version_before_comes_back_with_exactly_its_journeys(
    classified: Classified,
) -> None:
    await classified.feed(Sent("o-1", ("user_id:ana",), type="order_completed"))
    async with releasing(classified):
        before = await classified.get(JOURNEY)
        quicker = await put_in_force(classified, QUICKER)
        assert await classified.get(JOURNEY) != before
        answer = await classified.client.post(ROLLBACK)
        assert answer.status_code == 200
        told = answer.json()
        assert (told["version"], told["state"], told["from"]) == (MODEL.version, "active", quicker)
        assert told["default"] is True
        assert await classified.get(JOURNEY) == before
    assert await states(classified) == {MODEL.version: "active", quicker: "retired"}


async def test_touchpoints_that_came_in_between_count(classified: Classified) -> None:
    await classified.feed(Sent("v-1", ("user_id:ana",)))
    async with releasing(classified):
        await put_in_force(classified, QUICKER)
        order = Sent("o-1", ("user_id:ana",), type="order_completed", at=START + DAY)
        await classified.feed(order, Sent("v-2", ("user_id:bob",), at=START + 2 * DAY))
        await classified.post(ROLLBACK)
    journey = (await classified.client.get(JOURNEY)).json()
    assert journey["stage"]["since"] == rfc3339(START + 46 * DAY)
    found = await findings(classified.classifier)
    assert [one for one in found if isinstance(one, Difference)] == []


async def test_rolling_back_again_goes_further_back_and_then_there_is_nothing(
    classified: Classified,
) -> None:
    async with releasing(classified):
        quicker = await put_in_force(classified, QUICKER)
        await put_in_force(classified, SLOWER)
        assert (await classified.post(ROLLBACK))["version"] == quicker
        assert (await classified.post(ROLLBACK))["version"] == MODEL.version
        refused = await classified.post(ROLLBACK, status=409)
    assert refused["code"] == "nothing_before"
    assert (await states(classified))[MODEL.version] == "active"


async def test_what_was_given_up_can_be_activated_again_and_rolled_back_again(
    classified: Classified,
) -> None:
    async with releasing(classified):
        quicker = await put_in_force(classified, QUICKER)
        await classified.post(ROLLBACK)
        assert await put_in_force(classified, QUICKER) == quicker
        assert (await classified.post(ROLLBACK))["version"] == MODEL.version


async def test_one_key_is_rolled_back_and_others_are_left_alone(classified: Classified) -> None:
    changed = OTHER.split("\nexamples:")[0].replace("P14D", "P7D")
    ways: list[tuple[str, dict[str, str] | None, dict[str, str] | None]] = [
        (ROLLBACK, {"key": "five-stage"}, None),
        (ROLLBACK, None, {"key": "five-stage"}),
        ("/v1/models/five-stage/rollback", None, None),
        (f"/v1/models/{load_model(changed).version}/rollback", None, None),
    ]
    async with releasing(classified):
        first = await put_in_force(classified, OTHER)
        quicker = await put_in_force(classified, QUICKER)
        for path, query, body in ways:
            second = await put_in_force(classified, changed)
            answer = await classified.client.post(path, params=query, json=body)
            assert answer.status_code == 200, answer.text
            assert (answer.json()["version"], answer.json()["from"]) == (first, second)
    assert (await states(classified))[quicker] == "active"


async def test_a_rollback_goes_on_when_nobody_waits_and_is_begun_once(
    classified: Classified,
) -> None:
    async with releasing(classified):
        quicker = await put_in_force(classified, QUICKER)
    for _ in range(2):
        answer = await classified.client.post(ROLLBACK, params={"timeout": 0})
        assert (answer.status_code, answer.json()["state"]) == (202, "activating")
        assert (answer.json()["version"], answer.json()["from"]) == (MODEL.version, quicker)
    assert (await states(classified))[quicker] == "active"
    async with releasing(classified):
        again = await classified.client.post(f"/v1/models/{MODEL.version}/activate")
        assert (again.status_code, again.json()["state"]) == (200, "active")
    [rows] = await classified.classifier.rows("SELECT count(*) AS n FROM rollouts")
    assert rows == {"n": 2}


async def test_rollbacks_that_are_asked_for_at_once_go_back_once(classified: Classified) -> None:
    async with releasing(classified):
        quicker = await put_in_force(classified, QUICKER)
        await put_in_force(classified, SLOWER)
    asking = (classified.client.post(ROLLBACK, params={"timeout": 0}) for _ in range(6))
    answers = await asyncio.gather(*asking)
    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["version"] for answer in answers} == {quicker}
    [rows] = await classified.classifier.rows("SELECT count(*) AS n FROM rollouts")
    assert rows == {"n": 3}


async def test_a_rollback_that_is_sent_twice_goes_back_once_if_it_says_from_where(
    classified: Classified,
) -> None:
    async with releasing(classified):
        quicker = await put_in_force(classified, QUICKER)
        slower = await put_in_force(classified, SLOWER)
        body = {"from": slower, "reason": "far too slow"}
        assert (await classified.post(ROLLBACK, body))["version"] == quicker
        refused = await classified.post(ROLLBACK, body, status=409)
    assert refused["code"] == "not_in_force"
    assert slower in str(refused["message"])
    [act] = await classified.classifier.rows(
        "SELECT reason, subject FROM audit WHERE action = 'model.rollback_asked'"
    )
    assert act == {"reason": "far too slow", "subject": f"model:{quicker}"}


async def test_nothing_is_rolled_back_while_another_version_is_on_its_way(
    classified: Classified,
) -> None:
    async with releasing(classified):
        await put_in_force(classified, QUICKER)
    made = (await classified.client.post("/v1/models", content=SLOWER)).json()
    await classified.client.post(f"/v1/models/{made['version']}/activate", params={"timeout": 0})
    refused = await classified.post(ROLLBACK, status=409)
    assert refused["code"] == "activation_under_way"


@pytest.mark.parametrize("name", ["nobody", "%00", "%FF", "x" * 5_000])
async def test_a_model_that_is_not_in_force_is_not_found(classified: Classified, name: str) -> None:
    answer = await classified.client.post(f"/v1/models/{name}/rollback")
    assert answer.status_code in {400, 404}
    asked = await classified.client.post(ROLLBACK, params={"key": "nobody"})
    assert asked.status_code == 404


async def test_two_keys_at_once_are_a_contradiction(classified: Classified) -> None:
    answer = await classified.client.post(ROLLBACK, params={"key": "a"}, json={"key": "b"})
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "key")
