"""The Segment Tracking API as SDKs see it (the public contract, sections 2, 4.2 and 4.6)."""

import base64
import gzip
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx
import pytest

from services.ingest.app import build_ingest
from shared.http.front import Front
from shared.keys import Scope
from shared.records import Record, RejectedRecord, decode
from shared.sources import RateLimit, SourceSettings
from shared.touchpoints import JsonObject
from tests.fakes.directory import InMemoryDirectory, writer_of
from tests.fakes.known_keys import secret
from tests.fakes.log import InMemoryLog, InMemoryWriter
from tests.strategies.items import NOW, as_json, source_with

PAGE = "https://shop.example"
KEY = {"Authorization": "Basic " + base64.b64encode(b"wk_shop:").decode()}
TRACK: JsonObject = {"type": "track", "event": "E", "userId": "u", "messageId": "m-1"}

SOURCES = [
    source_with(name="shop"),
    source_with(SourceSettings(rate_limit=RateLimit(per_second=1, burst=2)), name="slow"),
    source_with(SourceSettings(allowed_origins=(PAGE,)), name="pages"),
]
HOLDERS = {
    "wk_shop": writer_of("shop"),
    "wk_slow": writer_of("slow"),
    "wk_pages": writer_of("pages"),
    "sk_posts": secret(Scope.TOUCHPOINTS_WRITE),
    "sk_reads": secret(Scope.CUSTOMERS_READ),
}
SINGLE = ["track", "identify", "page", "screen", "group", "alias", "t", "i", "p", "s", "g", "a"]
BATCHED = ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"]


@dataclass(frozen=True, slots=True)
class System:
    client: httpx.AsyncClient
    log: InMemoryLog
    directory: InMemoryDirectory

    async def post(
        self, path: str, body: object, headers: Mapping[str, str] = KEY
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else as_json(body)
        return await self.client.post(path, content=content, headers=headers)

    @property
    def records(self) -> list[Record]:
        return [decode(record.value) for record in self.log.records]


@pytest.fixture
async def system() -> AsyncIterator[System]:
    log = InMemoryLog(partitions=1)
    directory = InMemoryDirectory(SOURCES, HOLDERS)
    ingest = build_ingest(log=InMemoryWriter(log), directory=directory, clock=lambda: NOW)
    transport = httpx.ASGITransport(Front(ingest.hot_routes))
    async with httpx.AsyncClient(transport=transport, base_url="https://here.example") as client:
        yield System(client, log, directory)


class TestAnswers:
    @pytest.mark.parametrize("path", BATCHED)
    async def test_a_batch_is_exactly_200_and_says_what_was_refused(
        self, system: System, path: str
    ) -> None:
        answer = await system.post(path, {"batch": [TRACK, {**TRACK, "userId": ""}, TRACK]})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "success": True,
            "accepted": 2,
            "rejected": [
                {
                    "index": 1,
                    "code": "no_user_anon_id",
                    "message": "userId or anonymousId must be given",
                }
            ],
        }
        assert len(system.records) == 3
        assert sum(isinstance(record, RejectedRecord) for record in system.records) == 1

    @pytest.mark.parametrize("route", SINGLE)
    async def test_every_call_has_its_route_in_full_and_short(
        self, system: System, route: str
    ) -> None:
        message = {"event": "E", "userId": "u", "previousId": "p", "groupId": "g"}
        for path in (f"/v1/{route}", f"/api/s/{route}"):
            answer = await system.post(path, message)
            assert (answer.status_code, answer.json()) == (
                200,
                {"success": True, "accepted": 1, "rejected": []},
            )

    async def test_a_request_of_which_nothing_is_accepted_is_200_as_well(
        self, system: System
    ) -> None:
        answer = await system.post("/v1/batch", {"batch": [{}, 5]})
        assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
        assert len(system.records) == 2

    async def test_a_batch_without_messages_is_200(self, system: System) -> None:
        answer = await system.post("/v1/batch", {"batch": []})
        assert answer.json() == {"success": True, "accepted": 0, "rejected": []}

    async def test_what_an_sdk_reports_of_itself_is_dropped(self, system: System) -> None:
        answer = await system.post("/v1/m", b'{"series": []}', headers={})
        assert (answer.status_code, answer.json()) == (200, {"success": True})
        assert system.records == []

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            (b"nope", 400, "bad_json"),
            (b"", 400, "empty_body"),
            (b"{}", 400, "no_batch"),
            (b"\x1f\x8bnope", 400, "bad_encoding"),
            (b'{"batch": []}' + b" " * (4 << 20), 413, "body_too_large"),
            (gzip.compress(b" " * (17 << 20)), 413, "body_too_large"),
            (b'{"batch": [' + b",".join([b"{}"] * 2_501) + b"]}", 413, "too_many_items"),
        ],
    )
    async def test_errors_have_code_and_message_so_that_no_sdk_sends_again_for_nothing(
        self, system: System, body: bytes, status: int, code: str
    ) -> None:
        answer = await system.post("/v1/batch", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.json()["message"]
        assert answer.headers["content-type"] == "application/problem+json"
        assert system.records == []

    async def test_a_source_over_its_rate_gets_429_with_a_time_to_wait(
        self, system: System
    ) -> None:
        key = {"X-Write-Key": "wk_slow"}
        assert (await system.post("/v1/batch", {"batch": [TRACK] * 2}, key)).status_code == 200
        answer = await system.post("/v1/batch", {"batch": [TRACK]}, key)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) >= 1

    async def test_only_post_is_answered(self, system: System) -> None:
        answer = await system.client.get("/v1/batch", headers=KEY)
        assert answer.status_code == 405


