"""What holds for every route; those that are new are walked by themselves."""

from collections.abc import Iterator
from typing import Final

import pytest

from shared.instants import HOUR
from tests.fixtures.served_api import START, Served
from tests.fixtures.told import Told

NAMES: Final = {
    "{ref}": "user_id:u_1",
    "{space}": "crm",
    "{source}": "web",
    "{event_id}": "e0",
}
NOBODY: Final = "00000000-0000-0000-0000-000000000000"
PROBLEM: Final = {"type", "title", "status", "detail", "code", "message", "request_id"}


def reads(served: Served, parameter: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield path and schema of the parameter of every route that is read, and has it."""
    for path, operations in served.app.openapi()["paths"].items():
        if "get" not in operations:
            continue
        schemas = {
            one["name"]: one["schema"]
            for one in operations["get"].get("parameters", ())
            if one["in"] == "query"
        }
        if parameter in schemas and "/lookup" not in path:
            yield filled(path), schemas[parameter]


def filled(path: str) -> str:
    for name, value in NAMES.items():
        path = path.replace(name, value)
    return "/".join(NOBODY if part.startswith("{") else part for part in path.split("/"))


async def told(served: Served) -> None:
    visits = [Told(event_id=f"e{n}", at=START + n * HOUR) for n in range(5)]
    await served.histories.store(*visits, recorded_at=START + HOUR)


async def test_a_limit_that_is_none_is_refused_and_named(served: Served) -> None:
    await told(served)
    walked = 0
    for path, schema in reads(served, "limit"):
        most = int(str(schema["maximum"]))
        for wrong in ("0", "-1", str(most + 1), "x", "1.5", ""):
            answer = await served.client.get(path, params={"limit": wrong})
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter"), path
            assert [fault["path"] for fault in answer.json()["errors"]] == ["limit"], path
        walked += 1
    assert walked > 8


async def test_a_cursor_of_nowhere_and_of_another_route_is_refused(served: Served) -> None:
    await told(served)
    page = await served.client.get("/v1/customers/user_id:u_1/timeline", params={"limit": 1})
    foreign = page.json()["next"]
    assert foreign is not None
    walked = 0
    for path, _ in reads(served, "cursor"):
        for wrong in ("", "x", foreign[:-2], foreign):
            if path.endswith("/timeline") and wrong == foreign:
                continue
            answer = await served.client.get(path, params={"cursor": wrong})
            refused = answer.status_code, answer.json()["code"]
            if NOBODY not in path:
                assert refused == (400, "bad_cursor"), (path, wrong)
            assert refused in {(400, "bad_cursor"), (404, "not_found")}, (path, wrong)
        walked += 1
    assert walked > 6


async def test_every_refusal_is_a_problem_that_says_what_it_is_twice(served: Served) -> None:
    await told(served)
    asked = [
        ("GET", "/v1/nothing", None, 404),
        ("GET", "/v1/customers/user_id:nobody", None, 404),
        ("GET", "/v1/customers/nobody", None, 400),
        ("GET", "/v1/customers?limit=0", None, 400),
        ("PUT", "/v1/customers", None, 405),
        ("POST", "/v1/customers/lookup", b"{", 400),
        ("POST", "/v1/customers/lookup", b"\xff", 400),
        ("POST", "/v1/customers/lookup", b"", 422),
        ("POST", "/v1/customers/lookup", b'{"refs": []}', 422),
        ("POST", "/v1/customers/lookup", b" " * (5 << 20), 413),
        ("GET", "/v1/customers/user_id:u_1?wait_for=web/never&timeout=0", None, 504),
    ]
    for method, path, body, status in asked:
        answer = await served.client.request(method, path, content=body)
        document = answer.json()
        assert (answer.status_code, document["status"]) == (status, status), (path, document)
        assert answer.headers["content-type"] == "application/problem+json"
        assert document.keys() >= PROBLEM, path
        assert document["message"] == document["detail"]
        assert document["code"].replace("_", "").islower()
        for fault in document.get("errors", ()):
            assert fault.keys() == {"path", "code", "message"}
        assert ("retry-after" in answer.headers) == (status in {429, 503, 504})


@pytest.mark.parametrize(
    "kinds",
    [
        {"kinds": "touchpoint,identity"},
        {"kinds": ["touchpoint", "identity"]},
        {"kinds": ["touchpoint,identity", "identity"]},
    ],
)
async def test_what_can_be_repeated_is_repeated(
    served: Served, kinds: dict[str, str | list[str]]
) -> None:
    names = ("user_id:u_1", "email:a@example.com")
    visit = Told(event_id="e", at=START, identifiers=names)
    await served.histories.store(visit, recorded_at=START)
    params = {**kinds, "type": ["product_viewed", "nothing"], "channel": ["email", "web"]}
    page = await served.client.get("/v1/customers/user_id:u_1/timeline", params=params)
    assert {item["kind"] for item in page.json()["items"]} == {"touchpoint", "identity"}
