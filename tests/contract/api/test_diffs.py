"""What a version of a stage model would change, asked before it is in force."""

import asyncio
from typing import Any, TypeAlias

import pytest

from shared.instants import DAY, HOUR, rfc3339
from shared.journey.bundled import bundled_model
from tests.fixtures.classification import MODEL, START, Sent
from tests.fixtures.classified_api import NOW, Classified, releasing

RULES = bundled_model("default").split("\nexamples:")[0]
QUICKER = RULES.replace("P45D", "P10D")
"""Settled after ten days instead of 45."""
FIVE_STAGES = bundled_model("five-stage")
ORDER = "order_completed"

Told: TypeAlias = dict[str, Any]
"""What is told, as JSON."""
AS_OF = rfc3339(START + 20 * DAY)


async def draft(classified: Classified, document: str = QUICKER) -> str:
    made = await classified.client.post("/v1/models", content=document)
    assert made.is_success, made.text
    return str(made.json()["version"])


async def diff(classified: Classified, version: str, **asked: str) -> Told:
    return await get(classified, f"/v1/models/{version}/diff", **asked)


async def get(classified: Classified, path: str, **asked: str) -> Told:
    return {**await classified.get(path, **asked)}


async def shop(classified: Classified, buyers: int = 3) -> None:
    """Feed some who bought and one who only looked."""
    await classified.feed(
        *(
            Sent(f"o-{n}", (f"user_id:buyer-{n}",), type=ORDER, at=START + n * HOUR)
            for n in range(buyers)
        ),
        Sent("v-1", ("user_id:looker",), at=START),
    )


def cells(told: Told) -> dict[tuple[object, object], tuple[object, object]]:
    return {(one["from"], one["to"]): (one["customers"], one["differ"]) for one in told["flows"]}


async def test_customers_flow_from_the_stages_of_one_version_to_those_of_another(
    classified: Classified,
) -> None:
    await shop(classified)
    version = await draft(classified)
    async with releasing(classified):
        told = await diff(classified, version, as_of=AS_OF)
    assert told["version"] == version
    assert told["against"] == {"version": MODEL.version, "key": "default"}
    assert (told["as_of"], told["state"]) == (AS_OF, "done")
    assert cells(told) == {
        ("awareness", "awareness"): (1, 0),
        ("onboarding", "retention"): (3, 3),
    }
    assert (told["customers"], told["differ"], told["moved"], told["total"]) == (4, 3, 3, 3)
    assert len(told["items"]) == 3
    states = (await get(classified, "/v1/models"))["items"]
    assert {item["state"] for item in states if item["version"] == version} == {"draft"}


async def test_each_customer_is_told_with_the_first_move_that_differs(
    classified: Classified,
) -> None:
    await shop(classified, buyers=1)
    version = await draft(classified)
    async with releasing(classified):
        [item] = (await diff(classified, version, as_of=AS_OF))["items"]
    journeys = {
        model: await get(
            classified, "/v1/customers/user_id:buyer-0/journey", model=model, as_of=AS_OF
        )
        for model in (MODEL.version, version)
    }
    assert item["customer_id"]
    assert item["from"] == {"stage": "onboarding", "activity": "active", "cycle": 1}
    assert item["to"] == {"stage": "retention", "activity": "active", "cycle": 1}
    first = item["first"]
    assert first["axis"] == "stage"
    assert first["at"] == rfc3339(START + 10 * DAY)
    assert first["touchpoint"] == {"source": "web", "event_id": "o-0"}
    assert first["from"] is None
    [*_, settled] = journeys[version]["transitions"]
    assert first["to"] == {name: settled[name] for name in settled if name in first["to"]}
    assert first["to"]["rule"] == "settled"


async def test_a_model_does_not_differ_from_itself(classified: Classified) -> None:
    await shop(classified)
    async with releasing(classified):
        told = await diff(classified, MODEL.version)
    assert (told["differ"], told["moved"], told["items"], told["next"]) == (0, 0, [], None)
    assert told["customers"] == 4
    assert all(one["from"] == one["to"] and one["drill"] is None for one in told["flows"])


