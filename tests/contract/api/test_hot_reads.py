"""The short way of the busiest routes: nobody can tell it from FastAPI's."""

import re

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.app import HOT_READS
from shared.instants import DAY
from shared.sources import RateLimit
from tests.fixtures.served_api import START, Served, built_api
from tests.fixtures.told import Told

ANA = "/v1/customers/user_id:u_1"
ASKED = (
    ANA,
    f"{ANA}/timeline",
    f"{ANA}/timeline?limit=1",
    f"{ANA}/timeline?kinds=touchpoint&channel=web&channel=email&order=asc",
    f"{ANA}/journey",
    f"{ANA}/journey?as_of=2025-03-02T00:00:00Z",
    f"{ANA}/journey?wait_for=web/e1",
    "/v1/customers/lookup?ref=user_id:u_1",
    "/v1/customers/lookup/timeline?limit=1&ref=user_id:u_1",
    "/v1/customers/user_id:u%5F1/journey",
    "/v1/customers/user_id:nobody",
    "/v1/customers/nobody/timeline",
    "/v1/customers/user_id:%ff/journey",
    "/v1/customers//timeline",
    "/v1/customers/user_id:a/b/timeline",
    "/v1/customers/lookup",
    f"{ANA}/",
    f"{ANA}/timeline/",
    f"{ANA}/timelines",
    f"{ANA}/timeline?limit=0",
    f"{ANA}/timeline?cursor=none",
    f"{ANA}/journey?as_off=2025-03-02T00:00:00Z",
    f"{ANA}?limit=1",
)


CURSOR = re.compile(r'(?<="next":")[\w-]+|(?<=cursor=)[\w-]+')


def by_fastapi(app: FastAPI) -> ASGIApp:
    """Return *app* without its short way."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await FastAPI.__call__(app, scope, receive, send)

    return answer


async def asked(app: ASGIApp, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    given = {"Authorization": "Bearer sk_all", "X-Request-Id": "one", **headers}
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        return await client.get(path, headers=given)


def seen(answer: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
    """Return what a client sees of *answer*, whatever moment its cursor is of."""
    text = CURSOR.sub("", answer.text)
    of_a_moment = {"etag"} if text != answer.text else set()
    headers = (field for field in answer.headers.multi_items() if field[0] not in of_a_moment)
    return answer.status_code, text, sorted((name, CURSOR.sub("", it)) for name, it in headers)


@pytest.fixture
async def told(served: Served) -> Served:
    """A customer with a history and two identifiers."""
    await served.histories.store(
        Told(event_id="e1", at=START),
        Told(event_id="e2", at=START + DAY, identifiers=("user_id:u_1", "email:ana@example.com")),
        recorded_at=START + DAY,
    )
    return served


@pytest.mark.parametrize("path", ASKED)
async def test_both_ways_lead_to_the_same_answer(told: Served, path: str) -> None:
    short, long = await asked(told.app, path), await asked(by_fastapi(told.app), path)
    assert seen(short) == seen(long)


@pytest.mark.parametrize("key", ["", "Bearer sk_none", "Bearer wk_web", "Bearer sk_admin"])
async def test_both_ways_keep_the_same_people_out(told: Served, key: str) -> None:
    short = await asked(told.app, ANA, Authorization=key)
    long = await asked(by_fastapi(told.app), ANA, Authorization=key)
    assert seen(short) == seen(long)
    assert short.status_code in {401, 403}


async def test_both_ways_tell_a_reader_that_nothing_has_changed(told: Served) -> None:
    path = f"{ANA}/timeline"
    etag = (await asked(told.app, path)).headers["etag"]
    short = await asked(told.app, path, **{"If-None-Match": etag})
    long = await asked(by_fastapi(told.app), path, **{"If-None-Match": etag})
    assert seen(short) == seen(long)
    assert short.status_code == 304


async def test_both_ways_count_for_one_rate_and_one_trail(told: Served) -> None:
    app = built_api(
        told.engine,
        told.clock,
        told.log,
        told.outlets,
        rate_limit=RateLimit(per_second=1, burst=3),
    )
    left = [
        (await asked(way, f"{ANA}/timeline")).headers["ratelimit"]
        for way in (app, by_fastapi(app), app)
    ]
    assert left == ['"default";r=2;t=1', '"default";r=1;t=2', '"default";r=0;t=3']
    refused = await asked(app, f"{ANA}/timeline")
    assert seen(refused) == seen(await asked(by_fastapi(app), f"{ANA}/timeline"))
    assert (refused.status_code, refused.headers["ratelimit"]) == (429, '"default";r=0;t=3')
    await app.state.resources.background.trail.write()
    entries = await told.histories.connection.fetch(
        "SELECT subject, details::jsonb ->> 'requests' AS requests FROM audit"
    )
    assert [tuple(entry) for entry in entries] == [("route:/v1/customers/{ref}/timeline", "3")]


def test_every_hot_read_is_a_route_that_is_described(served: Served) -> None:
    paths = served.app.openapi()["paths"]
    assert all("get" in paths[read.path] for read in HOT_READS)
