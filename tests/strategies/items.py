"""Items as senders send them, and the terms they are judged on."""

import json
from collections.abc import Iterator
from itertools import count
from uuid import UUID

from hypothesis import strategies as st

from shared.acceptance.items import judge
from shared.acceptance.terms import NewId, Terms
from shared.identity.policy import Policy
from shared.identity.policy_documents import default_policy
from shared.instants import Instant, parse_rfc3339
from shared.records import Record, RejectedRecord, TouchpointRecord
from shared.sources import Source, SourceSettings
from shared.touchpoints import Channel, JsonObject, JsonValue

NOW: Instant = parse_rfc3339("2026-01-05T12:00:00Z")


def numbered_ids() -> NewId:
    """Return ids that count up from 1."""
    numbers = count(1)
    return lambda: UUID(int=next(numbers))


def source_with(settings: SourceSettings | None = None, *, name: str = "shop") -> Source:
    """Return a web source."""
    return Source(name, Channel.WEB, settings or SourceSettings())


def terms_with(
    settings: SourceSettings | None = None,
    *,
    received_at: Instant = NOW,
    policy: Policy | None = None,
    corrects_skew: bool = True,
    historical: bool = False,
) -> Terms:
    """Return the terms of a request of a web source, received at NOW."""
    return Terms(
        source=source_with(settings),
        policy=policy or default_policy(),
        received_at=received_at,
        new_id=numbered_ids(),
        corrects_skew=corrects_skew,
        historical=historical,
    )


def item_with(**members: JsonValue) -> JsonObject:
    """Return an item that is accepted, with *members* besides or instead."""
    return {"event_id": "e-1", "type": "page_viewed", "customer": {"user_id": "u_42"}, **members}


def as_json(value: JsonValue) -> bytes:
    """Return *value* as JSON; ASCII, with lone surrogates escaped."""
    return json.dumps(value).encode()


def judged(item: JsonValue, terms: Terms | None = None) -> Record:
    """Judge *item*, given as a value or as bytes."""
    raw = item if isinstance(item, bytes) else as_json(item)
    return judge(raw, terms or terms_with())


def accepted(item: JsonValue, terms: Terms | None = None) -> TouchpointRecord:
    """Judge *item*, which must be accepted."""
    record = judged(item, terms)
    assert isinstance(record, TouchpointRecord), record
    return record


def rejected(item: JsonValue, terms: Terms | None = None) -> RejectedRecord:
    """Judge *item*, which must be rejected."""
    record = judged(item, terms)
    assert isinstance(record, RejectedRecord), record
    return record


def faults_of(item: JsonValue, terms: Terms | None = None) -> list[tuple[str, str]]:
    """Judge *item*, which must be rejected; return the path and code of each fault."""
    return [(fault.path, fault.code) for fault in rejected(item, terms).data.errors]


def nested(levels: int, *, array: bool = False) -> JsonValue:
    """Return a value of that many levels of objects or arrays."""
    value: JsonValue = 1
    for _ in range(levels):
        value = [value] if array else {"a": value}
    return value


def texts_in(value: JsonValue) -> Iterator[str]:
    """Yield every string in *value*, names of members included."""
    match value:
        case str():
            yield value
        case list():
            for member in value:
                yield from texts_in(member)
        case dict():
            for name, member in value.items():
                yield name
                yield from texts_in(member)
        case _:
            pass


_odd_texts = st.sampled_from(["", " ", "\0", "a\0b", "\ud800", "\udfff x", "x" * 201, "é" * 200])
texts = st.one_of(st.text(max_size=12), _odd_texts)
_odd_numbers = st.sampled_from(
    [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**400, 1e308, -0.0, 1e-320, 2**53 + 1]
)
_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    _odd_numbers,
)
json_values: st.SearchStrategy[JsonValue] = st.one_of(
    st.recursive(
        _leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)
        ),
        max_leaves=12,
    ),
    st.builds(nested, st.sampled_from([4, 5, 29, 30, 31, 32, 33, 40]), array=st.booleans()),
)
"""JSON of every shape, more often than not with something that breaks one layer or another."""

times = st.one_of(
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    st.sampled_from(
        [
            "2026-01-05T10:00:00Z",
            "2026-01-05 10:00:00.123456789+14:00",
            "2016-12-31T23:59:60Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59.999999-01:00",
            "2026-13-01T00:00:00Z",
            "2026-W01-1T10:00:00Z",
            "yesterday",
            "",
        ]
    ),
)
"""Times as senders write them, some of them none."""

_customers = st.dictionaries(
    st.one_of(st.sampled_from(["user_id", "email", "phone", "anonymous_id", "crm_id"]), texts),
    st.one_of(st.sampled_from(["u_42", "Ana@Example.com", "+4930123456", "unknown"]), _leaves),
    max_size=4,
)
_objects = st.one_of(st.none(), st.dictionaries(texts, json_values, max_size=3))
items: st.SearchStrategy[JsonObject] = st.fixed_dictionaries(
    {"type": st.sampled_from(["page_viewed", "Order Completed"]), "customer": _customers},
    optional={
        "event_id": st.one_of(st.none(), texts),
        "channel": st.sampled_from([None, "web", "email", "carrier_pigeon"]),
        "occurred_at": st.one_of(st.none(), times),
        "sent_at": st.one_of(st.none(), times),
        "traits": _objects,
        "properties": _objects,
        "context": _objects,
        "text": st.one_of(st.none(), texts),
    },
)
"""Items that are right in most members."""

INT64 = st.integers(-(2**63), 2**63 - 1)

plain_items: st.SearchStrategy[JsonObject] = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["page_viewed", "Order Completed"]),
        "customer": st.dictionaries(
            st.sampled_from(["user_id", "email", "anonymous_id"]),
            st.text("abcdef@.", min_size=1, max_size=8).map(lambda text: f"a{text}"),
            min_size=1,
        ),
        "occurred_at": st.just("2026-01-05T10:00:00Z"),
    },
    optional={
        "traits": st.dictionaries(st.text(max_size=5), INT64, max_size=3),
        "properties": st.dictionaries(
            st.text("abcé", max_size=5),
            st.one_of(INT64, st.floats(-1e9, 1e9), st.text(max_size=5)),
            max_size=4,
        ),
        "text": st.text("abc", max_size=5),
    },
)
"""Items without an event id that are accepted."""