async def test_asked_twice_it_is_the_same_but_for_freshness(classified: Classified) -> None:
    await shop(classified)
    version = await draft(classified)
    async with releasing(classified):
        path, asked = f"/v1/models/{version}/diff", {"limit": "2"}
        one = await classified.client.get(path, params=asked)
        other = await classified.client.get(path, params=asked)
    [runs] = await classified.classifier.rows("SELECT count(*) AS n FROM diffs")
    assert runs == {"n": 2}
    assert one.content.partition(b'"freshness"')[0] == other.content.partition(b'"freshness"')[0]
    assert one.headers["etag"] == other.headers["etag"]
    assert one.json()["freshness"]["as_of"] == rfc3339(NOW)
    assert one.json()["freshness"]["stale"] is False


async def test_every_cell_drills_down_to_as_many_customers_as_it_counts(
    classified: Classified,
) -> None:
    await shop(classified, buyers=5)
    version = await draft(classified, FIVE_STAGES)
    async with releasing(classified):
        told = await diff(classified, version, as_of=AS_OF, limit="1")
        # What comes later is not in the drill: it belongs to the answer that it was given with.
        await classified.feed(Sent("late", ("user_id:late",), type=ORDER, at=START))
        for flow in told["flows"]:
            url, seen = flow["drill"], []
            while url is not None:
                page = (await classified.client.get(url)).json()
                assert page["total"] == flow["differ"]
                assert {item["from"]["stage"] for item in page["items"]} == {flow["from"]}
                assert {item["to"]["stage"] for item in page["items"]} == {flow["to"]}
                seen += [item["customer_id"] for item in page["items"]]
                url = page["next"] and f"{url.split('&cursor')[0]}&cursor={page['next']}"
            assert len(seen) == len(set(seen)) == flow["differ"]


async def test_pages_go_through_all_customers_once(classified: Classified) -> None:
    await shop(classified, buyers=7)
    version = await draft(classified)
    path = f"/v1/models/{version}/diff"
    async with releasing(classified):
        whole = await diff(classified, version, as_of=AS_OF)
        page = await classified.client.get(path, params={"as_of": AS_OF, "limit": "3"})
        seen = page.json()["items"]
        while page.json()["next"] is not None:
            assert page.links["next"]["url"].startswith(path)
            page = await classified.client.get(page.links["next"]["url"])
            seen += page.json()["items"]
            assert page.json()["flows"] == whole["flows"]
    assert seen == whole["items"]
    assert [item["customer_id"] for item in seen] == sorted(
        str(item["customer_id"]) for item in seen
    )


async def test_any_two_versions_can_be_compared_and_seen_from_either_side(
    classified: Classified,
) -> None:
    await shop(classified)
    quicker, five = await draft(classified), await draft(classified, FIVE_STAGES)
    async with releasing(classified):
        there = cells(await diff(classified, quicker, against=five, as_of=AS_OF))
        back = cells(await diff(classified, five, against=quicker, as_of=AS_OF))
        by_key = await diff(classified, five, against="default", as_of=AS_OF)
        alone = await diff(classified, five, as_of=AS_OF)
    assert back == {(to, from_): count for (from_, to), count in there.items()}
    assert by_key["against"] == alone["against"] == {"version": MODEL.version, "key": "default"}


async def test_before_anything_happened_there_is_no_stage_on_either_side(
    classified: Classified,
) -> None:
    await shop(classified)
    version = await draft(classified)
    async with releasing(classified):
        told = await diff(classified, version, as_of=rfc3339(START - DAY))
        none = await diff(classified, version, as_of=AS_OF, **{"from": "none"})
    assert cells(told) == {(None, None): (4, 0)}
    assert (none["items"], none["total"]) == ([], 0)


async def test_a_diff_that_takes_long_tells_how_far_it_is_and_can_be_waited_for(
    classified: Classified,
) -> None:
    await shop(classified)
    version = await draft(classified)
    path = f"/v1/models/{version}/diff"
    begun = await classified.client.get(path, params={"timeout": "0"})
    assert begun.status_code == 202
    told = begun.json()
    assert (told["state"], told["progress"]) == ("comparing", {"customers": 0, "of": 0})
    await classified.classifier.diffs.step()
    again = await classified.client.get(path, params={"timeout": "0", "cursor": told["next"]})
    assert (again.status_code, again.json()["progress"]) == (202, {"customers": 0, "of": 4})
    joined = await classified.client.get(path, params={"timeout": "0"})
    assert joined.json() == again.json()
    while await classified.classifier.diffs.step():
        pass
    done = await classified.client.get(path, params={"cursor": told["next"], "timeout": "0"})
    assert (done.status_code, done.json()["customers"]) == (200, 4)
    anew = await classified.client.get(path, params={"timeout": "0"})
    assert anew.status_code == 202


