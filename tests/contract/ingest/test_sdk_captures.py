"""Requests of real SDKs, recorded once, sent again as they were."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest

from services.ingest.app import build_ingest
from shared.http.front import Front
from shared.instants import parse_rfc3339
from shared.records import TouchpointRecord, decode
from tests.fakes.directory import InMemoryDirectory, writer_of
from tests.fakes.log import InMemoryLog, InMemoryWriter
from tests.strategies.items import source_with

CAPTURES: Final = Path(__file__).parents[3] / ".." / "shared" / "data" / "sdk-captures.jsonl"
RECORDED: Final = parse_rfc3339("2026-11-22T01:06:00Z")
KEYS: Final = ("wk_demo", "wk", "wk:secret")
PATHS: Final = re.compile(r"/v1/|/api/s/|/beacon/|/sourceConfig/")


class Capture(msgspec.Struct):
    client: str
    method: str
    path: str
    headers: list[tuple[str, str]]
    gzip: bool
    body: str
    number: int = 0

    def __str__(self) -> str:
        return f"{self.number} {self.client} {self.method} {self.path.partition('?')[0]}"

    @property
    def content(self) -> bytes:
        return gzip.compress(self.body.encode()) if self.gzip else self.body.encode()

    @property
    def messages(self) -> list[dict[str, object]]:
        body = msgspec.json.decode(self.body, type=dict[str, object])
        return msgspec.convert(body.get("batch", [body]), list[dict[str, object]])


def captures() -> list[Capture]:
    """Return what was recorded of those who speak to paths of ours."""
    if not CAPTURES.exists():
        return []
    lines = CAPTURES.read_bytes().splitlines()
    found = [msgspec.json.decode(line, type=Capture) for line in lines]
    for number, capture in enumerate(found, start=1):
        capture.number = number
    return [capture for capture in found if PATHS.match(capture.path)]


POSTS: Final = [capture for capture in captures() if capture.method == "POST"]
ASKING: Final = [capture for capture in captures() if capture.method != "POST"]
needs_captures = pytest.mark.skipif(
    not CAPTURES.exists(), reason=f"the recorded requests are not at {CAPTURES}"
)


@pytest.fixture
def log() -> InMemoryLog:
    return InMemoryLog(partitions=1)


@pytest.fixture
async def client(log: InMemoryLog) -> AsyncIterator[httpx.AsyncClient]:
    directory = InMemoryDirectory(
        [source_with(name="shop")], dict.fromkeys(KEYS, writer_of("shop"))
    )
    ingest = build_ingest(log=InMemoryWriter(log), directory=directory, clock=lambda: RECORDED)
    transport = httpx.ASGITransport(Front(ingest.hot_routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:18080") as client:
        yield client


async def send(client: httpx.AsyncClient, capture: Capture) -> httpx.Response:
    headers = [field for field in capture.headers if field[0].lower() != "content-length"]
    return await client.request(
        capture.method, capture.path, headers=headers, content=capture.content
    )


@needs_captures
def test_all_families_of_sdks_were_recorded() -> None:
    clients = " ".join(capture.client for capture in POSTS)
    for name in (
        "segment-analytics-python",
        "rudder-sdk-python",
        "segment-analytics-node",
        "rudder-sdk-node",
        "segment-analytics-next",
        "rudder-analytics-js",
        "customerio",
        "beacon",
    ):
        assert name in clients


@needs_captures
@pytest.mark.parametrize("capture", POSTS, ids=str)
async def test_every_message_that_a_real_sdk_sent_is_accepted(
    capture: Capture, client: httpx.AsyncClient, log: InMemoryLog
) -> None:
    answer = await send(client, capture)
    assert answer.status_code == 200, answer.text
    sent = [] if capture.path == "/v1/m" else capture.messages
    assert answer.json() == {"success": True} | (
        {"accepted": len(sent), "rejected": []} if capture.path != "/v1/m" else {}
    )
    records = [decode(record.value) for record in log.records]
    assert [record.id for record in records] == [message["messageId"] for message in sent]
    for record, message in zip(records, sent, strict=True):
        assert isinstance(record, TouchpointRecord)
        if user := message.get("userId"):
            assert f"user_id:{user}" in record.data.identifiers
        assert "skew_ignored" not in record.data.flags


@needs_captures
@pytest.mark.parametrize("capture", ASKING, ids=str)
async def test_what_browsers_ask_before_they_post_is_answered_to_any_page(
    capture: Capture, client: httpx.AsyncClient
) -> None:
    answer = await send(client, capture)
    assert answer.is_success, answer.text
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    wanted = dict(capture.headers).get("Access-Control-Request-Headers", "")
    allowed = answer.headers.get("access-control-allow-headers", "").split(", ")
    assert {name.strip().lower() for name in wanted.split(",") if name} <= set(allowed)
