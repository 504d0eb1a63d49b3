"""``/v1/hooks/{vendor}/{source}`` as vendors see it; each vendor's own format has its own tests."""

from collections.abc import AsyncIterator, Iterable
from typing import Final

import httpx
import pytest

from services.ingest.channels.contract import Delivery, Document, Ignored, Read, Refused
from services.ingest.fetching import HttpFetcher
from services.ingest.intake import Intake
from services.ingest.limits import RateLimits
from services.ingest.routes.hooks import PATH, Vendors, hooks_endpoint
from shared.errors import Unauthorized
from shared.http.front import Front
from shared.records import RejectedRecord, decode
from shared.sources import Vendor
from tests.fakes.directory import InMemoryDirectory
from tests.fakes.log import InMemoryLog, InMemoryWriter
from tests.strategies.items import NOW, item_with, numbered_ids, source_with

SIGNATURE: Final = {"X-Signature": "right"}


def read_lines(delivery: Delivery) -> Iterable[Read]:
    """Read the simplest format there could be: a word on each line."""
    if delivery.headers.get(b"x-signature") != b"right":
        raise Unauthorized("the signature is wrong")
    for line in delivery.body.splitlines():
        match line:
            case b"ignore":
                yield Ignored("unknown_event")
            case b"refuse":
                yield Refused("wrong", "is wrong", line)
            case _:
                yield Document(item_with(event_id=line.decode()), line)


@pytest.fixture
def log() -> InMemoryLog:
    return InMemoryLog(partitions=1)


@pytest.fixture
async def client(log: InMemoryLog) -> AsyncIterator[httpx.AsyncClient]:
    intake = Intake(
        log=InMemoryWriter(log),
        directory=InMemoryDirectory([source_with(name="mail")], {}),
        clock=lambda: NOW,
        new_id=numbered_ids(),
        rates=RateLimits(lambda: NOW),
    )
    endpoint = hooks_endpoint(intake, Vendors({Vendor.SENDGRID: read_lines}, {}, HttpFetcher()))
    transport = httpx.ASGITransport(Front({PATH: endpoint}))
    async with httpx.AsyncClient(transport=transport, base_url="https://here") as client:
        yield client


async def test_every_item_of_a_delivery_is_in_the_log_or_ignored(
    client: httpx.AsyncClient, log: InMemoryLog
) -> None:
    answer = await client.post(
        "/v1/hooks/sendgrid/mail", content=b"a\nignore\nrefuse\nb", headers=SIGNATURE
    )
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "accepted": 2,
        "rejected": [{"index": 2, "code": "wrong", "message": "is wrong"}],
    }
    records = [decode(record.value) for record in log.records]
    assert [isinstance(record, RejectedRecord) for record in records] == [False, True, False]
    assert {record.sender for record in records} == {"mail"}


async def test_a_delivery_of_nothing_but_unknown_events_is_200(
    client: httpx.AsyncClient, log: InMemoryLog
) -> None:
    answer = await client.post("/v1/hooks/sendgrid/mail", content=b"ignore", headers=SIGNATURE)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
    assert log.records == []


async def test_a_wrong_signature_is_401_and_leaves_nothing(
    client: httpx.AsyncClient, log: InMemoryLog
) -> None:
    answer = await client.post("/v1/hooks/sendgrid/mail", content=b"a")
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers
    assert log.records == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/hooks/sendgrid/nobody",
        "/v1/hooks/mailgun/mail",
        "/v1/hooks/nobody/mail",
        "/v1/hooks/sendgrid",
        "/v1/hooks/sendgrid/mail/more",
    ],
)
async def test_an_unknown_source_or_vendor_is_404(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, content=b"a", headers=SIGNATURE)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_who_looks_whether_anybody_is_there_gets_200(
    client: httpx.AsyncClient, method: str
) -> None:
    answer = await client.request(method, "/v1/hooks/sendgrid/mail")
    assert answer.status_code == 200
