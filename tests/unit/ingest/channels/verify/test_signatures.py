"""Signatures: the vendors' own vectors, their libraries, and everything that must not pass."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import msgspec
import pytest
from sendgrid.helpers.eventwebhook import EventWebhook
from stripe import WebhookSignature
from twilio.request_validator import RequestValidator

from services.ingest.channels.contract import Delivery
from services.ingest.channels.verify.credentials import verify_credentials
from services.ingest.channels.verify.evidence import hook_of
from services.ingest.channels.verify.mailgun import verify_mailgun
from services.ingest.channels.verify.sendgrid import verify_sendgrid
from services.ingest.channels.verify.shopify import verify_shopify
from services.ingest.channels.verify.square import verify_square
from services.ingest.channels.verify.stripe import verify_stripe
from services.ingest.channels.verify.twilio import verify_twilio
from services.ingest.channels.verify.zendesk import verify_zendesk
from shared.errors import Unauthorized
from shared.instants import MINUTE, SECOND, Instant, parse_rfc3339
from shared.sources import Hook, Vendor
from tests.fixtures.deliveries import (
    NOW,
    SECRET,
    delivery_of,
    hook_for,
    public_url,
    sendgrid_public_key,
    signed,
)

Verify = Callable[[Delivery, Hook], None]

SCHEMES: Final[Mapping[Vendor, Verify]] = {
    Vendor.SENDGRID: verify_sendgrid,
    Vendor.MAILGUN: verify_mailgun,
    Vendor.STRIPE: verify_stripe,
    Vendor.SHOPIFY: verify_shopify,
    Vendor.SQUARE: verify_square,
    Vendor.ZENDESK: verify_zendesk,
    Vendor.TWILIO_VOICE: verify_twilio,
    Vendor.POSTMARK: verify_credentials,
    Vendor.EVENTBRIDGE: verify_credentials,
}
TIMED: Final = {
    Vendor.SENDGRID: 10 * MINUTE,
    Vendor.MAILGUN: 10 * MINUTE,
    Vendor.ZENDESK: 10 * MINUTE,
    Vendor.STRIPE: 5 * MINUTE,
}
SIGNS_BODY: Final = [
    vendor
    for vendor in SCHEMES
    if vendor not in (Vendor.MAILGUN, Vendor.POSTMARK, Vendor.EVENTBRIDGE)
]
BODY: Final = b'{"id":"1","amount":9950,\r\n "name":"\xc3\xa9"}'
FORM: Final = b"CallSid=CA1&From=%2B4930123456&Digits=&To=%2B15550199"


class Vector(NamedTuple):
    """A signature that somebody else computed."""

    vendor: Vendor
    hook: Hook
    body: bytes
    headers: dict[str, str]
    signed_at: Instant
    query: str = ""


SENDGRID_KEY: Final = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhH"
    "PTnlvFYPAZFceEu/1FwCM/QmGUhA=="
)
VECTORS: Final = [
    Vector(
        Vendor.SENDGRID,
        Hook((SENDGRID_KEY,)),
        b'{"category":"example_payload","event":"test_event","message_id":"message_id"}',
        {
            "X-Twilio-Email-Event-Webhook-Signature": "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU"
            "6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0=",
            "X-Twilio-Email-Event-Webhook-Timestamp": "1588788367",
        },
        1_588_788_367 * SECOND,
    ),
    Vector(
        Vendor.TWILIO_VOICE,
        Hook(("12345",), "https://mycompany.com/myapp.php?foo=1&bar=2"),
        b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309"
        b"&To=%2B18005551212",
        {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
        NOW,
        "foo=1&bar=2",
    ),
    Vector(
        Vendor.STRIPE,
        Hook(("whsec_test_secret",)),
        b'{"id":"evt_test","object":"event"}',
        {
            "Stripe-Signature": "t=1614265330,"
            "v1=fbd6bf5496b9d6310e422a2c072578f95f5eb492111ab57a5510e9cd79c1b304"
        },
        1_614_265_330 * SECOND,
    ),
    Vector(
        Vendor.MAILGUN,
        Hook(("key-test",)),
        b'{"signature":{"timestamp":"1529006854",'
        b'"token":"a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0",'
        b'"signature":"2df0e54f503d31abdc1519117a730ae38748e41e86f9ae25431dbd26059468af"}}',
        {},
        1_529_006_854 * SECOND,
    ),
    Vector(
        Vendor.SHOPIFY,
        Hook(("shpss_test",)),
        b'{"id":820982911946154508,"source_name":"pos"}',
        {"X-Shopify-Hmac-Sha256": "fz4bNRcIYEJTdiQQmXpUdzc1/NgP4sFHLOaPdKnNXEM="},
        NOW,
    ),
    Vector(
        Vendor.SQUARE,
        Hook(("sqkey",), "https://ingest.example.com/hooks/square"),
        b'{"event_id":"e1","type":"payment.updated"}',
        {"X-Square-HmacSha256-Signature": "N/uiZG6XKmh2FY/6si6WSZzqRXHWBG5H+yKG538YMXg="},
        NOW,
    ),
    Vector(
        Vendor.ZENDESK,
        Hook(("dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==",)),
        b'{"type":"zen:event-type:ticket.created"}',
        {
            "X-Zendesk-Webhook-Signature": "USK/Cwx08e+CcXA+uug83NlsE3OXFH4/j2TL4BaR3v4=",
            "X-Zendesk-Webhook-Signature-Timestamp": "2024-04-17T17:18:10Z",
        },
        parse_rfc3339("2024-04-17T17:18:10Z"),
    ),
]


def check(vector: Vector, *, after: Instant = 0) -> None:
    delivery = delivery_of(
        vector.vendor,
        vector.body,
        vector.headers,
        query=vector.query,
        received_at=vector.signed_at + after,
    )
    SCHEMES[vector.vendor](delivery, vector.hook)


def refused(verify: Verify, delivery: Delivery, hook: Hook) -> str:
    """Return the code with which a delivery is refused."""
    with pytest.raises(Unauthorized) as error:
        verify(delivery, hook)
    return error.value.code


def body_for(vendor: Vendor) -> bytes:
    return FORM if vendor is Vendor.TWILIO_VOICE else BODY


def flipped(text: str, place: int) -> str:
    """Return *text* with one bit of one character other, still printable ASCII."""
    return text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.vendor.value)
def test_a_published_signature_is_right(vector: Vector) -> None:
    check(vector)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.vendor.value)
def test_one_bit_of_the_body_breaks_a_published_signature(vector: Vector) -> None:
    for place in (0, len(vector.body) // 2, len(vector.body) - 3):
        body = bytearray(vector.body)
        body[place] ^= 1
        with pytest.raises(Unauthorized):
            check(vector._replace(body=bytes(body)))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.vendor.value)
def test_one_bit_of_a_header_breaks_a_published_signature(vector: Vector) -> None:
    for name, value in vector.headers.items():
        changed = {**vector.headers, name: flipped(value, len(value) // 2)}
        with pytest.raises(Unauthorized):
            check(vector._replace(headers=changed))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.vendor.value)
def test_another_secret_makes_another_signature(vector: Vector) -> None:
    other = sendgrid_public_key() if vector.vendor is Vendor.SENDGRID else "another"
    with pytest.raises(Unauthorized) as error:
        check(vector._replace(hook=Hook((other,), vector.hook.url)))
    assert error.value.code == "bad_signature"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.vendor.value)
def test_while_a_secret_is_rotated_both_may_sign(vector: Vector) -> None:
    (secret,) = vector.hook.secrets
    for secrets in (("new", secret), (secret, "new")):
        check(vector._replace(hook=Hook(secrets, vector.hook.url)))


@pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS if vector.vendor in TIMED],
    ids=lambda vector: vector.vendor.value,
)
def test_what_was_signed_too_long_ago_is_refused_to_the_microsecond(vector: Vector) -> None:
    tolerance = TIMED[vector.vendor]
    check(vector, after=tolerance)
    with pytest.raises(Unauthorized) as error:
        check(vector, after=tolerance + 1)
    assert error.value.code == "stale_signature"


@pytest.mark.parametrize("vendor", SIGNS_BODY)
def test_a_body_that_was_written_anew_does_not_pass(vendor: Vendor) -> None:
    body, headers = signed(vendor, body_for(vendor))
    hook = hook_for(vendor)
    SCHEMES[vendor](delivery_of(vendor, body, headers), hook)
    anew = body.replace(b"Digits=", b"Digits=0") if vendor is Vendor.TWILIO_VOICE else b""
    anew = anew or msgspec.json.encode(msgspec.json.decode(body))
    assert refused(SCHEMES[vendor], delivery_of(vendor, anew, headers), hook) == "bad_signature"


@pytest.mark.parametrize("vendor", SCHEMES)
def test_without_any_signature_nothing_passes(vendor: Vendor) -> None:
    delivery = delivery_of(vendor, body_for(vendor), {})
    assert refused(SCHEMES[vendor], delivery, hook_for(vendor)) == "no_signature"


@pytest.mark.parametrize("vendor", SCHEMES)
def test_without_a_secret_nothing_is_looked_at(vendor: Vendor) -> None:
    for hook in (None, Hook(), Hook(url=public_url(vendor))):
        delivery = delivery_of(vendor, b"{}", {}, hook=hook)
        with pytest.raises(Unauthorized) as error:
            hook_of(delivery, vendor)
        assert error.value.code == "no_secret"
        assert f"settings.hooks.{vendor}" in error.value.message


@pytest.mark.parametrize("vendor", SCHEMES)
@pytest.mark.parametrize("junk", ["é", "=", "t=,v1=", "t=1,t=2,v1=x", "v1", "Basic é", "x" * 5_000])
def test_junk_for_a_signature_is_refused(vendor: Vendor, junk: str) -> None:
    body = msgspec.json.encode(
        {"signature": {"timestamp": junk, "token": junk, "signature": junk}, "a": 1}
    )
    _, headers = signed(vendor, body_for(vendor))
    for name in headers:
        delivery = delivery_of(vendor, body, {**headers, name: junk})
        with pytest.raises(Unauthorized):
            SCHEMES[vendor](delivery, hook_for(vendor))
    if vendor is Vendor.MAILGUN:
        delivery = delivery_of(vendor, body, {})
        assert refused(verify_mailgun, delivery, hook_for(vendor)) == "bad_signature"


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b"\xff", b'{"signature":1}', b"[" * 10_000])
def test_a_body_of_mailgun_without_a_signature_has_none(body: bytes) -> None:
    delivery = delivery_of(Vendor.MAILGUN, body, {})
    assert refused(verify_mailgun, delivery, hook_for(Vendor.MAILGUN)) == "no_signature"


def test_stripe_s_library_agrees_about_several_signatures_and_other_schemes() -> None:
    _, headers = signed(Vendor.STRIPE, BODY)
    time, signature = headers["Stripe-Signature"].split(",")
    header = f"{time},v1={'0' * 64},v0=abc, {signature}".replace(", ", ",")
    assert WebhookSignature.verify_header(BODY.decode(), header, SECRET)
    delivery = delivery_of(Vendor.STRIPE, BODY, {"Stripe-Signature": header})
    verify_stripe(delivery, hook_for(Vendor.STRIPE))


def test_sendgrid_s_library_agrees() -> None:
    body, headers = signed(Vendor.SENDGRID, BODY)
    signature, timestamp = headers.values()
    library = EventWebhook(sendgrid_public_key())
    assert library.verify_signature(body.decode(), signature, timestamp)
    verify_sendgrid(delivery_of(Vendor.SENDGRID, body, headers), hook_for(Vendor.SENDGRID))


def test_a_key_of_sendgrid_may_be_given_as_pem() -> None:
    body, headers = signed(Vendor.SENDGRID, BODY)
    pem = f"-----BEGIN PUBLIC KEY-----\n{sendgrid_public_key()}\n-----END PUBLIC KEY-----\n"
    verify_sendgrid(delivery_of(Vendor.SENDGRID, body, headers), Hook((pem,)))


@pytest.mark.parametrize(
    ("entered", "signed_as"),
    [
        ("https://a.example/v1/hooks/twilio-voice/shop",) * 2,
        ("https://a.example/h", "https://a.example:443/h"),
        ("https://a.example:8443/h", "https://a.example/h"),
        ("http://a.example/h", "http://a.example:80/h"),
        ("https://a.example/h?k=1", "https://a.example:443/h?k=1"),
    ],
)
@pytest.mark.parametrize("algorithm", ["HMAC_SHA1", "HMAC_SHA256"])
def test_twilio_may_sign_the_address_with_or_without_its_port(
    entered: str, signed_as: str, algorithm: str
) -> None:
    fields = {"CallSid": "CA1", "From": "+4930123456", "Digits": "", "To": "+15550199"}
    signature = RequestValidator(SECRET).compute_signature(signed_as, fields, algorithm)
    headers = {"X-Twilio-Signature": signature}
    if algorithm != "HMAC_SHA1":
        headers["X-Twilio-Webhooks-Signature-Settings"] = f"key=k_1,algorithm={algorithm}"
    delivery = delivery_of(Vendor.TWILIO_VOICE, FORM, headers)
    verify_twilio(delivery, Hook((SECRET,), entered))
    assert refused(verify_twilio, delivery, Hook((SECRET,), "https://b.example/h"))


def test_without_an_address_entered_twilio_signs_the_one_it_posted_to() -> None:
    body, headers = signed(Vendor.TWILIO_VOICE, FORM, url=public_url(Vendor.TWILIO_VOICE))
    headers["Host"] = "ingest.example.com"
    delivery = delivery_of(Vendor.TWILIO_VOICE, body, headers)
    verify_twilio(delivery, Hook((SECRET,)))
    headers["Host"] = "[::1"
    delivery = delivery_of(Vendor.TWILIO_VOICE, body, headers)
    assert refused(verify_twilio, delivery, Hook((SECRET,))) == "bad_signature"


def test_of_json_twilio_signs_the_digest_in_the_address() -> None:
    url = public_url(Vendor.TWILIO_EVENTS)
    query = f"bodySHA256={hashlib.sha256(BODY).hexdigest()}"
    signature = RequestValidator(SECRET).compute_signature(f"{url}?{query}", {})
    headers = {"X-Twilio-Signature": signature}
    hook = Hook((SECRET,), url)
    verify_twilio(delivery_of(Vendor.TWILIO_EVENTS, BODY, headers, query=query), hook)
    changed = delivery_of(Vendor.TWILIO_EVENTS, BODY + b" ", headers, query=query)
    assert refused(verify_twilio, changed, hook) == "bad_signature"
    without = delivery_of(Vendor.TWILIO_EVENTS, BODY, headers)
    assert refused(verify_twilio, without, hook) == "bad_signature"


def test_a_form_of_too_many_fields_is_not_even_hashed() -> None:
    body = b"&".join(b"a=%d" % number for number in range(1_002))
    delivery = delivery_of(Vendor.TWILIO_VOICE, body, {"X-Twilio-Signature": "x"})
    assert refused(verify_twilio, delivery, hook_for(Vendor.TWILIO_VOICE)) == "bad_signature"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {SECRET}"},
        {"authorization": "basic " + base64.b64encode(f"anybody:{SECRET}".encode()).decode()},
        {"X-Api-Key": SECRET},
    ],
)
def test_credentials_come_in_the_ways_that_vendors_can_send_them(headers: dict[str, str]) -> None:
    delivery = delivery_of(Vendor.EVENTBRIDGE, b"{}", headers)
    verify_credentials(delivery, Hook((SECRET,)))
    assert refused(verify_credentials, delivery, Hook(("another",))) == "bad_signature"


def test_a_secret_with_a_user_wants_the_user_too() -> None:
    encoded = base64.b64encode(b"ana:right").decode()
    delivery = delivery_of(Vendor.POSTMARK, b"{}", {"Authorization": f"Basic {encoded}"})
    verify_credentials(delivery, Hook(("ana:right",)))
    assert refused(verify_credentials, delivery, Hook(("bob:right",))) == "bad_signature"
