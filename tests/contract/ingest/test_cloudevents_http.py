"""``POST /v1/cloudevents`` as senders see it, the public library of CloudEvents among them."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from services.ingest.app import build_ingest
from shared.http.front import Front
from shared.keys import Scope
from shared.records import TouchpointRecord, decode
from tests.fakes.directory import InMemoryDirectory, writer_of
from tests.fakes.known_keys import secret
from tests.fakes.log import InMemoryLog, InMemoryWriter
from tests.strategies.items import NOW, as_json, source_with

PATH = "/v1/cloudevents"
KEY = {"Authorization": "Bearer wk_till"}
STRUCTURED = {**KEY, "Content-Type": "application/cloudevents+json"}
EVENT = {"specversion": "1.0", "id": "1", "source": "/till", "type": "sale", "subject": "u_42"}


@pytest.fixture
def log() -> InMemoryLog:
    return InMemoryLog(partitions=1)


@pytest.fixture
async def client(log: InMemoryLog) -> AsyncIterator[httpx.AsyncClient]:
    holders = {"wk_till": writer_of("till"), "sk_posts": secret(Scope.TOUCHPOINTS_WRITE)}
    directory = InMemoryDirectory([source_with(name="till")], holders)
    ingest = build_ingest(log=InMemoryWriter(log), directory=directory, clock=lambda: NOW)
    transport = httpx.ASGITransport(Front(ingest.hot_routes))
    async with httpx.AsyncClient(transport=transport, base_url="https://here.example") as client:
        yield client


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
async def test_the_public_library_is_understood(
    write: Callable[[CloudEvent], HTTPMessage], client: httpx.AsyncClient, log: InMemoryLog
) -> None:
    attributes = {
        "id": "rcpt-1001",
        "source": "/pos/berlin-01",
        "type": "com.acme.store.purchase",
        "subject": 'user "42" é €',
        "time": datetime(2026, 1, 5, 10, tzinfo=UTC),
        "dcterms": "x y é",
    }
    message = write(CloudEvent(attributes, {"amount": 99.5}))
    answer = await client.post(
        PATH, headers={**message.headers, **KEY}, content=bytes(message.body)
    )
    assert answer.status_code == 202, answer.text
    assert answer.json() == {"success": True, "accepted": 1, "rejected": []}
    (record,) = (decode(record.value) for record in log.records)
    assert isinstance(record, TouchpointRecord)
    assert (record.sender, record.id) == ("till", "/pos/berlin-01#rcpt-1001")
    assert record.data.identifiers == ('user_id:user "42" é €',)
    assert record.data.effective_at == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert record.data.properties == {"amount": 99.5}


async def test_what_is_refused_of_a_batch_is_said(client: httpx.AsyncClient) -> None:
    batch = [EVENT, {**EVENT, "id": ""}, {**EVENT, "subject": None}]
    answer = await client.post(
        PATH,
        content=as_json(batch),
        headers={**KEY, "Content-Type": "application/cloudevents-batch+json"},
    )
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    refused = [(entry["index"], entry["code"]) for entry in answer.json()["rejected"]]
    assert refused == [(1, "required"), (2, "required")]


@pytest.mark.parametrize(
    ("body", "headers", "refusal"),
    [
        (b"nope", STRUCTURED, (400, "bad_json")),
        (b"{}", STRUCTURED, (400, "bad_event")),
        (as_json(EVENT), {**KEY, "Content-Type": "text/xml"}, (415, "unsupported_media_type")),
        (b"[" + b"{}," * 1_000 + b"{}]", STRUCTURED, (413, "too_many_items")),
        (b" " * (5 << 20), STRUCTURED, (413, "body_too_large")),
        (as_json(EVENT), {"Content-Type": "application/json"}, (401, "unauthorized")),
    ],
)
async def test_what_cannot_be_read_leaves_nothing(
    body: bytes,
    headers: Mapping[str, str],
    refusal: tuple[int, str],
    client: httpx.AsyncClient,
    log: InMemoryLog,
) -> None:
    answer = await client.post(PATH, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == refusal
    assert log.records == []


async def test_a_secret_key_posts_for_the_source_that_it_names(
    client: httpx.AsyncClient, log: InMemoryLog
) -> None:
    headers = {**STRUCTURED, "Authorization": "Bearer sk_posts"}
    await client.post(f"{PATH}?source=till", content=as_json(EVENT), headers=headers)
    assert [decode(record.value).sender for record in log.records] == ["till"]


async def test_a_page_may_post_events(client: httpx.AsyncClient) -> None:
    page = {"Origin": "https://shop.example"}
    assert (await client.options(PATH, headers=page)).status_code == 204
    answer = await client.post(PATH, content=as_json(EVENT), headers={**STRUCTURED, **page})
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
