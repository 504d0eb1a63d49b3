"""Hostile deliveries of every vendor, rightly signed and not: read or refused, never a fault."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.channels.contract import Ignored
from services.ingest.channels.judging import judge_reads
from services.ingest.channels.table import HOOKS
from shared.errors import Invalid, Unauthorized, Unreadable
from shared.records import Record, RejectedRecord, decode, encode
from shared.sources import Vendor
from shared.touchpoints import JsonValue
from tests.fixtures.deliveries import Signed, delivery_of, hook_for, signed
from tests.fixtures.hooks import Example, examples
from tests.fixtures.storable import assert_storable
from tests.strategies.items import as_json, json_values, terms_with, times

EXAMPLES: Final = examples()
FORMS: Final = (Vendor.TWILIO_VOICE, Vendor.TWILIO_TASKROUTER)

hostile_values = st.one_of(
    json_values,
    times,
    st.sampled_from(
        ["", "ana@example.com", "<", "Ana <ana@example.com", "client:", "1e400", "NaN"]
    ),
    st.sampled_from([1e300, -1, 0, True, 10**15, "99999999999999999999", "-5.5"]),
)
form_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def of(vendor: Vendor) -> list[Example]:
    return [example for example in EXAMPLES if example.vendor is vendor]


def places(value: JsonValue) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to everything in *value*."""
    yield ()
    if isinstance(value, dict):
        for name, member in value.items():
            yield from ((name, *rest) for rest in places(member))
    elif isinstance(value, list):
        for place, member in enumerate(value):
            yield from ((place, *rest) for rest in places(member))


def changed(value: JsonValue, way: tuple[str | int, ...], new: JsonValue) -> JsonValue:
    """Return *value* with *new* at the end of *way*."""
    if not way:
        return new
    head, *rest = way
    if isinstance(value, dict):
        return {
            name: changed(member, tuple(rest), new) if name == head else member
            for name, member in value.items()
        }
    assert isinstance(value, list)
    return [
        changed(member, tuple(rest), new) if place == head else member
        for place, member in enumerate(value)
    ]


@st.composite
def payloads(draw: st.DrawFn, vendor: Vendor) -> JsonValue:
    """Draw what a vendor sends, with some of it replaced by something it should not be."""
    value: JsonValue = draw(st.sampled_from(of(vendor))).file.body
    for _ in range(draw(st.integers(0, 3))):
        way = draw(st.sampled_from(list(places(value))))
        value = changed(value, way, draw(hostile_values))
    return value


@st.composite
def forms(draw: st.DrawFn, vendor: Vendor) -> bytes:
    """Draw a form of a vendor with some of its fields missing, odd or there twice."""
    fields = dict(draw(st.sampled_from(of(vendor))).file.form or {})
    for name in draw(st.lists(st.sampled_from(sorted(fields)), max_size=3)):
        fields[name] = draw(st.one_of(form_texts, times, st.sampled_from(["{", '{"a":[]}', "["])))
    for name in draw(st.lists(st.sampled_from(sorted(fields)), max_size=2)):
        fields.pop(name, None)
    return urlencode(fields).encode()


@st.composite
def deliveries(draw: st.DrawFn, vendor: Vendor) -> Signed:
    """Draw a body, rightly signed, and the headers beside it."""
    topic = draw(st.sampled_from(["orders/create", "refunds/create", "customers/create", "x"]))
    if vendor in FORMS:
        body, headers = signed(vendor, draw(forms(vendor)))
    elif vendor is Vendor.MAILGUN:
        value = draw(payloads(vendor))
        beside = msgspec.json.decode(signed(vendor, b"{}")[0], type=dict[str, object])
        members = value if isinstance(value, dict) else {"event-data": value}
        body, headers = as_json({**members, **beside}), {}
    else:
        body, headers = signed(vendor, as_json(draw(payloads(vendor))))
    return body, {**headers, "X-Shopify-Topic": topic}


def taken(vendor: Vendor, body: bytes, headers: dict[str, str]) -> list[Record | Ignored]:
    """Read and judge a delivery; what cannot be read as a whole leaves nothing."""
    delivery = delivery_of(vendor, body, headers, hook=hook_for(vendor))
    try:
        return list(judge_reads(HOOKS[vendor](delivery), terms_with()))
    except (Invalid, Unreadable):
        return []


@pytest.mark.parametrize("vendor", Vendor)
@given(data=st.data())
def test_whatever_a_vendor_signs_is_stored_quarantined_ignored_or_refused(
    vendor: Vendor, data: st.DataObject
) -> None:
    for outcome in taken(vendor, *data.draw(deliveries(vendor))):
        if isinstance(outcome, Ignored):
            continue
        assert decode(encode(outcome)) == outcome
        if not isinstance(outcome, RejectedRecord):
            assert_storable(outcome)


@pytest.mark.parametrize("vendor", Vendor)
@given(
    body=st.one_of(st.binary(max_size=60), json_values.map(as_json)),
    junk=st.sampled_from(["", "x", "t=1,v1=x", "Basic Og==", "Bearer x", "MEUCIQ=="]),
)
def test_whatever_nobody_signed_is_refused_as_such(vendor: Vendor, body: bytes, junk: str) -> None:
    _, headers = signed(vendor, b"{}")
    delivery = delivery_of(vendor, body, dict.fromkeys(headers, junk), hook=hook_for(vendor))
    with pytest.raises(Unauthorized):
        list(HOOKS[vendor](delivery))
