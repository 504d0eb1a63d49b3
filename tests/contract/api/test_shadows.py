"""A version of a stage model watched on live traffic before it is in force."""

from shared.instants import DAY
from shared.journey.bundled import bundled_model
from tests.fixtures.classification import MODEL, START, Sent
from tests.fixtures.classified_api import Classified, releasing

RULES = bundled_model("default").split("\nexamples:")[0]
QUICKER = RULES.replace("P45D", "P10D")
ORDER = "order_completed"


async def draft(classified: Classified, document: str = QUICKER) -> str:
    made = await classified.client.post("/v1/models", content=document)
    return str(made.json()["version"])


async def populations(classified: Classified, model: str) -> dict[str, int]:
    answer = await classified.client.get("/v1/stages", params={"model": model})
    assert answer.status_code == 200, answer.text
    stages = answer.json()["stages"]
    return {stage["key"]: stage["customers"] for stage in stages if stage["customers"]}


async def test_a_shadow_shows_where_customers_would_stand(classified: Classified) -> None:
    await classified.feed(Sent("o-1", ("user_id:ana",), type=ORDER, at=START + 370 * DAY))
    version = await draft(classified)
    async with releasing(classified):
        told = await classified.post(f"/v1/models/{version}/shadow")
        assert (told["state"], told["progress"], told["activated_at"]) == ("shadow", None, None)
        assert await populations(classified, MODEL.version) == {"onboarding": 1}
        assert await populations(classified, version) == {"retention": 1}
        await classified.feed(Sent("o-2", ("user_id:bob",), type=ORDER, at=START + 399 * DAY))
        assert await populations(classified, version) == {"onboarding": 1, "retention": 1}
        listed = await classified.client.get(
            "/v1/customers", params={"model": version, "stage": "retention"}
        )
        assert listed.json()["total"] == 1
    by_key = await classified.client.get("/v1/stages", params={"model": "default"})
    assert by_key.json()["version"] == MODEL.version


async def test_a_shadow_is_not_shown_before_it_is_whole_or_on_timelines(
    classified: Classified,
) -> None:
    await classified.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    version = await draft(classified)
    begun = await classified.client.post(f"/v1/models/{version}/shadow", params={"timeout": 0})
    assert (begun.status_code, begun.json()["state"]) == (202, "shadow")
    assert begun.json()["progress"] == {"customers": 0, "of": 0}
    hidden = await classified.client.get("/v1/stages", params={"model": version})
    assert hidden.status_code == 404
    async with releasing(classified):
        done = await classified.client.post(f"/v1/models/{version}/shadow")
    assert done.status_code == 200
    timeline = await classified.client.get(
        "/v1/customers/user_id:ana/timeline", params={"model": version, "kinds": "transition"}
    )
    assert timeline.json()["items"] == []


async def test_a_shadow_is_put_in_force_or_given_up(classified: Classified) -> None:
    await classified.feed(Sent("o-1", ("user_id:ana",), type=ORDER))
    version = await draft(classified)
    path = f"/v1/models/{version}/shadow"
    async with releasing(classified):
        await classified.post(path)
        ended = await classified.client.delete(path)
        assert (ended.status_code, ended.json()["state"]) == (200, "draft")
        again = await classified.client.delete(path)
        assert (again.status_code, again.json()["code"]) == (409, "no_shadow")
        await classified.post(path)
        active = await classified.post(f"/v1/models/{version}/activate")
        assert active["state"] == "active"
        refused = await classified.post(path, status=409)
        assert refused["code"] == "in_force"
    for missing in ("abc", "%00"):
        for method in ("POST", "DELETE"):
            answer = await classified.client.request(method, f"/v1/models/{missing}/shadow")
            assert answer.status_code == 404
