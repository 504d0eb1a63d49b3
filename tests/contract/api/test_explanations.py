import pytest

from shared.instants import DAY, HOUR, rfc3339
from tests.fixtures.served_api import START, Served
from tests.fixtures.told import Told

EXPLANATION = "/v1/customers/user_id:u_1/explanation"
LOOKS = [Told(event_id=f"look-{n}", at=START + n * HOUR) for n in range(2)]


async def explained(served: Served, **params: str) -> dict[str, object]:
    answer = await served.client.get(EXPLANATION, params=params)
    assert answer.status_code == 200, answer.text
    document: dict[str, object] = answer.json()
    return document


async def test_why_names_the_rule_and_shows_its_evidence_in_full(served: Served) -> None:
    await served.histories.store(*LOOKS, recorded_at=START + DAY)
    document = await explained(served, as_of=rfc3339(START + DAY))
    timeline = (await served.client.get("/v1/customers/user_id:u_1/timeline")).json()["items"]
    in_full = {item["event_id"]: item for item in timeline if item["kind"] == "touchpoint"}
    assert document["why"] == {
        "rule": "interested",
        "cause": {
            "touchpoint": {"source": "web", "event_id": "look-1"},
            "evidence": [
                {"source": "web", "event_id": f"look-{n}", "at": rfc3339(START + n * HOUR)}
                for n in (1, 0)
            ],
        },
        "touchpoint": in_full["look-1"],
        "evidence": [in_full["look-1"], in_full["look-0"]],
    }


async def test_why_not_says_what_is_needed_and_what_there_is(served: Served) -> None:
    await served.histories.store(LOOKS[0], recorded_at=START + DAY)
    document = await explained(served, as_of=rfc3339(START + DAY))
    assert document["why_not"] == [
        {
            "stage": "decision",
            "rule": "interested",
            "conditions": [
                {
                    "condition": {"signal": "looked", "at_least": 2, "within": "P14D"},
                    "needed": 2,
                    "have": 1,
                    "holds": False,
                    "until": rfc3339(START + 14 * DAY),
                }
            ],
        },
        {
            "stage": "onboarding",
            "rule": "first_purchase",
            "conditions": [
                {
                    "condition": {"signal": "bought"},
                    "needed": 1,
                    "have": 0,
                    "holds": False,
                    "until": None,
                }
            ],
        },
    ]
    assert document["text"] == [
        f"In Awareness since {rfc3339(START)} by rule start; decided by web/look-0.",
        "decision (interested) needs at least 2 looked within P14D (has 1).",
        "onboarding (first_purchase) needs a touchpoint that is bought.",
        f"Without a touchpoint, dormant at {rfc3339(START + 60 * DAY)} by dormant_after.",
    ]


@pytest.mark.parametrize("published_through", [None, START + 20 * DAY])
async def test_a_move_that_time_made_is_explained_whether_it_is_published_or_not(
    served: Served, published_through: int | None
) -> None:
    served.histories.settled_through = published_through
    await served.histories.store(*LOOKS, recorded_at=START + DAY)
    document = await explained(served)
    why = document["why"]
    assert isinstance(why, dict)
    assert why["rule"] == "abandoned"
    assert why["cause"]["deadline"]["after"] == "P14D"
    assert why["touchpoint"]["event_id"] == "look-1"
    assert why["evidence"] == []
    assert isinstance(document["stage"], dict)
    assert document["stage"]["key"] == "awareness"
    assert document["next"] is not None


async def test_the_past_is_explained_by_what_was_there_then(served: Served) -> None:
    served.histories.settled_through = START + 20 * DAY
    await served.histories.store(*LOOKS, recorded_at=START + DAY)
    early = await explained(served, as_of=rfc3339(START + HOUR // 2))
    assert isinstance(early["stage"], dict)
    assert early["stage"]["key"] == "awareness"
    before = await explained(served, as_of=rfc3339(START - DAY))
    assert (before["why"], before["stage"], before["next"]) == (None, None, None)


async def test_it_carries_freshness_and_can_be_waited_for(served: Served) -> None:
    await served.histories.store(*LOOKS, recorded_at=START + DAY)
    document = await explained(served, wait_for="web/look-1")
    assert document["freshness"]
    late = await served.client.get(EXPLANATION, params={"wait_for": "web/never", "timeout": 0})
    assert late.status_code == 504
    missing = await served.client.get("/v1/customers/user_id:nobody/explanation")
    assert missing.status_code == 404


async def test_a_reader_who_holds_the_explanation_is_told_so(served: Served) -> None:
    served.histories.settled_through = START + 20 * DAY
    await served.histories.store(*LOOKS, recorded_at=START + DAY)
    first = await served.client.get(EXPLANATION)
    again = await served.client.get(EXPLANATION, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
