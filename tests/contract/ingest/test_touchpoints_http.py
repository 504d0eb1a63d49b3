"""``POST /v1/touchpoints`` as clients see it (the public contract, sections 2, 3 and 4.1)."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from services.ingest.app import build_ingest
from shared.errors import NotFound
from shared.http.front import Front
from shared.instants import datetime_of
from shared.keys import Scope
from shared.log.port import LogWriter
from shared.records import Record, RejectedRecord, TouchpointRecord, decode
from shared.sources import RateLimit, SourceSettings
from shared.touchpoints import JsonValue
from tests.fakes.directory import InMemoryDirectory, writer_of
from tests.fakes.known_keys import secret
from tests.fakes.log import InMemoryLog, InMemoryWriter
from tests.fixtures.spools import SpooledLog
from tests.strategies.items import NOW, as_json, item_with, source_with

PATH = "/v1/touchpoints"
HOST = "journeyline.example"
PAGE = "https://shop.example"
WRITE_KEY = {"Authorization": "Bearer wk_shop"}

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
    "sk_reads": secret(Scope.CUSTOMERS_READ, Scope.ADMIN),
}


async def nothing_else(_: AsgiScope, __: Receive, ___: Send) -> None:
    raise NotFound("there is nothing at this path")


@dataclass(frozen=True, slots=True)
class System:
    """A running ingest, and what is behind it."""

    client: httpx.AsyncClient
    log: InMemoryLog
    writer: InMemoryWriter
    directory: InMemoryDirectory

    async def post(
        self,
        body: object,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else as_json(body)
        presented = {**WRITE_KEY, **(headers or {})}
        return await self.client.post(PATH, content=content, headers=presented, params=params)

    @property
    def records(self) -> list[Record]:
        return [decode(record.value) for record in self.log.records]


@pytest.fixture
async def system() -> AsyncIterator[System]:
    log = InMemoryLog(partitions=1)
    writer = InMemoryWriter(log)
    directory = InMemoryDirectory(SOURCES, HOLDERS)
    async with client_of(writer, directory) as client:
        yield System(client, log, writer, directory)


@asynccontextmanager
async def client_of(
    writer: LogWriter, directory: InMemoryDirectory
) -> AsyncIterator[httpx.AsyncClient]:
    ingest = build_ingest(log=writer, directory=directory, clock=lambda: NOW)
    transport = httpx.ASGITransport(Front(ingest.hot_routes, nothing_else))
    async with httpx.AsyncClient(transport=transport, base_url=f"https://{HOST}") as client:
        yield client


def problem_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["message"] == problem["detail"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


class TestTheVerdict:
    async def test_an_accepted_touchpoint_is_in_the_log_and_answered_with_202(
        self, system: System
    ) -> None:
        answer = await system.post(item_with())
        assert answer.status_code == 202
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {
            "source": "shop",
            "accepted": 1,
            "rejected": 0,
            "results": [
                {
                    "index": 0,
                    "event_id": "e-1",
                    "status": "accepted",
                    "code": None,
                    "message": None,
                }
            ],
        }
        (record,) = system.records
        assert isinstance(record, TouchpointRecord)
        assert (record.sender, record.id) == ("shop", "e-1")
        assert record.data.received_at == datetime_of(NOW)
        assert system.log.records[0].key == b"user_id:u_42"

    async def test_items_are_answered_in_order_and_rejected_ones_are_in_the_log_as_well(
        self, system: System
    ) -> None:
        bad = {"event_id": "e-2", "type": "x", "customer": {}, "source": "web"}
        answer = await system.post([item_with(), bad, item_with(event_id="e-3")])
        assert answer.status_code == 202
        body = answer.json()
        assert (body["accepted"], body["rejected"]) == (2, 1)
        first, second, third = body["results"]
        assert (first["event_id"], third["event_id"]) == ("e-1", "e-3")
        record = next(record for record in system.records if isinstance(record, RejectedRecord))
        assert second == {
            "index": 1,
            "event_id": "e-2",
            "status": "rejected",
            "code": "unknown_field",
            "message": "source is set by the server and cannot be sent",
            "errors": [
                {
                    "path": "source",
                    "code": "unknown_field",
                    "message": "is set by the server and cannot be sent",
                },
                {
                    "path": "customer",
                    "code": "required",
                    "message": "must have an identifier that is not empty",
                },
            ],
            "quarantine_id": record.id,
        }
        assert record.data.raw == as_json(bad)
        assert len(system.records) == 3

    async def test_a_request_of_which_nothing_is_accepted_is_422_with_the_same_body(
        self, system: System
    ) -> None:
        answer = await system.post([5, {}])
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/json"
        body = answer.json()
        assert (body["source"], body["accepted"], body["rejected"]) == ("shop", 0, 2)
        assert [result["code"] for result in body["results"]] == ["not_an_object", "required"]
        assert {record.id for record in system.records} == {
            result["quarantine_id"] for result in body["results"]
        }
        assert all(UUID(record.id) for record in system.records)

    @pytest.mark.parametrize("body", [b"[]", b'{"touchpoints": []}'])
    async def test_a_request_without_items_accepts_none(self, system: System, body: bytes) -> None:
        answer = await system.post(body)
        assert answer.status_code == 422
        assert answer.json() == {"source": "shop", "accepted": 0, "rejected": 0, "results": []}
        assert system.records == []

    async def test_an_assigned_id_is_returned_and_flagged(self, system: System) -> None:
        item = {"type": "click", "customer": {"anonymous_id": "a"}}
        answer = await system.post([item, item])
        first, second = answer.json()["results"]
        assert first["event_id"] != second["event_id"]
        assert first["flags"] == second["flags"] == ["id_assigned"]
        assert {record.id for record in system.records} == {first["event_id"], second["event_id"]}

    async def test_sending_again_is_accepted_again(self, system: System) -> None:
        item = {"type": "x", "customer": {"k": "u"}, "occurred_at": "2026-01-05T10:00:00Z"}
        first, second = [await system.post(item) for _ in range(2)]
        assert first.json() == second.json()
        assert len(system.records) == 2


class TestBodies:
    @pytest.mark.parametrize(
        "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""]
    )
    async def test_every_form_is_read_whatever_the_content_type_says(
        self, system: System, content_type: str
    ) -> None:
        one, two = as_json(item_with()), as_json(item_with(event_id="e-2"))
        wrapped = b'{"touchpoints": [' + one + b"," + two + b"]}"
        for body, number in [
            (one, 1),
            (wrapped, 2),
            (b"[" + one + b"," + two + b"]", 2),
            (one + b"\n" + two + b"\n", 2),
        ]:
            answer = await system.post(body, headers={"Content-Type": content_type})
            assert (answer.status_code, answer.json()["accepted"]) == (202, number)

    async def test_gzip_is_read_with_and_without_saying_so(self, system: System) -> None:
        body = gzip.compress(as_json(item_with()))
        for headers in ({}, {"Content-Encoding": "gzip"}):
            assert (await system.post(body, headers=headers)).status_code == 202

    async def test_a_bad_line_is_quarantined_alone(self, system: System) -> None:
        lines = [as_json(item_with()), b'{"type": ', as_json(item_with(event_id="e-2"))]
        answer = await system.post(b"\n".join(lines))
        assert answer.status_code == 202
        assert [result.get("code") for result in answer.json()["results"]] == [
            None,
            "bad_json",
            None,
        ]
        assert sum(isinstance(record, RejectedRecord) for record in system.records) == 1

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "empty_body"),
            (b"nope", "bad_json"),
            (b'{"type": "x"', "bad_json"),
            (b'{"a": NaN}', "bad_json"),
            (b'[{"type": "x", "customer": {"k": "u"}}, {"a": Infinity}]', "bad_json"),
            (b'[{"type": "x", "customer": {"k": "u"}}, {"a": "\xff"}]', "bad_json"),
            (b"\x1f\x8bnope", "bad_encoding"),
        ],
    )
    async def test_a_body_that_cannot_be_read_is_400_and_leaves_nothing(
        self, system: System, body: bytes, code: str
    ) -> None:
        problem_of(await system.post(body), 400, code)
        assert system.records == []

    async def test_too_much_is_413_and_leaves_nothing(self, system: System) -> None:
        item = as_json(item_with())
        large = b"[" + item + b" " * (4 << 20) + b"]"
        problem_of(await system.post(large), 413, "body_too_large")
        bomb = gzip.compress(b" " * (16 << 20) + item)
        problem_of(await system.post(bomb), 413, "body_too_large")
        many = b"[" + b",".join([item] * 1_001) + b"]"
        problem_of(await system.post(many), 413, "too_many_items")
        assert system.records == []

    async def test_a_hostile_item_is_rejected_alone(self, system: System) -> None:
        hostile = [
            rb'{"type": "x", "customer": {"k": "u"}, "text": "\ud800"}',
            b'{"type": "x", "customer": {"k": "u"}, "properties": {"n": 1e400}}',
            b'{"type": "x", "customer": {"k": "u"}, "properties": {"n": 18446744073709551616}}',
            b'{"properties": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
            as_json(item_with(text="x" * 40_000)),
            as_json(item_with(event_id="x" * 201)),
        ]
        good = as_json(item_with())
        answer = await system.post(b"[" + b",".join([good, *hostile, good]) + b"]")
        assert answer.status_code == 202
        assert [result.get("code") for result in answer.json()["results"]] == [
            None,
            "lone_surrogate",
            "number_out_of_range",
            "number_out_of_range",
            "too_deep",
            "item_too_large",
            "too_long",
            None,
        ]
        assert len(system.records) == 8

    async def test_a_batch_of_a_thousand_large_items_is_taken(self, system: System) -> None:
        item = as_json(item_with(text="x" * 15_000))
        answer = await system.post(gzip.compress(b"\n".join([item] * 1_000)))
        assert answer.json()["accepted"] == 1_000


class TestKeys:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Authorization": "Bearer wk_shop"},
            {"Authorization": "Basic " + base64.b64encode(b"wk_shop:").decode()},
            {"Authorization": "", "X-Write-Key": "wk_shop"},
        ],
    )
    async def test_a_write_key_may_be_presented_in_three_ways(
        self, system: System, headers: dict[str, str]
    ) -> None:
        answer = await system.post(item_with(), headers=headers)
        assert answer.json()["source"] == "shop"

    @pytest.mark.parametrize("key", ["", "Bearer wk_unknown", "Bearer", "Digest x"])
    async def test_without_a_known_key_the_answer_is_401_and_says_how_to_present_one(
        self, system: System, key: str
    ) -> None:
        answer = await system.post(item_with(), headers={"Authorization": key})
        problem_of(answer, 401, "unauthorized")
        assert "Bearer" in answer.headers["www-authenticate"]
        assert system.records == []

    async def test_a_secret_key_needs_the_scope_to_post(self, system: System) -> None:
        answer = await system.post(item_with(), headers={"Authorization": "Bearer sk_reads"})
        problem_of(answer, 403, "missing_scope")

    async def test_a_secret_key_posts_for_the_source_api_or_for_one_it_names(
        self, system: System
    ) -> None:
        headers = {"Authorization": "Bearer sk_posts"}
        answer = await system.post(item_with(), headers=headers)
        assert answer.json()["source"] == "api"
        answer = await system.post(item_with(), headers=headers, params={"source": "shop"})
        assert answer.json()["source"] == "shop"
        assert [
            (record.sender, record.data.channel)
            for record in system.records
            if isinstance(record, TouchpointRecord)
        ] == [("api", "other"), ("shop", "web")]

    async def test_a_source_that_does_not_exist_is_404(self, system: System) -> None:
        headers = {"Authorization": "Bearer sk_posts"}
        answer = await system.post(item_with(), headers=headers, params={"source": "nowhere"})
        assert "nowhere" in problem_of(answer, 404, "not_found")["message"]

    async def test_a_write_key_posts_for_its_own_source_only(self, system: System) -> None:
        answer = await system.post(item_with(), params={"source": "slow"})
        problem_of(answer, 403, "wrong_source")
        assert (await system.post(item_with(), params={"source": "shop"})).status_code == 202

    @pytest.mark.parametrize("query", ["sauce=shop", "source=shop&source=shop", "writeKey=wk_shop"])
    async def test_other_parameters_are_refused(self, system: System, query: str) -> None:
        answer = await system.client.post(f"{PATH}?{query}", content=b"{}", headers=WRITE_KEY)
        problem = problem_of(answer, 400, "bad_parameter")
        assert problem["errors"][0]["path"] == query.partition("=")[0]

    async def test_a_secret_key_in_a_page_is_refused(self, system: System) -> None:
        headers = {"Authorization": "Bearer sk_posts", "Origin": PAGE}
        problem_of(await system.post(item_with(), headers=headers), 403, "secret_key_in_browser")
        headers["Origin"] = f"https://{HOST}"
        assert (await system.post(item_with(), headers=headers)).status_code == 202


class TestPages:
    async def test_a_page_may_ask_first_and_needs_no_key_for_that(self, system: System) -> None:
        answer = await system.client.options(
            PATH,
            headers={
                "Origin": PAGE,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )
        assert answer.status_code == 204
        assert answer.content == b""
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert answer.headers["access-control-max-age"] == "86400"
        allowed = set(answer.headers["access-control-allow-headers"].split(", "))
        assert {name for name in allowed if not name.startswith("rsa-")} == {
            "authorization",
            "content-type",
            "anonymousid",
            "sentat",
            "x-retry-count",
            "x-write-key",
        }

    @pytest.mark.parametrize(
        ("body", "headers", "status"),
        [
            (as_json(item_with()), {}, 202),
            (b"[{}]", {}, 422),
            (b"nope", {}, 400),
            (b"{}", {"Authorization": "Bearer wk_unknown"}, 401),
            (b"{}", {"Authorization": "Bearer sk_posts"}, 403),
            (b" " * (5 << 20), {}, 413),
        ],
    )
    async def test_a_page_can_read_every_answer_errors_too(
        self, system: System, body: bytes, headers: dict[str, str], status: int
    ) -> None:
        answer = await system.post(body, headers={**headers, "Origin": PAGE})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["vary"] == "origin"

    async def test_a_source_that_lists_its_pages_refuses_all_others(self, system: System) -> None:
        headers = {"Authorization": "Bearer wk_pages", "Origin": PAGE}
        answer = await system.post(item_with(), headers=headers)
        assert answer.status_code == 202
        assert answer.headers["access-control-allow-origin"] == PAGE
        answer = await system.post(item_with(), headers={**headers, "Origin": "https://x.example"})
        problem_of(answer, 403, "origin_not_allowed")
        assert "access-control-allow-origin" not in answer.headers
        assert len(system.records) == 1

    async def test_whoever_is_no_page_gets_no_such_headers(self, system: System) -> None:
        answer = await system.post(item_with())
        assert not [name for name in answer.headers if name.startswith("access-control")]


class TestLimits:
    async def test_a_source_over_its_rate_gets_429_and_when_to_come_back(
        self, system: System
    ) -> None:
        headers = {"Authorization": "Bearer wk_slow", "Origin": PAGE}
        assert (await system.post([item_with()] * 2, headers=headers)).status_code == 202
        answer = await system.post(item_with(), headers=headers)
        problem_of(answer, 429, "rate_limited")
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert len(system.records) == 2

    async def test_too_much_at_once_gets_503_and_leaves_nothing(self) -> None:
        log, reading, going_on = InMemoryLog(), asyncio.Event(), asyncio.Event()
        ingest = build_ingest(
            log=InMemoryWriter(log),
            directory=InMemoryDirectory(SOURCES, HOLDERS),
            clock=lambda: NOW,
            most_bytes_in_flight=300_000,
        )
        transport = httpx.ASGITransport(Front(ingest.hot_routes, nothing_else))
        body = as_json(item_with())

        async def slowly() -> AsyncIterator[bytes]:
            yield body[:10]
            reading.set()
            await going_on.wait()
            yield body[10:]

        async with httpx.AsyncClient(transport=transport, base_url=f"https://{HOST}") as client:
            first = asyncio.create_task(client.post(PATH, content=slowly(), headers=WRITE_KEY))
            await reading.wait()
            large = as_json(item_with(text="x" * 100_000))
            second = await client.post(PATH, content=large, headers=WRITE_KEY)
            going_on.set()
            assert (await first).status_code == 202
        problem_of(second, 503, "overloaded")
        assert int(second.headers["retry-after"]) >= 1
        assert len(log.records) == 1


class TestOutages:
    async def test_what_the_log_does_not_confirm_is_503_and_nothing_is_promised(
        self, system: System
    ) -> None:
        system.writer.unavailable = "the disk is nearly full"
        answer = await system.post([item_with(), {}])
        problem_of(answer, 503, "log_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert system.records == []

    async def test_without_having_read_any_keys_the_answer_is_503(self, system: System) -> None:
        system.directory.away = True
        answer = await system.post(item_with())
        problem_of(answer, 503, "database_unavailable")
        assert int(answer.headers["retry-after"]) >= 1

    async def test_readiness_asks_the_log_and_the_keys(self) -> None:
        writer = InMemoryWriter(InMemoryLog())
        directory = InMemoryDirectory([], {})
        checks = build_ingest(log=writer, directory=directory, clock=lambda: NOW).checks
        assert {name: await check() for name, check in checks.items()} == {
            "log": None,
            "keys": None,
        }
        writer.unavailable = "the disk is nearly full"
        directory.away = True
        assert await checks["log"]() == "the disk is nearly full"
        assert await checks["keys"]() is not None


def counted(result: str, reason: str = "") -> float:
    labels = {"result": result, "reason": reason}
    return REGISTRY.get_sample_value("ingest_events_total", labels) or 0.0


async def test_items_are_counted_by_what_became_of_them(system: System) -> None:
    before = [counted("accepted"), counted("rejected", "not_an_object"), counted("throttled")]
    await system.post([item_with(), 5, item_with(), 5, 5])
    slow = {"Authorization": "Bearer wk_slow"}
    await system.post([item_with()] * 2, headers=slow)
    await system.post([item_with()] * 3, headers=slow)
    after = [counted("accepted"), counted("rejected", "not_an_object"), counted("throttled")]
    assert [new - old for new, old in zip(after, before, strict=True)] == [4, 3, 3]


async def test_what_the_log_did_not_confirm_is_not_counted(system: System) -> None:
    before = counted("accepted")
    system.writer.unavailable = "the disk is nearly full"
    await system.post(item_with())
    assert counted("accepted") == before
    assert REGISTRY.get_sample_value("ingest_inflight_events") == 0


async def test_files_that_are_sent_keep_their_times(system: System) -> None:
    item = item_with(occurred_at="2026-01-05T10:00:00Z", sent_at="2026-01-05T11:00:00Z")
    await system.post(item)
    await system.post(item, headers={"Journeyline-Client": "send"})
    corrected, kept = system.records
    assert isinstance(corrected, TouchpointRecord)
    assert isinstance(kept, TouchpointRecord)
    assert corrected.data.effective_at != corrected.data.occurred_at
    assert kept.data.effective_at == kept.data.occurred_at


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_405(system: System, method: str) -> None:
    answer = await system.client.request(method, PATH, headers=WRITE_KEY)
    problem_of(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


async def test_json_of_every_kind_as_body_is_never_a_server_error(system: System) -> None:
    values: list[JsonValue] = [None, True, 5, 1.5, "x", [], {}, [[]], [None], {"touchpoints": None}]
    for value in values:
        answer = await system.post(json.dumps(value).encode())
        assert answer.status_code == 422, value


async def test_what_waits_in_the_spool_is_accepted_and_the_answer_says_so(tmp_path: Path) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    directory = InMemoryDirectory(SOURCES, HOLDERS)
    async with spooled.open() as writer, client_of(writer, directory) as client:
        at_once = await client.post(PATH, json=item_with(), headers=WRITE_KEY)
        assert "durability" not in at_once.json()
        spooled.faults.away = True
        items = [item_with(event_id="e-2"), {}]
        answer = await client.post(PATH, json=items, headers=WRITE_KEY)
        assert (answer.status_code, answer.json()["durability"]) == (202, "spooled")
        assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 1)
        spooled.faults.away = False
        await spooled.until_holds(3)
    assert {decode(value).id for value in spooled.values()} >= {"e-1", "e-2"}