async def test_who_asks_the_same_at_once_waits_for_one_diff(classified: Classified) -> None:
    version = await draft(classified)
    path = f"/v1/models/{version}/diff"
    asking = (classified.client.get(path, params={"timeout": "0"}) for _ in range(6))
    answers = await asyncio.gather(*asking)
    assert {answer.status_code for answer in answers} == {202}
    [runs] = await classified.classifier.rows("SELECT count(*) AS n FROM diffs")
    assert runs == {"n": 1}


async def test_only_so_many_are_waited_for_at_once(classified: Classified) -> None:
    version = await draft(classified)
    path = f"/v1/models/{version}/diff"
    answers = [
        await classified.client.get(
            path, params={"timeout": "0", "as_of": rfc3339(START + n * DAY)}
        )
        for n in range(21)
    ]
    assert [answer.status_code for answer in answers] == [202] * 20 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_an_erased_customer_is_in_no_diff_any_more(classified: Classified) -> None:
    await shop(classified)
    version = await draft(classified)
    async with releasing(classified):
        told = await diff(classified, version, as_of=AS_OF, limit="1")
        gone = told["items"][0]["customer_id"]
        [held] = (await get(classified, f"/v1/customers/{gone}/export"))["diffs"]
        assert (held["version"], held["against"], held["as_of"]) == (version, MODEL.version, AS_OF)
        assert held["first"] == told["items"][0]["first"]
        assert (await classified.client.delete(f"/v1/customers/{gone}")).is_success
        [flow] = [one for one in told["flows"] if one["drill"]]
        left = (await classified.client.get(flow["drill"])).json()["items"]
    assert gone not in str(left)
    rows = await classified.classifier.rows("SELECT customer_id FROM diff_customers")
    assert len(rows) == len(left) == 2


async def test_what_others_diffs_tell_of_an_erased_customer_is_gone_too(
    classified: Classified,
) -> None:
    mail = "email:ana@example.com"
    await classified.feed(
        Sent("o-1", (mail,), type=ORDER),
        Sent("l-1", ("user_id:ana", mail), at=START + HOUR),
    )
    version = await draft(classified)
    async with releasing(classified):
        [item] = (await diff(classified, version, as_of=AS_OF))["items"]
    assert item["first"]["touchpoint"]["event_id"] == "o-1"
    taken = {"identifier": mail, "reason": "her sister's"}
    await classified.post("/v1/customers/user_id:ana/unlink", taken)
    assert (await get(classified, "/v1/customers/user_id:ana"))["customer_id"] == item[
        "customer_id"
    ]
    assert (await classified.client.delete(f"/v1/customers/{mail}")).is_success
    assert await classified.classifier.rows("SELECT customer_id FROM diff_customers") == []


async def test_what_cannot_be_compared_is_refused(classified: Classified) -> None:
    version = await draft(classified)
    path = f"/v1/models/{version}/diff"
    for missing in ("abc", "%00", "%FF"):
        answer = await classified.client.get(f"/v1/models/{missing}/diff")
        assert answer.status_code in {400, 404}
    nothing = await classified.client.get(path, params={"against": "nothing"})
    assert nothing.status_code == 404
    for wrong in ({"as_of": "soon"}, {"limit": "0"}, {"cursor": "x"}, {"timeout": "-1"}):
        answer = await classified.client.get(path, params=wrong)
        assert answer.status_code == 400, wrong
    begun = (await classified.client.get(path, params={"timeout": "0"})).json()
    other = await classified.client.get(path, params={"cursor": begun["next"], "to": "retention"})
    assert (other.status_code, other.json()["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize("age", ["23 hours", "25 hours"])
async def test_a_diff_is_kept_for_a_day(classified: Classified, age: str) -> None:
    await shop(classified)
    version = await draft(classified)
    async with releasing(classified):
        told = await diff(classified, version, as_of=AS_OF, limit="1")
        await classified.classifier.execute(
            "UPDATE diffs SET ended_at = now() - $1::text::interval", age
        )
    while await classified.classifier.diffs.step():
        pass
    path = f"/v1/models/{version}/diff"
    answer = await classified.client.get(
        path, params={"as_of": AS_OF, "limit": "1", "cursor": told["next"]}
    )
    assert answer.status_code == (200 if age == "23 hours" else 404)
    rows = await classified.classifier.rows("SELECT customer_id FROM diff_customers")
    assert len(rows) == (3 if age == "23 hours" else 0)
