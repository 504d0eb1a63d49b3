import json

import pytest
from sqlalchemy import text

from shared.instants import DAY, HOUR, Instant, datetime_of, instant_of, rfc3339
from shared.journey.loading import load_model
from tests.fixtures.served_api import NOW, START, Served, client_of
from tests.fixtures.told import SHOP, Told

STRICTER = SHOP.replace("at_least: 2", "at_least: 3")
VERSION = load_model(STRICTER).version
ACTIVATE = f"/v1/models/{VERSION}/activate"


async def test_a_model_is_handed_in_as_yaml_or_json_and_is_a_draft(served: Served) -> None:
    made = await served.client.post("/v1/models", content=STRICTER)
    assert made.status_code == 201
    assert made.json() == {"version": VERSION, "key": "shop", "state": "draft"}
    read = (await served.client.get(f"/v1/models/{VERSION}")).json()
    assert (read["state"], read["default"], read["activated_at"]) == ("draft", False, None)
    assert (read["created_at"], read["progress"]) == (rfc3339(NOW), None)
    again = await served.client.post("/v1/models", json=read["document"])
    assert (again.status_code, again.json()) == (200, made.json())


async def test_a_known_version_takes_over_what_things_are_called(served: Served) -> None:
    version = served.histories.models[0].version
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    before = (await served.client.get("/v1/customers/user_id:u_1/journey")).json()
    renamed = SHOP.replace("label: Awareness", "label: Met us").replace("small", "large")
    answer = await served.client.post("/v1/models", content=renamed)
    assert (answer.status_code, answer.json()["state"]) == (200, "active")
    read = (await served.client.get(f"/v1/models/{version}")).json()
    assert read["title"] == "A large shop"
    assert read["document"]["stages"][0]["label"] == "Met us"
    after = (await served.client.get("/v1/customers/user_id:u_1/journey")).json()
    assert after["stage"] == {**before["stage"], "label": "Met us"}
    (stage, *_) = (await served.client.get("/v1/stages")).json()["stages"]
    assert stage["label"] == "Met us"


