import httpx
import pytest
import structlog
from starlette.types import Receive, Scope, Send

from shared.errors import Unauthorized
from shared.http.front import Front
from shared.http.sign_ins import MOST_CLIENTS, MOST_FAILURES, WINDOW_SECONDS, SignIns

KEY = [(b"authorization", b"Bearer sk_canary_secret")]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def scope(client: str = "10.0.0.1", headers: list[tuple[bytes, bytes]] = KEY) -> Scope:
    return {"type": "http", "client": (client, 1), "headers": headers, "query_string": b""}


def test_a_client_that_fails_too_often_has_to_wait_for_the_rest_of_the_window() -> None:
    clock = Clock()
    sign_ins = SignIns(clock, most=3)
    assert [sign_ins.failed(scope()) for _ in range(3)] == [None] * 3
    clock.now = 20
    assert sign_ins.failed(scope()) == WINDOW_SECONDS - 20
    assert sign_ins.failed(scope("10.0.0.2")) is None
    clock.now = WINDOW_SECONDS
    assert sign_ins.failed(scope()) is None


def test_who_presents_nothing_does_not_sign_in() -> None:
    sign_ins = SignIns(Clock(), most=0)
    assert sign_ins.failed(scope(headers=[])) is None
    assert sign_ins.failed(scope()) is not None
    in_query = {**scope(headers=[]), "query_string": b"a=1&writeKey=wk"}
    assert sign_ins.failed(in_query) is not None


def test_clients_are_forgotten_when_there_are_too_many() -> None:
    sign_ins = SignIns(Clock(), most=1)
    for number in range(MOST_CLIENTS + 1):
        sign_ins.failed(scope(f"10.{number}"))
    assert sign_ins.failed(scope("10.0")) is None


def test_failures_are_logged_once_a_window_and_never_with_the_key() -> None:
    sign_ins = SignIns(Clock(), most=2)
    with structlog.testing.capture_logs() as logs:
        for _ in range(10):
            sign_ins.failed(scope())
    assert [entry["event"] for entry in logs] == ["sign_in_failed", "sign_ins_limited"]
    assert "canary" not in str(logs)


async def refuse(_: Scope, __: Receive, ___: Send) -> None:
    raise Unauthorized("this key is not known")


async def allow(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_front_answers_429_with_retry_after_and_lets_keys_in_force_through(
    method: str,
) -> None:
    front = Front({"/refused": refuse, "/allowed": allow})
    transport = httpx.ASGITransport(front)
    headers = {"Authorization": "Bearer sk_wrong"}
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        for _ in range(MOST_FAILURES):
            answer = await client.request(method, "/refused", headers=headers)
            assert answer.status_code == 401
        limited = await client.request(method, "/refused", headers=headers)
        assert (limited.status_code, "retry-after" in limited.headers) == (429, True)
        if method == "GET":
            assert limited.json()["code"] == "rate_limited"
        assert (await client.request(method, "/refused")).status_code == 401
        assert (await client.request(method, "/allowed", headers=headers)).status_code == 200
