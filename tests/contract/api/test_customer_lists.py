import pytest

from shared.instants import DAY, HOUR, datetime_of, rfc3339
from shared.touchpoints import Channel
from tests.fixtures.served_api import NOW, START, Served
from tests.fixtures.told import Told


async def fill(served: Served) -> None:
    await served.histories.store(
        Told(event_id="a1", at=START, identifiers=("user_id:ada",)),
        Told(event_id="a2", at=START + HOUR, identifiers=("user_id:ada",)),
        Told(
            event_id="b1",
            at=START + DAY,
            identifiers=("user_id:bob", "email:bob@x.org"),
            channel=Channel.IN_STORE,
            type="order_completed",
        ),
        Told(event_id="b2", at=START + 2 * DAY, identifiers=("user_id:bob",), type="email_sent"),
        Told(event_id="c1", at=START, identifiers=("anonymous_id:bo",)),
        recorded_at=START + 2 * DAY,
    )


async def found(served: Served, **params: str) -> list[str]:
    document = (await served.client.get("/v1/customers", params=params)).json()
    assert document["total"] == len(document["items"])
    return sorted(item["identifiers"][0] for item in document["items"])


ADA, BOB, NOBODY = "user_id:ada", "email:bob@x.org", "anonymous_id:bo"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [NOBODY, BOB, ADA]),
        ({"stage": "decision"}, [ADA]),
        ({"role": "use"}, [BOB]),
        ({"phase": "pre_sale"}, [NOBODY]),
        ({"phase": "pre_sale", "role": "use"}, []),
        ({"activity": "active"}, [NOBODY, BOB, ADA]),
        ({"activity": "churned"}, []),
        ({"channel": "web"}, [NOBODY, BOB, ADA]),
        ({"channel": "in_store"}, [BOB]),
        ({"first_channel": "web"}, [NOBODY, ADA]),
        ({"seen_since": rfc3339(START + HOUR)}, [BOB, ADA]),
        ({"q": "user_id:"}, [BOB, ADA]),
        ({"q": "user_id:a"}, [ADA]),
        ({"q": "bo"}, [NOBODY, BOB]),
        ({"q": "email:BOB@"}, [BOB]),
        ({"q": "BOB@"}, [BOB]),
        ({"q": "ADA"}, []),
        ({"q": "%"}, []),
        ({"model": "shop", "stage": "nowhere"}, []),
    ],
)
async def test_filters_select(served: Served, params: dict[str, str], expected: list[str]) -> None:
    await fill(served)
    assert await found(served, **params) == expected


async def test_an_item_shows_the_published_journey(served: Served) -> None:
    await fill(served)
    await served.histories.connection.execute(
        "UPDATE journeys SET stage_since = $1, next_at = $1 WHERE stage = 'decision'",
        datetime_of(START + HOUR),
    )
    document = (await served.client.get("/v1/customers", params={"q": "user_id:ada"})).json()
    (item,) = document["items"]
    assert item["journey"] == {
        "stage": {
            "key": "decision",
            "label": "Decision",
            "role": "decide",
            "phase": "sale",
            "rank": 1,
            "since": rfc3339(START + HOUR),
        },
        "activity": "active",
        "cycle": 1,
        "peak_stage": "decision",
        "next_at": rfc3339(START + HOUR),
        "model": "shop",
        "version": served.histories.models[0].version,
    }
    assert item["touchpoints"] == {"total": 2, "by_channel": {"web": 2}}
    assert document["total_is_estimate"] is False
    assert document["freshness"] == {
        "as_of": rfc3339(NOW),
        "lag_seconds": 0.0,
        "stale": False,
        "timers_overdue": 1,
    }


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_pages_put_together_are_the_whole(served: Served, limit: int) -> None:
    await fill(served)
    whole = (await served.client.get("/v1/customers")).json()["items"]
    answer = await served.client.get("/v1/customers", params={"limit": limit, "channel": "web"})
    read = answer.json()["items"]
    while "next" in answer.links:
        answer = await served.client.get(answer.links["next"]["url"])
        read += answer.json()["items"]
    assert read == whole


async def test_beyond_ten_thousand_the_total_is_an_estimate(served: Served) -> None:
    await fill(served)
    await served.histories.connection.execute(
        "INSERT INTO customers (id, profile, touchpoints, first_at, first_channel, last_at,"
        " updated_at) SELECT gen_random_uuid(), profile, 1, now(), 'partner', now(), now()"
        " FROM customers, generate_series(1, 4000)"
    )
    await served.histories.connection.execute("ANALYZE customers")
    document = (await served.client.get("/v1/customers", params={"limit": 1})).json()
    assert document["total_is_estimate"] is True
    assert 11_000 < document["total"] < 13_000
