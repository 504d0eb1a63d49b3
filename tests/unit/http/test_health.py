import asyncio
from collections.abc import Mapping

import httpx
import pytest

from shared.errors import DatabaseUnavailable
from shared.http.front import Front
from shared.http.health import Check, health_routes, not_stopping


async def well() -> str | None:
    return None


async def ill() -> str | None:
    return "no partition is owned"


async def away() -> str | None:
    raise DatabaseUnavailable("the database is away")


async def broken() -> str | None:
    raise ZeroDivisionError("postgresql://user:password@host")


async def stuck() -> str | None:
    await asyncio.Event().wait()
    return None


async def asked(
    path: str, ready: Mapping[str, Check], alive: Mapping[str, Check] | None = None
) -> httpx.Response:
    front = Front(health_routes(ready, alive=alive, check_seconds=0.05))
    transport = httpx.ASGITransport(front)
    async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
        return await client.get(path)


async def test_a_service_is_ready_when_all_its_checks_hold() -> None:
    answer = await asked("/readyz", {"log": well, "database": well})
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "checks": {"log": {"ok": True, "detail": None}, "database": {"ok": True, "detail": None}},
    }


@pytest.mark.parametrize(
    ("check", "detail"),
    [
        (ill, "no partition is owned"),
        (away, "the database is away"),
        (broken, "the check failed: ZeroDivisionError"),
        (stuck, "no answer within 0.05 s"),
    ],
)
async def test_one_failed_check_is_enough_to_be_taken_out_of_rotation(
    check: Check, detail: str
) -> None:
    answer = await asked("/readyz", {"log": well, "other": check})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json() == {
        "status": "unavailable",
        "checks": {"log": {"ok": True, "detail": None}, "other": {"ok": False, "detail": detail}},
    }


async def test_life_does_not_depend_on_what_readiness_depends_on() -> None:
    answer = await asked("/livez", {"database": away})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": {}})


async def test_a_service_may_say_that_it_is_past_help() -> None:
    answer = await asked("/livez", {}, {"poll loop": ill})
    assert answer.status_code == 503


async def test_a_service_that_stops_is_not_ready() -> None:
    stopping = asyncio.Event()
    ready = {"stopping": not_stopping(stopping)}
    assert (await asked("/readyz", ready)).status_code == 200
    stopping.set()
    assert (await asked("/readyz", ready)).status_code == 503


async def test_metrics_are_told_in_the_format_of_prometheus() -> None:
    answer = await asked("/metrics", {})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE http_requests_total counter" in answer.text
