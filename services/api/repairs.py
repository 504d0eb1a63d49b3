"""Repairs of refused items: what was sent, changed by hand, judged as ingest judges it; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import msgspec

from shared.acceptance.items import judge
from shared.acceptance.terms import Terms
from shared.acceptance.values import BadJsonError
from shared.errors import Fault, Invalid
from shared.records import RejectedRecord, TouchpointRecord
from shared.touchpoints import JsonObject, JsonValue

STILL_WRONG: Final = "still_wrong"
NATIVE: Final = "native"
"""The format of items as ``POST /v1/touchpoints`` takes them."""

_NO_OBJECT: Final = "what was sent is no JSON object"

_encoder: Final = msgspec.json.Encoder()
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Repair:
    """What to do to an item before it is judged anew.

    Attributes:
        item: Takes the place of what was sent; then there is nothing else to do.
        move: From path to path, dotted: a value that stands in the wrong member goes into the
            right one. Where there is nothing to move, nothing is done.
        patch: A JSON merge patch (RFC 7396), applied after the moves.
    """

    item: JsonObject | None = None
    move: Mapping[str, str] = field(default_factory=dict)
    patch: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What the quarantine holds of an item.

    ``item`` is the touchpoint that was read out of ``raw``, where that is of another ``format``
    than the native one; None for either where it is not.
    """

    raw: bytes
    raw_length: int
    format: str | None = None
    item: bytes | None = None


def needs_item(format_: str | None, raw: bytes, raw_length: int, item: bytes | None) -> bool:
    """Tell whether there is nothing that moves and a patch could be applied to."""
    return _fault_of(Held(raw, raw_length, format_, item)) is not None


def repaired(held: Held, repair: Repair) -> bytes:
    """Return what was sent, in the native form, after its repair, as JSON.

    Raises:
        Invalid: There is nothing that moves and a patch could be applied to, or a whole item is
            given beside them.
    """
    is_changed = bool(repair.move) or repair.patch is not None
    if repair.item is not None:
        if is_changed:
            message = "must stand alone: give a whole item, or moves and a patch to what was sent"
            raise Invalid(f"item {message}", faults=[Fault("item", "invalid_value", message)])
        return _encoder.encode(repair.item)
    native = held.raw if held.item is None else held.item
    if not is_changed and (held.format is None or held.item is not None):
        return native
    if (fault := _fault_of(held)) is not None:
        raise _unrepairable(fault)
    value = parsed(native)
    if not isinstance(value, dict):
        raise _unrepairable(_NO_OBJECT)
    for origin, destination in repair.move.items():
        _move(value, origin.split("."), destination.split("."))
    return _encoder.encode(merged(value, {} if repair.patch is None else repair.patch))


def _fault_of(held: Held) -> str | None:
    """Return why moves and a patch cannot be applied; None if they can."""
    if held.item is None and held.format is not None:
        return f"what came as {held.format} is no touchpoint, and none could be read out of it"
    if held.item is None and held.raw_length > len(held.raw):
        return f"only the first {len(held.raw)} of its {held.raw_length} bytes were kept"
    native = held.raw if held.item is None else held.item
    return None if isinstance(parsed(native), dict) else _NO_OBJECT


def judged_anew(quarantine_id: UUID, item: bytes, terms: Terms) -> TouchpointRecord:
    """Judge a repaired *item* on the *terms* of its first arrival.

    Returns:
        Its record, which says what it was repaired from.

    Raises:
        Invalid: It is still wrong; ``faults`` name all of it.
    """
    try:
        record = judge(item, terms)
    except BadJsonError as error:
        fault = Fault("", "bad_json", f"must be JSON: {error}")
        raise _still_wrong(f"the item must be JSON: {error}", [fault]) from None
    if isinstance(record, RejectedRecord):
        raise _still_wrong(record.data.message, record.data.errors)
    data = msgspec.structs.replace(record.data, redrive_of=quarantine_id)
    return msgspec.structs.replace(record, data=data)


def parsed(raw: bytes) -> JsonValue:
    """Return *raw* as JSON; None where it is none."""
    try:
        value: JsonValue = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value


def merged(target: JsonValue, patch: JsonValue) -> JsonValue:
    """Apply a JSON merge patch; neither argument is changed. Source: RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _move(document: JsonObject, origin: list[str], destination: list[str]) -> None:
    holder = document
    for name in origin[:-1]:
        inner = holder.get(name)
        if not isinstance(inner, dict):
            return
        holder = inner
    value = holder.pop(origin[-1], _MISSING)
    if value is _MISSING:
        return
    holder = document
    for name in destination[:-1]:
        inner = holder.get(name)
        if not isinstance(inner, dict):
            inner = holder[name] = {}
        holder = inner
    holder[destination[-1]] = value


def _unrepairable(why: str) -> Invalid:
    message = f"{why}: give the whole item as `item`"
    return Invalid(message, code="needs_item", faults=[Fault("item", "required", message)])


def _still_wrong(message: str, faults: tuple[Fault, ...] | list[Fault]) -> Invalid:
    return Invalid(f"the item is still wrong: {message}", code=STILL_WRONG, faults=faults)