async def test_a_model_that_is_wrong_is_refused_with_the_places(served: Served) -> None:
    wrong = STRICTER.replace("signal: bought", "signal: sold")
    answer = await served.client.post("/v1/models", content=wrong)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    paths = [fault["path"] for fault in answer.json()["errors"]]
    assert paths == ["stages[2].enter[0].when.signal"]
    assert len((await served.client.get("/v1/models")).json()["items"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"- \x00",
        b'{"format": 1, "key": "\\ud800"}',
        b"a: &a [*a]",
        b"[" * 100_000,
        b"x" * (257 << 10),
    ],
)
async def test_what_is_no_model_is_refused(served: Served, body: bytes) -> None:
    answer = await served.client.post("/v1/models", content=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


async def test_a_body_that_no_model_can_have_is_not_read(served: Served) -> None:
    answer = await served.client.post("/v1/models", content=b"x" * (2 << 20))
    assert answer.status_code == 413


async def test_a_title_that_the_database_cannot_hold_is_kept_as_well_as_it_can(
    served: Served,
) -> None:
    odd = json.loads(json.dumps(load_model(STRICTER).document))
    odd["title"] = "a\0b"
    odd["stages"][0]["goal"] = "c\0d"
    assert (await served.client.post("/v1/models", json=odd)).status_code == 201
    read = (await served.client.get(f"/v1/models/{VERSION}")).json()
    assert read["title"] == "a\ufffdb"
    assert read["document"]["stages"][0]["goal"] == "c\0d"


async def test_a_model_that_is_larger_when_written_out_can_be_used(served: Served) -> None:
    goal = "x" * 9_000
    stages = "".join(f"  - {{key: s{n}, role: aware, goal: *goal}}\n" for n in range(35))
    document = SHOP.replace("label: Awareness,", f"label: &goal {goal},") + stages
    made = await served.client.post("/v1/models", content=document)
    assert made.status_code == 201, made.text
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    version = made.json()["version"]
    answer = await served.client.get("/v1/customers/user_id:u_1/journey", params={"model": version})
    assert answer.json()["version"] == version


async def test_an_activation_goes_on_when_nobody_waits_any_more(served: Served) -> None:
    await served.client.post("/v1/models", content=STRICTER)
    answer = await served.client.post(ACTIVATE, params={"timeout": 0})
    assert answer.status_code == 202
    assert (answer.json()["version"], answer.json()["state"]) == (VERSION, "activating")
    assert answer.json()["progress"] == {"customers": 0, "of": 0}
    await served.histories.connection.execute(
        "UPDATE rollouts SET phase = 'folding', customers_done = 3, customers_of = 7"
    )
    again = await served.client.post(ACTIVATE, params={"timeout": 0})
    assert again.status_code == 202
    read = (await served.client.get(f"/v1/models/{VERSION}")).json()
    assert read["progress"] == again.json()["progress"] == {"customers": 3, "of": 7}
    assert await served.histories.connection.fetchval("SELECT count(*) FROM rollouts") == 1


async def test_an_activation_that_is_over_is_told_at_once(served: Served) -> None:
    version = served.histories.models[0].version
    answer = await served.client.post(f"/v1/models/{version}/activate")
    assert (answer.status_code, answer.json()["state"]) == (200, "active")


async def test_one_version_of_a_key_is_activated_at_a_time(served: Served) -> None:
    await served.client.post("/v1/models", content=STRICTER)
    await served.client.post(ACTIVATE, params={"timeout": 0})
    other = SHOP.replace("at_least: 2", "at_least: 4")
    made = (await served.client.post("/v1/models", content=other)).json()
    refused = await served.client.post(
        f"/v1/models/{made['version']}/activate", params={"timeout": 0}
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "activation_under_way")


async def test_only_what_is_stored_can_be_activated(served: Served) -> None:
    for missing in ("abc", "%00", "%FF", "x" * 5_000):
        answer = await served.client.post(f"/v1/models/{missing}/activate")
        assert answer.status_code in {400, 404}, missing
    for timeout in ("-1", "nan", "601", "soon"):
        answer = await served.client.post(ACTIVATE, params={"timeout": timeout})
        assert answer.status_code == 400, timeout


async def test_reading_models_does_not_allow_to_change_them(served: Served) -> None:
    async with client_of(served.app, "sk_customers:read") as client:
        assert (await client.post("/v1/models", content=STRICTER)).status_code == 403
        assert (await client.post(ACTIVATE)).status_code == 403
        assert (await client.get("/v1/models")).status_code == 200


async def on_its_way(served: Served, told: list[Told]) -> None:
    """Let a stricter version stand as a rollout leaves it halfway: with journeys of its own."""
    await served.histories.store(*told, recorded_at=START + DAY)
    stricter = await served.histories.add_model(
        SHOP.replace("key: shop", "key: strict").replace("at_least: 2", "at_least: 3"),
        default=False,
        at=START,
    )
    await served.histories.connection.execute(
        "UPDATE models SET state = 'activating', activated_at = NULL WHERE id = $1", stricter.id
    )
    more = Told(event_id="more", at=START + 2 * HOUR, identifiers=("user_id:u_2",))
    await served.histories.store(more, recorded_at=START + DAY)


async def test_what_is_only_on_its_way_shows_nowhere(served: Served) -> None:
    told = [Told(event_id=f"e{n}", at=START + n * HOUR) for n in range(2)]
    await on_its_way(served, told)
    version = served.histories.models[1].version
    receipt = (await served.client.get("/v1/receipts/web/e1")).json()
    assert {effect["model"] for effect in receipt["effects"]} == {"shop"}
    timeline = await served.client.get(
        "/v1/customers/user_id:u_1/timeline", params={"model": version, "kinds": "transition"}
    )
    assert timeline.json()["items"] == []
    for path in ("/v1/stages", "/v1/customers"):
        for model in ("strict", version):
            answer = await served.client.get(path, params={"model": model})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_journey_under_any_version_is_the_fold(served: Served) -> None:
    told = [Told(event_id=f"e{n}", at=START + n * HOUR) for n in range(2)]
    await on_its_way(served, told)
    version = served.histories.models[1].version
    for state in ("activating", "retired"):
        await served.histories.connection.execute(
            "UPDATE models SET state = $2 WHERE version = $1", version, state
        )
        await served.histories.connection.execute("UPDATE journeys SET state = '\\x00'")
        answer = await served.client.get(
            "/v1/customers/user_id:u_1/journey",
            params={"model": version, "as_of": rfc3339(START + DAY)},
        )
        assert answer.json()["stage"]["key"] == "awareness"
        assert answer.json()["version"] == version


async def take_over(served: Served, at: Instant) -> None:
    """Put a stricter version in the place of the one in force, as a rollout does."""
    connection = served.histories.connection
    former = served.histories.models.pop()
    await connection.execute(
        "UPDATE models SET state = 'retired', is_default = false WHERE id = $1", former.id
    )
    await connection.execute("UPDATE transitions SET superseded_at = $1", datetime_of(at))
    await served.histories.add_model(STRICTER, default=True, at=at)


async def test_pages_go_on_under_the_version_that_the_first_one_was_of(served: Served) -> None:
    told = [Told(event_id=f"e{n}", at=START + n * HOUR) for n in range(4)]
    await served.histories.store(*told, recorded_at=START + DAY)
    path = "/v1/customers/user_id:u_1/timeline"
    whole = (await served.client.get(path, params={"limit": 500})).json()["items"]
    page = (await served.client.get(path, params={"limit": 1})).json()
    async with served.engine.connect() as connection:
        now = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    await take_over(served, instant_of(now))
    read = page["items"]
    while page["next"] is not None:
        page = (await served.client.get(path, params={"limit": 1, "cursor": page["next"]})).json()
        read += page["items"]
    assert read == whole
