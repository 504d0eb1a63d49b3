import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from shared.errors import LogUnavailable
from shared.http.asgi import by_method, header, path_segments, read_body, request_id, respond
from shared.http.front import Front
from shared.http.problems import install_problems
from shared.logs import REQUEST_ID


async def hot(scope: Scope, receive: Receive, send: Send) -> None:
    await read_body(receive)
    await respond(send, 200, "/".join(path_segments(scope)).encode())


async def whoami(scope: Scope, _: Receive, send: Send) -> None:
    await respond(send, 200, f"{request_id(scope)} {REQUEST_ID.get()}".encode())


async def away(_: Scope, __: Receive, ___: Send) -> None:
    raise LogUnavailable("the log did not confirm in time")


async def broken(_: Scope, __: Receive, ___: Send) -> None:
    raise ZeroDivisionError("a secret")


async def broken_later(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ZeroDivisionError("too late")


async def left(_: Scope, __: Receive, ___: Send) -> None:
    raise ClientDisconnect


HOT: Mapping[str, ASGIApp] = {
    "/hot": by_method({"POST": hot}),
    "/both": by_method({"GET": hot}),
    "/hooks/*": hot,
    "/hooks/own/*": whoami,
    "/hooks/exact": whoami,
    "/whoami": whoami,
    "/away": away,
    "/broken": broken,
    "/later": broken_later,
    "/left": left,
}


def application() -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    install_problems(app)

    @app.get("/rest/{name}")
    async def rest(name: str) -> dict[str, str]:
        return {"name": name}

    @app.get("/page")
    async def page() -> HTMLResponse:
        return HTMLResponse("<p>hello")

    @app.get("/own-policy")
    async def own_policy() -> HTMLResponse:
        return HTMLResponse("<p>hello", headers={"Content-Security-Policy": "default-src 'self'"})

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def lines() -> AsyncGenerator[bytes]:
            while True:
                yield b":\n"
                await asyncio.sleep(0)

        return StreamingResponse(lines(), media_type="text/event-stream")

    @app.get("/oops")
    async def oops() -> None:
        raise ZeroDivisionError("a secret")

    return app


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Front(HOT, application()))
    async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/hooks/stripe/shop%2F1", "hooks/stripe/shop/1"),
        ("/hooks/", "hooks/"),
        ("/hooks/exactly", "hooks/exactly"),
    ],
)
async def test_a_path_below_a_wildcard_finds_its_endpoint(
    client: httpx.AsyncClient, path: str, body: str
) -> None:
    assert (await client.post(path)).text == body


@pytest.mark.parametrize("path", ["/hooks/exact", "/hooks/own/a", "/whoami"])
async def test_a_path_named_itself_goes_before_a_wildcard(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path, headers={"x-request-id": "mine"})
    assert answer.text == "mine mine"


@pytest.mark.parametrize("path", ["/hooks", "/hot/", "/hot/more", "/HOT", "/nothing"])
async def test_other_paths_are_left_to_the_application(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.post(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_hot_path_refuses_other_methods_and_names_its_own(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/hot")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path", ["/hot", "/rest/a", "/nothing", "/away", "/broken", "/oops", "/page"]
)
async def test_every_answer_carries_the_id_and_the_security_headers(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path, headers={"x-request-id": "id-9"})
    assert answer.headers.get_list("x-request-id") == ["id-9"]
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    assert "server" not in answer.headers
    if answer.headers["content-type"] == "application/problem+json":
        assert answer.json()["request_id"] == "id-9"


async def test_two_requests_without_an_id_get_two(client: httpx.AsyncClient) -> None:
    ids = {(await client.get("/rest/a")).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2


async def test_only_pages_carry_a_content_security_policy(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/page")).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "content-security-policy" not in (await client.get("/rest/a")).headers
    own = (await client.get("/own-policy")).headers.get_list("content-security-policy")
    assert own == ["default-src 'self'"]


@pytest.mark.parametrize("path", ["/both", "/rest/a", "/page"])
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    got, headed = await client.get(path), await client.head(path)
    assert headed.status_code == 200
    assert headed.content == b""
    assert headed.headers["content-length"] == str(len(got.content))
    assert headed.headers["content-type"] == got.headers["content-type"]


async def test_head_of_an_endless_answer_ends(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(10):
        assert (await client.head("/endless")).status_code == 200


async def test_what_may_pass_is_503_with_retry_after(client: httpx.AsyncClient) -> None:
    answer = await client.get("/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["code"] == "log_unavailable"


@pytest.mark.parametrize("path", ["/broken", "/oops"])
async def test_a_mistake_is_logged_under_the_request_and_not_told(
    client: httpx.AsyncClient, path: str
) -> None:
    with capture_logs() as logs:
        answer = await client.get(path)
    assert answer.status_code == 500
    assert "a secret" not in answer.text
    assert [line["log_level"] for line in logs] == ["error"]
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)


async def test_what_happens_every_day_is_not_logged(client: httpx.AsyncClient) -> None:
    with capture_logs() as logs:
        for path in ("/away", "/nothing", "/rest/a"):
            await client.get(path)
    assert logs == []


def counted(route: str, code: str) -> float:
    labels = {"route": route, "method": "GET", "code": code}
    return REGISTRY.get_sample_value("http_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("path", "route", "code"),
    [
        ("/whoami", "/whoami", "200"),
        ("/hooks/own/x", "/hooks/own/*", "200"),
        ("/rest/customer-7", "/rest/{name}", "200"),
        ("/nothing/customer-7", "other", "404"),
        ("/broken", "/broken", "500"),
    ],
)
async def test_requests_are_counted_by_route_never_by_path(
    client: httpx.AsyncClient, path: str, route: str, code: str
) -> None:
    before = counted(route, code)
    await client.get(path)
    assert counted(route, code) == before + 1


async def test_a_client_that_went_away_is_counted_as_that() -> None:
    before = counted("/left", "499")
    with capture_logs() as logs:
        await Front(HOT)(scope_of("/left"), never, unheard)
    assert counted("/left", "499") == before + 1
    assert logs == []


async def unheard(_: Message) -> None:
    raise AssertionError


def scope_of(path: str) -> Scope:
    return {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "headers": [],
        "query_string": b"",
    }


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_request_that_is_cancelled_is_told_to_come_again() -> None:
    begun = asyncio.Event()

    async def slow(_: Scope, receive: Receive, __: Send) -> None:
        begun.set()
        await receive()

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    task = asyncio.create_task(Front({"/slow": slow})(scope_of("/slow"), never, send))
    await begun.wait()
    task.cancel()
    await task
    assert sent[0]["status"] == 503
    assert header(sent[0], b"retry-after") == b"1"


async def test_an_answer_that_breaks_off_is_not_completed() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await Front(HOT)(scope_of("/later"), never, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_the_application_behind_gets_the_lifespan() -> None:
    stages: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        stages.append("up")
        yield
        stages.append("down")

    assert await lived(Front({}, FastAPI(lifespan=lifespan))) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert stages == ["up", "down"]


async def test_without_an_application_behind_everything_else_is_not_found() -> None:
    front = Front({"/whoami": whoami})
    assert len(await lived(front)) == 2
    transport = httpx.ASGITransport(front)
    async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
        assert (await client.get("/whoami")).status_code == 200
        assert (await client.get("/else")).status_code == 404


async def lived(app: ASGIApp) -> list[str]:
    """Start and stop *app*; return what it said."""
    sent: list[str] = []
    asked = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Message:
        return {"type": next(asked)}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan", "asgi": {}, "state": {}}, receive, send)
    return sent
