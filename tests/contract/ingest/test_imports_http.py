"""``/v1/imports`` as senders see it (the public contract, sections 4.5 and 4.7)."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.ingest.app import build_ingest
from shared.files.row_reader import RowReader
from shared.http.front import Front
from shared.imports import SILENT_FOR, ImportStatus
from shared.instants import SECOND, Instant
from shared.keys import Scope
from shared.records import Record, RejectedRecord, TouchpointRecord, decode
from shared.sources import RateLimit, SourceSettings
from shared.touchpoints import Channel
from tests.fakes.directory import InMemoryDirectory, writer_of
from tests.fakes.imports import InMemoryImportStates
from tests.fakes.known_keys import secret
from tests.fakes.log import InMemoryLog, InMemoryWriter
from tests.strategies.items import NOW, source_with

PATH = "/v1/imports"
KEY = {"Authorization": "Bearer wk_till"}
MAP = {"Bon": "event_id", "Datum": "occurred_at", "Karte": "customer.loyalty_id"}
TILL = "Bon;Datum;Karte;Summe\n4711;31.01.2026 13:05;L-9;99.5\n4712;31.01.2026 13:06;;5\n"
STATED = {
    "map": json.dumps(MAP),
    "type": "store_sale",
    "channel": "in_store",
    "time_format": "%d.%m.%Y %H:%M",
    "time_zone": "Europe/Berlin",
}
NATIVE = "event_id,type,customer.email\n" + "".join(
    f"e-{number},visit,ana@example.com\n" for number in range(1_200)
)
SOURCES = [
    source_with(SourceSettings(column_map=MAP), name="till"),
    source_with(name="other"),
    source_with(SourceSettings(rate_limit=RateLimit(per_second=100_000, burst=500)), name="slow"),
]
HOLDERS = {
    "wk_till": writer_of("till"),
    "wk_other": writer_of("other"),
    "wk_slow": writer_of("slow"),
    "sk_posts": secret(Scope.TOUCHPOINTS_WRITE),
    "sk_reads": secret(Scope.CUSTOMERS_READ),
    "sk_models": secret(Scope.MODELS_WRITE),
}


@dataclass(slots=True)
class System:
    client: httpx.AsyncClient
    log: InMemoryLog
    writer: InMemoryWriter
    states: InMemoryImportStates
    now: list[Instant] = field(default_factory=lambda: [NOW])

    async def post(
        self,
        body: str | bytes | AsyncIterator[bytes],
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = KEY,
    ) -> httpx.Response:
        content = body.encode() if isinstance(body, str) else body
        return await self.client.post(PATH, content=content, params=params, headers=headers)

    async def get(self, path: str, headers: Mapping[str, str] = KEY) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    @property
    def records(self) -> list[Record]:
        return [decode(record.value) for record in self.log.records]

    @property
    def accepted(self) -> list[TouchpointRecord]:
        return [record for record in self.records if isinstance(record, TouchpointRecord)]


@pytest.fixture
async def system() -> AsyncIterator[System]:
    log = InMemoryLog(partitions=1)
    writer = InMemoryWriter(log)
    states = InMemoryImportStates()
    now = [NOW]
    ingest = build_ingest(
        log=writer,
        directory=InMemoryDirectory(SOURCES, HOLDERS),
        clock=lambda: now[0],
        imports=states,
    )
    transport = httpx.ASGITransport(Front(ingest.hot_routes))
    async with httpx.AsyncClient(transport=transport, base_url="https://here.example") as client:
        yield System(client, log, writer, states, now)


async def in_pieces(content: str, size: int = 1_000) -> AsyncIterator[bytes]:
    data = content.encode()
    for start in range(0, len(data), size):
        yield data[start : start + size]


class TestAFile:
    async def test_is_answered_with_what_became_of_it_once_all_of_it_is_durable(
        self, system: System
    ) -> None:
        answer = await system.post(TILL, STATED)
        assert answer.status_code == 202
        state = answer.json()
        assert answer.headers["location"] == f"{PATH}/{state['id']}"
        assert (state["source"], state["status"], state["format"]) == ("till", "done", "csv")
        assert (state["line"], state["accepted"], state["rejected"]) == (3, 1, 1)
        assert [(error["line"], error["code"]) for error in state["errors"]] == [(3, "required")]
        assert (await system.get(answer.headers["location"])).json() == state
        (sale,) = system.accepted
        assert (sale.sender, sale.id, sale.data.type) == ("till", "4711", "store_sale")
        assert sale.data.identifiers == ("loyalty_id:L-9",)
        assert sale.data.channel is Channel.IN_STORE
        assert sale.data.properties == {"Summe": 99.5}
        assert sale.data.effective_at.isoformat() == "2026-01-05T12:05:00+00:00"
        rejected = next(r for r in system.records if isinstance(r, RejectedRecord))
        assert json.loads(rejected.data.raw)["event_id"] == "4712"

    async def test_of_any_length_is_taken_in_as_it_comes(self, system: System) -> None:
        for body in (NATIVE.encode(), gzip.compress(NATIVE.encode()), in_pieces(NATIVE)):
            answer = await system.post(body, {"source": "other"}, {"X-Write-Key": "wk_other"})
            assert (answer.status_code, answer.json()["accepted"]) == (202, 1_200)
        assert len({record.id for record in system.accepted}) == 1_200

    async def test_may_be_ndjson(self, system: System) -> None:
        lines = '{"type": "call", "customer": {"phone": "+4930123456"}}\n{"type": \n\n{"a": 1}'
        state = (await system.post(lines, headers={"X-Write-Key": "wk_other"})).json()
        assert (state["format"], state["accepted"], state["rejected"]) == ("ndjson", 1, 2)
        assert [(error["line"], error["code"]) for error in state["errors"]] == [
            (2, "bad_line"),
            (4, "unknown_field"),
        ]

    async def test_sent_again_has_the_same_ids_and_equal_rows_are_two(self, system: System) -> None:
        content = "type,customer.email\nvisit,x@y.z\nvisit,x@y.z\n"
        for _ in range(2):
            await system.post(content, headers={"X-Write-Key": "wk_other"})
        first, second, *again = [record.id for record in system.accepted]
        assert first != second
        assert again == [first, second]
        reader = RowReader()
        rows = [*reader.feed(content.encode()), *reader.finish()]
        assert [getattr(row, "item", {}).get("event_id") for row in rows] == [first, second]

    async def test_is_never_corrected_for_the_skew_of_clocks(self, system: System) -> None:
        content = (
            "type,customer.email,occurred_at,sent_at\n"
            "visit,x@y.z,2026-01-05T10:00:00Z,2026-01-05T11:00:00Z\n"
        )
        await system.post(content, headers={"X-Write-Key": "wk_other"})
        assert system.accepted[0].data.effective_at.isoformat() == "2026-01-05T10:00:00+00:00"

    async def test_may_be_a_backfill(self, system: System) -> None:
        content = "type,customer.email\nvisit,x@y.z\n"
        for historical in ("true", "false"):
            answer = await system.post(
                content, {"historical": historical}, {"X-Write-Key": "wk_other"}
            )
            assert answer.json()["historical"] is (historical == "true")
        assert [record.data.historical for record in system.accepted] == [True, False]

    async def test_of_a_source_with_a_rate_waits_instead_of_failing(self, system: System) -> None:
        async def clock_goes_on() -> None:
            while True:
                system.now[0] += SECOND
                await asyncio.sleep(0.01)

        going_on = asyncio.create_task(clock_goes_on())
        answer = await system.post(NATIVE, headers={"X-Write-Key": "wk_slow"})
        going_on.cancel()
        assert (answer.status_code, answer.json()["accepted"]) == (202, 1_200)

    async def test_shows_its_progress_while_it_comes(self, system: System) -> None:
        seen: list[dict[str, Any]] = []

        async def body() -> AsyncIterator[bytes]:
            async for piece in in_pieces(NATIVE):
                yield piece
                system.now[0] += SECOND
                listed = await system.get(PATH, {"Authorization": "Bearer sk_reads"})
                seen.append(listed.json()["items"][0])

        answer = await system.post(body(), headers={"X-Write-Key": "wk_other"})
        lines = [state["line"] for state in seen]
        assert lines == sorted(lines)
        assert len(set(lines)) >= 3
        assert {state["status"] for state in seen} == {"running"}
        assert answer.json()["line"] == 1_201


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ("", "invalid_columns"),
            ("Datum;type\n1;2\n", "invalid_columns"),
            ('[{"type": "visit"}]', "json_array"),
            (b"\xff\xfet\0", "not_utf8"),
        ],
    )
    async def test_a_file_that_is_none_is_422_and_leaves_nothing(
        self, system: System, body: str | bytes, code: str
    ) -> None:
        answer = await system.post(body, headers={"X-Write-Key": "wk_other"})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert system.records == []
        (state,) = (await system.get(PATH, {"X-Write-Key": "wk_other"})).json()["items"]
        assert state["status"] == "failed"
        assert state["message"].startswith("after line 0: ")

    async def test_a_broken_gzip_is_400_and_what_was_read_stays(self, system: System) -> None:
        body = gzip.compress(NATIVE.encode())[:-9]
        answer = await system.post(body, headers={"X-Write-Key": "wk_other"})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_encoding")
        assert len(system.records) == 1_000

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("map", "{"),
            ("map", '{"Bon": "nowhere"}'),
            ("map", "[]"),
            ("type", ""),
            ("channel", "carrier_pigeon"),
            ("time_zone", "Berlin"),
            ("time_format", "%H"),
            ("historical", "yes"),
            ("delimiter", ";"),
        ],
    )
    async def test_a_wrong_parameter_is_400_and_named(
        self, system: System, name: str, value: str
    ) -> None:
        answer = await system.post(TILL, {name: value})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
        assert answer.json()["errors"][0]["path"].partition(".")[0] == name

    @pytest.mark.parametrize(
        ("headers", "status"), [({}, 401), ({"Authorization": "Bearer sk_reads"}, 403)]
    )
    async def test_without_the_right_nothing_is_read(
        self, system: System, headers: Mapping[str, str], status: int
    ) -> None:
        assert (await system.post(TILL, headers=headers)).status_code == status

    async def test_another_source_than_the_keys_is_403_and_an_unknown_one_404(
        self, system: System
    ) -> None:
        assert (await system.post(TILL, {"source": "other"})).status_code == 403
        key = {"Authorization": "Bearer sk_posts"}
        assert (await system.post(TILL, {"source": "nobody"}, key)).status_code == 404
        answer = await system.post(TILL, {**STATED, "source": "till"}, key)
        assert (answer.status_code, answer.json()["source"]) == (202, "till")


class TestOutages:
    async def test_without_a_database_nothing_is_read(self, system: System) -> None:
        system.states.away = True
        answer = await system.post(TILL, STATED)
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert system.records == []

    async def test_a_database_that_goes_away_costs_only_the_state(self, system: System) -> None:
        async def body() -> AsyncIterator[bytes]:
            async for piece in in_pieces(NATIVE):
                yield piece
                system.states.away = True

        answer = await system.post(body(), headers={"X-Write-Key": "wk_other"})
        assert (answer.status_code, answer.json()["accepted"]) == (202, 1_200)

    async def test_a_log_that_is_away_for_a_moment_is_waited_for(self, system: System) -> None:
        async def body() -> AsyncIterator[bytes]:
            system.writer.closed = True
            asyncio.get_running_loop().call_later(0.2, back)
            async for piece in in_pieces(NATIVE):
                yield piece

        def back() -> None:
            system.writer.closed = False

        answer = await system.post(body(), headers={"X-Write-Key": "wk_other"})
        assert (answer.status_code, answer.json()["accepted"]) == (202, 1_200)

    async def test_an_import_whose_process_died_is_told_as_interrupted(
        self, system: System
    ) -> None:
        await system.post(TILL, STATED)
        first = system.states.history[0]
        assert first.status is ImportStatus.RUNNING
        await system.states.save(first)
        path = f"{PATH}/{first.id}"
        assert (await system.get(path)).json()["status"] == "running"
        system.now[0] += SILENT_FOR + 1
        state = (await system.get(path)).json()
        assert state["status"] == "interrupted"
        assert "send the file again" in state["message"]


class TestLooking:
    async def test_a_write_key_sees_its_own_imports_and_secret_keys_see_all(
        self, system: System
    ) -> None:
        path = (await system.post(TILL, STATED)).headers["location"]
        for key in ("sk_reads", "sk_posts", "wk_till"):
            headers = {"Authorization": f"Bearer {key}"}
            assert (await system.get(path, headers)).status_code == 200
            assert len((await system.get(PATH, headers)).json()["items"]) == 1
        other = {"Authorization": "Bearer wk_other"}
        assert (await system.get(path, other)).status_code == 404
        assert (await system.get(PATH, other)).json() == {"items": []}
        models = {"Authorization": "Bearer sk_models"}
        assert (await system.get(path, models)).status_code == 403

    @pytest.mark.parametrize("name", ["x", str(UUID(int=9)), "a/b", ""])
    async def test_an_unknown_import_is_404(self, system: System, name: str) -> None:
        answer = await system.get(f"{PATH}/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    async def test_an_unknown_parameter_is_400(self, system: System) -> None:
        assert (await system.get(f"{PATH}?limit=5")).status_code == 400
