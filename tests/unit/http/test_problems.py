import inspect
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated

import httpx
import msgspec
import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from shared import errors
from shared.errors import (
    Conflict,
    DatabaseUnavailable,
    Fault,
    Invalid,
    JourneylineError,
    ModelRefused,
    NotYet,
    Overloaded,
    SetupError,
    Unauthorized,
)
from shared.http.asgi import MethodNotAllowed
from shared.http.problems import (
    Answer,
    TooManyRequests,
    install_problems,
    problem,
    status_of,
)


def told(answer: Answer) -> Mapping[str, object]:
    document: Mapping[str, object] = msgspec.json.decode(answer.body)
    return document


def test_a_problem_says_everything_that_the_contract_lists() -> None:
    faults = [Fault("a.b", "too_long", "must be shorter")]
    answer = problem(Invalid("a.b must be shorter", code="bad_item", faults=faults), "id-1")
    assert answer.status == 422
    assert told(answer) == {
        "type": "urn:journeyline:problem:bad_item",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "a.b must be shorter",
        "code": "bad_item",
        "message": "a.b must be shorter",
        "request_id": "id-1",
        "errors": [{"path": "a.b", "code": "too_long", "message": "must be shorter"}],
    }
    assert (b"content-type", b"application/problem+json") in answer.headers


def test_an_error_without_faults_lists_none() -> None:
    assert "errors" not in told(problem(Conflict("no"), "id"))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.Unreadable("x"), 400),
        (Unauthorized("x"), 401),
        (errors.Forbidden("x"), 403),
        (errors.NotFound("x"), 404),
        (MethodNotAllowed(["GET"]), 405),
        (Conflict("x"), 409),
        (errors.TooLarge("x"), 413),
        (errors.UnsupportedMedia("x"), 415),
        (ModelRefused("x"), 422),
        (TooManyRequests("x", retry_after_seconds=1), 429),
        (errors.LogUnavailable("x"), 503),
        (DatabaseUnavailable("x"), 503),
        (errors.OwnershipLost("x"), 503),
        (Overloaded("x"), 503),
        (NotYet("x"), 504),
        (errors.LogDamaged("x"), 500),
        (SetupError("x"), 500),
        (ValueError("x"), 500),
    ],
)
def test_each_kind_of_error_has_its_status(error: Exception, status: int) -> None:
    assert status_of(error) == status
    assert problem(error, "id").status == status


def test_every_error_that_a_client_can_cause_has_a_status() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.PermanentError | errors.RetryableError)
    ]
    unmapped = [kind for kind in kinds if status_of(kind.__new__(kind)) == 500]
    assert unmapped == [errors.PermanentError]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (TooManyRequests("slow", retry_after_seconds=0.2), b"1"),
        (TooManyRequests("slow", retry_after_seconds=2.1), b"3"),
        (DatabaseUnavailable("away"), b"5"),
        (Overloaded("busy"), b"1"),
    ],
)
def test_what_may_be_tried_again_says_when(error: Exception, seconds: bytes) -> None:
    assert (b"retry-after", seconds) in problem(error, "id").headers


def test_a_key_that_is_missing_is_asked_for() -> None:
    names = [name for name, _ in problem(Unauthorized("no key"), "id").headers]
    assert b"www-authenticate" in names


def test_the_methods_that_a_path_answers_are_listed() -> None:
    assert (b"allow", b"GET, POST") in problem(MethodNotAllowed(["GET", "POST"]), "id").headers


@pytest.mark.parametrize("error", [ValueError("wk_secret"), SetupError("wk_secret")])
def test_what_nobody_expected_is_not_explained_to_the_client(error: Exception) -> None:
    answer = problem(error, "id-7")
    assert b"wk_secret" not in answer.body
    assert told(answer)["code"] == "internal_error"
    assert told(answer)["request_id"] == "id-7"


def test_a_message_that_is_no_unicode_can_be_told_all_the_same() -> None:
    faults = [Fault("\ud800", "unknown_field", "\udfff is none")]
    assert told(problem(Invalid("\ud800", faults=faults), "id"))["detail"] == "?"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    amount: int
    lines: list[int] = []


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = 3


def application() -> FastAPI:
    app = FastAPI(redirect_slashes=False)

    @app.get("/things")
    async def read(asked: Annotated[_Asked, Query()]) -> int:
        return asked.limit

    @app.post("/things")
    async def write(body: _Body) -> int:
        return body.amount

    @app.get("/raised/{kind}")
    async def fail(kind: str) -> None:
        known: dict[str, Exception] = {
            "conflict": Conflict("it is in use"),
            "http": HTTPException(416, "no such range"),
            "unexpected": ZeroDivisionError("a secret"),
        }
        raise known[kind]

    install_problems(app)
    return app


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
        yield client


def document_of(answer: httpx.Response) -> Mapping[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    document: Mapping[str, object] = answer.json()
    assert document["status"] == answer.status_code
    return document


def paths_in(document: Mapping[str, object]) -> list[str]:
    faults = document.get("errors", [])
    assert isinstance(faults, list)
    return [fault["path"] for fault in faults]


@pytest.mark.parametrize(("query", "path"), [("limit=x", "limit"), ("colour=red", "colour")])
async def test_a_wrong_parameter_is_400_and_named(
    client: httpx.AsyncClient, query: str, path: str
) -> None:
    answer = await client.get(f"/things?{query}")
    document = document_of(answer)
    assert (answer.status_code, document["code"]) == (400, "bad_parameter")
    assert paths_in(document) == [path]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "amount"),
        ({"amount": 1, "more": 2}, "more"),
        ({"amount": 1, "lines": [1, "x"]}, "lines[1]"),
    ],
)
async def test_a_wrong_body_is_422_and_its_fields_are_named(
    client: httpx.AsyncClient, body: object, path: str
) -> None:
    answer = await client.post("/things", json=body)
    assert answer.status_code == 422
    assert paths_in(document_of(answer)) == [path]


async def test_a_body_that_is_no_json_is_400(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    answer = await client.post("/things", content=b"{", headers=headers)
    assert (answer.status_code, document_of(answer)["code"]) == (400, "bad_json")


async def test_a_path_that_is_not_there_is_404(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/things/"):
        answer = await client.get(path)
        assert (answer.status_code, document_of(answer)["code"]) == (404, "not_found")


async def test_a_method_that_is_not_there_is_405_and_the_others_are_listed(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.put("/things")
    assert (answer.status_code, document_of(answer)["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


async def test_an_error_of_ours_is_answered_as_what_it_is(client: httpx.AsyncClient) -> None:
    answer = await client.get("/raised/conflict")
    assert (answer.status_code, document_of(answer)["detail"]) == (409, "it is in use")


async def test_other_statuses_of_the_framework_are_problems_too(client: httpx.AsyncClient) -> None:
    answer = await client.get("/raised/http")
    assert (answer.status_code, document_of(answer)["detail"]) == (416, "no such range")


async def test_a_mistake_of_ours_is_500_without_details(client: httpx.AsyncClient) -> None:
    answer = await client.get("/raised/unexpected", headers={"x-request-id": "mine"})
    assert (answer.status_code, document_of(answer)["request_id"]) == (500, "mine")
    assert "a secret" not in answer.text


def test_errors_keep_to_one_tree() -> None:
    assert issubclass(TooManyRequests, JourneylineError)
    assert issubclass(MethodNotAllowed, JourneylineError)
