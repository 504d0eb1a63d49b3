"""Rate limits by key, off unless they are set."""

import pytest

from services.api.request_rates import parse_rate
from shared.instants import SECOND
from shared.sources import RateLimit
from tests.fixtures.served_api import Served, built_api, client_of

PATH = "/v1/stages"


async def test_without_a_limit_nothing_is_said_of_one(served: Served) -> None:
    answer = await served.client.get(PATH)
    assert answer.status_code == 200
    assert not {"ratelimit", "ratelimit-policy"} & set(answer.headers)


async def test_a_key_over_its_rate_is_told_when_to_come_back(served: Served) -> None:
    app = built_api(
        served.engine,
        served.clock,
        served.log,
        served.outlets,
        rate_limit=RateLimit(per_second=0.5, burst=3),
    )
    async with client_of(app, "sk_all") as client:
        left = []
        for _ in range(3):
            answer = await client.get(PATH)
            assert answer.status_code == 200
            assert answer.headers["ratelimit-policy"] == '"default";q=3;w=6'
            left.append(answer.headers["ratelimit"])
        assert left == ['"default";r=2;t=2', '"default";r=1;t=4', '"default";r=0;t=6']
        refused = await client.get(PATH)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "2"
        assert refused.headers["ratelimit"] == '"default";r=0;t=6'
        served.clock.now += 2 * SECOND
        assert (await client.get(PATH)).status_code == 200
        assert (await client.get("/v1/health")).status_code == 200


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("", None),
        ("100", RateLimit(per_second=100, burst=100)),
        ("600/60", RateLimit(per_second=10, burst=600)),
    ],
)
def test_a_rate_is_requests_a_second_or_in_a_time(text: str, limit: RateLimit | None) -> None:
    assert parse_rate(text) == limit


@pytest.mark.parametrize("text", ["0", "-1", "ten", "10/0", "10/", "1.5", " 10", "10/m"])
def test_a_rate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="requests"):
        parse_rate(text)
