"""Webhooks of all vendors over HTTP, as they come in."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import httpx
import msgspec
import pytest
from prometheus_client import REGISTRY

from services.ingest.app import build_ingest
from shared.http.front import Front
from shared.instants import MINUTE
from shared.records import Record, RejectedRecord, decode
from shared.sources import Hook, Source, SourceSettings, Vendor
from shared.touchpoints import Channel
from tests.fakes.directory import InMemoryDirectory
from tests.fakes.fetcher import InMemoryFetcher
from tests.fakes.log import InMemoryLog, InMemoryWriter
from tests.fixtures.deliveries import (
    CERTIFICATE_ADDRESS,
    NOW,
    certificate,
    hook_for,
    signed,
    sns_message,
)
from tests.fixtures.hooks import Example, examples

EXAMPLES: Final = examples()
CONFIRM: Final = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t-1"
SUBSCRIPTION: Final = {
    "Type": "SubscriptionConfirmation",
    "Token": "t-1",
    "SubscribeURL": CONFIRM,
}


@dataclass(frozen=True, slots=True)
class System:
    client: httpx.AsyncClient
    log: InMemoryLog
    fetcher: InMemoryFetcher

    async def post(
        self, vendor: Vendor, body: bytes, headers: dict[str, str], source: str = "shop"
    ) -> httpx.Response:
        return await self.client.post(f"/v1/hooks/{vendor}/{source}", content=body, headers=headers)

    @property
    def records(self) -> list[Record]:
        return [decode(record.value) for record in self.log.records]


@pytest.fixture
async def system() -> AsyncIterator[System]:
    log = InMemoryLog(partitions=1)
    hooks = {vendor: hook_for(vendor) for vendor in Vendor}
    sources = [
        Source("shop", Channel.WEB, SourceSettings(hooks=hooks)),
        Source("bare", Channel.WEB, SourceSettings()),
        Source("half", Channel.WEB, SourceSettings(hooks=dict.fromkeys(Vendor, Hook()))),
    ]
    fetcher = InMemoryFetcher({CERTIFICATE_ADDRESS: certificate(), CONFIRM: b"<xml/>"})
    ingest = build_ingest(
        log=InMemoryWriter(log),
        directory=InMemoryDirectory(sources, {}),
        clock=lambda: NOW,
        fetcher=fetcher,
    )
    transport = httpx.ASGITransport(Front(ingest.hot_routes))
    async with httpx.AsyncClient(transport=transport, base_url="https://here.example") as client:
        yield System(client, log, fetcher)


def first_of(vendor: Vendor) -> Example:
    """Return an example of *vendor* that becomes touchpoints."""
    return next(
        example
        for example in EXAMPLES
        if example.vendor is vendor and "touchpoint" in example.file.becomes[0]
    )


@pytest.mark.parametrize("vendor", Vendor)
async def test_what_a_vendor_delivers_is_200_and_in_the_log(system: System, vendor: Vendor) -> None:
    expected = 0
    for example in EXAMPLES:
        if example.vendor is vendor:
            answer = await system.post(vendor, *example.signed)
            assert answer.status_code == 200, (example.name, answer.text)
            expected += sum("ignored" not in outcome for outcome in example.file.becomes)
    assert len(system.records) == expected
    assert {record.sender for record in system.records} == {"shop"}


@pytest.mark.parametrize("vendor", Vendor)
async def test_the_answer_counts_unless_the_vendor_would_obey_it(
    system: System, vendor: Vendor
) -> None:
    example = first_of(vendor)
    answer = await system.post(vendor, *example.signed)
    if vendor is Vendor.TWILIO_VOICE:
        assert answer.content == b""
    else:
        accepted = sum("touchpoint" in outcome for outcome in example.file.becomes)
        assert answer.headers["content-type"] == "application/json"
        assert (answer.json()["success"], answer.json()["accepted"]) == (True, accepted)


@pytest.mark.parametrize("vendor", Vendor)
@pytest.mark.parametrize("source", ["bare", "half"])
async def test_without_a_secret_a_delivery_is_401_and_nothing_is_fetched(
    system: System, vendor: Vendor, source: str
) -> None:
    answer = await system.post(vendor, *first_of(vendor).signed, source=source)
    assert (answer.status_code, answer.json()["code"]) == (401, "no_secret")
    assert "www-authenticate" in answer.headers
    assert (system.records, system.fetcher.asked) == ([], [])


@pytest.mark.parametrize("vendor", Vendor)
async def test_one_bit_of_a_signed_body_makes_it_401(system: System, vendor: Vendor) -> None:
    body, headers = first_of(vendor).signed
    before = REGISTRY.get_sample_value("auth_failures_total", {"reason": "bad_signature"}) or 0
    if vendor in (Vendor.POSTMARK, Vendor.TWILIO_EVENTS, Vendor.EVENTBRIDGE):
        headers = {name: value[:-4] + "AAAA" for name, value in headers.items()}
    elif vendor is Vendor.MAILGUN:
        body = body.replace(b'"token":"', b'"token":"0')
    elif vendor is Vendor.SES:
        body = body.replace(b"ana@", b"anb@")
    else:
        body = bytes([*body[:-2], body[-2] ^ 1, body[-1]])
    answer = await system.post(vendor, body, headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert system.records == []
    after = REGISTRY.get_sample_value("auth_failures_total", {"reason": "bad_signature"})
    assert after == before + 1


@pytest.mark.parametrize(
    "vendor",
    [Vendor.SENDGRID, Vendor.MAILGUN, Vendor.SES, Vendor.ZENDESK, Vendor.STRIPE],
)
async def test_what_was_signed_too_long_ago_is_401(system: System, vendor: Vendor) -> None:
    tolerance = (5 if vendor is Vendor.STRIPE else 10) * MINUTE
    plain = first_of(vendor).body
    young = await system.post(vendor, *signed(vendor, plain, at=NOW - tolerance))
    assert young.status_code == 200
    answer = await system.post(vendor, *signed(vendor, plain, at=NOW - tolerance - MINUTE))
    assert answer.status_code == 401
    assert answer.json()["code"] == "stale_signature"


@pytest.mark.parametrize("vendor", Vendor)
async def test_a_delivery_that_comes_again_has_the_same_ids(system: System, vendor: Vendor) -> None:
    for _ in range(2):
        await system.post(vendor, *first_of(vendor).signed)
    ids = [record.id for record in system.records]
    assert ids[: len(ids) // 2] == ids[len(ids) // 2 :]


@pytest.mark.parametrize("vendor", Vendor)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_who_looks_whether_anybody_is_there_gets_200(
    system: System, vendor: Vendor, method: str
) -> None:
    assert (await system.client.request(method, f"/v1/hooks/{vendor}/shop")).status_code == 200


@pytest.mark.parametrize("path", ["/v1/hooks/nobody/shop", "/v1/hooks/stripe/nobody"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_an_unknown_vendor_or_source_is_404(system: System, path: str, method: str) -> None:
    assert (await system.client.request(method, path)).status_code == 404


async def test_unknown_events_are_200_and_counted(system: System) -> None:
    labels = {"result": "ignored", "reason": "unknown_event"}
    before = REGISTRY.get_sample_value("ingest_events_total", labels) or 0
    unknown = [example for example in EXAMPLES if example.name == "unknown_event"]
    for example in unknown:
        assert (await system.post(example.vendor, *example.signed)).status_code == 200
    assert len(unknown) > 5
    after = REGISTRY.get_sample_value("ingest_events_total", labels)
    assert after == before + len(unknown)
    assert system.records == []


async def test_an_event_that_names_nobody_is_200_and_waits_in_the_quarantine(
    system: System,
) -> None:
    (example,) = [one for one in EXAMPLES if (one.vendor, one.name) == ("sendgrid", "nobody")]
    answer = await system.post(example.vendor, *example.signed)
    assert answer.status_code == 200
    assert answer.json()["rejected"][0]["code"] == "required"
    (record,) = system.records
    assert isinstance(record, RejectedRecord)
    assert record.data.event_id == "sg:bm9ib2R5"


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff"])
async def test_a_signed_body_that_is_no_object_is_400_or_422(system: System, body: bytes) -> None:
    answer = await system.post(Vendor.SHOPIFY, *signed(Vendor.SHOPIFY, body))
    assert answer.status_code in (400, 422)
    assert answer.json()["message"]


class TestSubscriptions:
    async def test_a_topic_that_may_deliver_is_confirmed(self, system: System) -> None:
        body = msgspec.json.encode(sns_message(SUBSCRIPTION))
        assert (await system.post(Vendor.SES, body, {})).status_code == 200
        assert system.fetcher.asked == [CERTIFICATE_ADDRESS, CONFIRM]
        assert system.records == []

    async def test_a_foreign_topic_is_never_confirmed(self, system: System) -> None:
        foreign = {**SUBSCRIPTION, "TopicArn": "arn:aws:sns:eu-west-1:999999999999:mine"}
        answer = await system.post(Vendor.SES, msgspec.json.encode(sns_message(foreign)), {})
        assert (answer.status_code, answer.json()["code"]) == (401, "topic_not_allowed")
        assert system.fetcher.asked == []

    async def test_an_unsigned_confirmation_is_never_visited(self, system: System) -> None:
        message = {**sns_message(SUBSCRIPTION), "Token": "another"}
        answer = await system.post(Vendor.SES, msgspec.json.encode(message), {})
        assert answer.status_code == 401
        assert system.fetcher.asked == [CERTIFICATE_ADDRESS]

    async def test_a_certificate_is_fetched_once_for_many_messages(self, system: System) -> None:
        for number in range(3):
            body = msgspec.json.encode(sns_message({"MessageId": str(number)}))
            assert (await system.post(Vendor.SES, body, {})).status_code == 200
        assert system.fetcher.asked == [CERTIFICATE_ADDRESS]

    async def test_while_amazon_cannot_be_reached_the_message_comes_again(
        self, system: System
    ) -> None:
        system.fetcher.documents.clear()
        answer = await system.post(Vendor.SES, msgspec.json.encode(sns_message()), {})
        assert (answer.status_code, answer.json()["code"]) == (503, "unreachable")
        assert "retry-after" in answer.headers
        system.fetcher.documents[CERTIFICATE_ADDRESS] = certificate()
        body = msgspec.json.encode(sns_message(SUBSCRIPTION))
        assert (await system.post(Vendor.SES, body, {})).status_code == 503
        system.fetcher.documents[CONFIRM] = b""
        assert (await system.post(Vendor.SES, body, {})).status_code == 200
