"""What webhooks carry; pure.

Payloads stay under the 20 KB that Standard Webhooks asks for. Only two things in them can be long:
the evidence of a transition, and the customers that were merged or split. They are shortened from
their end, and ``data.shortened`` says how much there was; the API has the rest.
"""

from enum import StrEnum
from typing import Final

import msgspec

from shared.touchpoints import JsonObject, JsonValue

LARGEST: Final = 20_000
"""Bytes of a payload, at most."""

_LISTS: Final = (("cause", "evidence"), ("from",), ("into",))
"""Paths in ``data`` of what can be long."""


class EventType(StrEnum):
    """What endpoints can be told."""

    TRANSITION = "journey.transition"
    RETRACTION = "journey.transition_retracted"
    MERGED = "customer.merged"
    SPLIT = "customer.split"
    ACTIVATED = "model.activated"


TEST: Final = "webhook.test"
"""What the test button sends."""


def payload(type_: str, timestamp: str, data: JsonObject) -> bytes:
    """Return the body of a message, under LARGEST bytes.

    Args:
        type_: Of the event.
        timestamp: When it was told, RFC 3339.
        data: About it.
    """
    body = _encoded(type_, timestamp, data)
    if len(body) < LARGEST:
        return body
    for path in _LISTS:
        entries = _at(data, path)
        if isinstance(entries, list) and entries:
            kept = _most_that_fit(type_, timestamp, data, path)
            data = _shortened(data, path, kept)
            body = _encoded(type_, timestamp, data)
    return body


def _most_that_fit(type_: str, timestamp: str, data: JsonObject, path: tuple[str, ...]) -> int:
    entries = _at(data, path)
    low, high = 0, len(entries) if isinstance(entries, list) else 0
    while low < high:
        middle = (low + high + 1) // 2
        if len(_encoded(type_, timestamp, _shortened(data, path, middle))) < LARGEST:
            low = middle
        else:
            high = middle - 1
    return low


def _shortened(data: JsonObject, path: tuple[str, ...], kept: int) -> JsonObject:
    entries = _at(data, path)
    if not isinstance(entries, list) or kept == len(entries):
        return data
    note: JsonObject = {".".join(path): {"kept": kept, "of": len(entries)}}
    before = data.get("shortened")
    return {
        **_with(data, path, entries[:kept]),
        "shortened": {**before, **note} if isinstance(before, dict) else note,
    }


def _with(data: JsonObject, path: tuple[str, ...], value: JsonValue) -> JsonObject:
    name, *rest = path
    if not rest:
        return {**data, name: value}
    inner = data[name]
    return {**data, name: _with(inner, tuple(rest), value) if isinstance(inner, dict) else inner}


def _at(data: JsonValue, path: tuple[str, ...]) -> JsonValue:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _encoded(type_: str, timestamp: str, data: JsonObject) -> bytes:
    return msgspec.json.encode({"type": type_, "timestamp": timestamp, "data": data})