class TestBodies:
    @pytest.mark.parametrize(
        "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""]
    )
    @pytest.mark.parametrize("declared", [True, False])
    async def test_the_content_type_is_not_looked_at_and_gzip_need_not_be_declared(
        self, system: System, content_type: str, *, declared: bool
    ) -> None:
        body = as_json({"batch": [TRACK]})
        headers = {**KEY, "Content-Type": content_type}
        assert (await system.post("/v1/b", body, headers)).status_code == 200
        encoding = {"Content-Encoding": "gzip"} if declared else {}
        answer = await system.post("/v1/b", gzip.compress(body), {**headers, **encoding})
        assert answer.json()["accepted"] == 1


class TestKeys:
    @pytest.mark.parametrize(
        ("headers", "query", "in_body"),
        [
            (KEY, "", None),
            ({"Authorization": "Basic " + base64.b64encode(b"wk_shop").decode()}, "", None),
            ({"Authorization": "Bearer wk_shop"}, "", None),
            ({"X-Write-Key": "wk_shop"}, "", None),
            ({}, "", "wk_shop"),
            ({}, "?writeKey=wk_shop", None),
            ({"Authorization": "Bearer some-oauth-token"}, "", "wk_shop"),
            ({"X-Write-Key": "wk_shop"}, "", "wk:***"),
        ],
    )
    async def test_the_write_key_may_stand_in_four_places(
        self, system: System, headers: Mapping[str, str], query: str, in_body: str | None
    ) -> None:
        for path, body in (("/v1/batch", {"batch": [TRACK]}), ("/v1/track", TRACK)):
            sent = body if in_body is None else {**body, "writeKey": in_body}
            answer = await system.post(path + query, sent, headers)
            assert (answer.status_code, answer.json().get("accepted")) == (200, 1)
        assert {record.sender for record in system.records} == {"shop"}

    async def test_of_two_keys_the_first_place_counts(self, system: System) -> None:
        body = {"batch": [TRACK], "writeKey": "wk_slow"}
        await system.post("/v1/batch?writeKey=wk_pages", body, KEY)
        await system.post("/v1/batch?writeKey=wk_pages", body, {"X-Write-Key": "wk_shop"})
        await system.post("/v1/batch?writeKey=wk_pages", body, {})
        await system.post("/v1/batch?writeKey=wk_pages", {"batch": [TRACK]}, {})
        senders = [record.sender for record in system.records]
        assert senders == ["shop", "shop", "slow", "pages"]

    @pytest.mark.parametrize("headers", [{}, {"X-Write-Key": "wk_unknown"}])
    async def test_without_a_known_key_it_is_401(
        self, system: System, headers: Mapping[str, str]
    ) -> None:
        answer = await system.post("/v1/batch", {"batch": [TRACK]}, headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.json()["message"]
        assert "www-authenticate" in answer.headers
        assert system.records == []

    async def test_a_secret_key_posts_for_any_source(self, system: System) -> None:
        key = {"Authorization": "Bearer sk_posts"}
        await system.post("/v1/batch", {"batch": [TRACK]}, key)
        await system.post("/v1/batch?source=shop&other=1", {"batch": [TRACK]}, key)
        assert [record.sender for record in system.records] == ["api", "shop"]

    async def test_a_key_without_the_right_is_403(self, system: System) -> None:
        key = {"Authorization": "Bearer sk_reads"}
        answer = await system.post("/v1/batch", {"batch": [TRACK]}, key)
        assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


class TestPages:
    @pytest.mark.parametrize(
        "path",
        ["/v1/t", "/v1/batch", "/v1/m", "/api/s/track", "/beacon/v1/batch", "/sourceConfig/"],
    )
    async def test_a_preflight_lists_the_headers_that_sdks_send(
        self, system: System, path: str
    ) -> None:
        answer = await system.client.options(path, headers={"Origin": PAGE})
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == PAGE
        listed = answer.headers["access-control-allow-headers"].split(", ")
        for name in ("authorization", "content-type", "anonymousid", "sentat", "x-retry-count"):
            assert name in listed
        assert "rsa-retry-attempt" in listed, "RudderStack's SDK adds it when it tries again"
        assert "GET" in answer.headers["access-control-allow-methods"]
        assert answer.headers["access-control-max-age"] == "86400"

    @pytest.mark.parametrize("body", [b"nope", as_json({"batch": [TRACK]})])
    async def test_a_page_can_read_what_it_is_answered(self, system: System, body: bytes) -> None:
        answer = await system.post("/v1/batch", body, {**KEY, "Origin": PAGE})
        assert answer.headers["access-control-allow-origin"] == PAGE

    async def test_a_page_that_is_not_listed_may_not_post(self, system: System) -> None:
        body = {"batch": [TRACK], "writeKey": "wk_pages"}
        answer = await system.post("/v1/batch", body, {"Origin": "https://else.example"})
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
        assert "access-control-allow-origin" not in answer.headers
        assert (await system.post("/v1/batch", body, {"Origin": PAGE})).status_code == 200


class TestSettings:
    async def test_segments_sdk_gets_the_settings_without_which_it_sends_nothing(
        self, system: System
    ) -> None:
        answer = await system.client.get("/v1/projects/wk_shop/settings", headers={"Origin": PAGE})
        assert answer.status_code == 200
        assert answer.json()["integrations"] == {"Segment.io": {"apiKey": "wk_shop"}}
        assert answer.headers["access-control-allow-origin"] == PAGE

    @pytest.mark.parametrize("path", ["/sourceConfig/", "/sourceConfig"])
    async def test_rudderstacks_sdk_gets_its_source(self, system: System, path: str) -> None:
        query = "?p=npm&v=3.34.1&writeKey=wk_shop&lockIntegrationsVersion=true"
        for headers in (KEY, {}):
            answer = await system.client.get(path + query, headers=headers)
            assert answer.status_code == 200
            source = answer.json()["source"]
            assert (source["id"], source["writeKey"], source["enabled"]) == (
                "shop",
                "wk_shop",
                True,
            )
            assert source["destinations"] == []

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/v1/projects/wk_unknown/settings", 401),
            ("/v1/projects/wk_shop", 404),
            ("/v1/projects/wk_shop/other", 404),
            ("/sourceConfig/", 401),
            ("/sourceConfig/?writeKey=wk_unknown", 401),
        ],
    )
    async def test_whoever_has_no_key_gets_no_settings(
        self, system: System, path: str, status: int
    ) -> None:
        assert (await system.client.get(path)).status_code == status

    async def test_without_knowing_keys_it_is_503(self, system: System) -> None:
        system.directory.away = True
        answer = await system.client.get("/v1/projects/wk_shop/settings")
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
