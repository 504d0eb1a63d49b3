"""One item into one log record: accepted, or refused with its reasons; pure."""

import hashlib
from typing import Final

import msgspec

from shared.acceptance.customers import identifiers_in
from shared.acceptance.derived_ids import derived_id
from shared.acceptance.faults import Findings, refusal
from shared.acceptance.limits import ITEM_BYTES, LONGEST_NAME
from shared.acceptance.native import Given, read_item, read_members
from shared.acceptance.reasons import Flag, Reason
from shared.acceptance.terms import Terms
from shared.acceptance.timing import times_of
from shared.acceptance.types import check_type
from shared.acceptance.values import NUL, REPLACEMENT
from shared.errors import Fault, Invalid
from shared.identity.links import may_link
from shared.instants import instant_of, rfc3339
from shared.records import (
    RAW_KEPT_BYTES,
    Record,
    RejectedData,
    RejectedRecord,
    TouchpointData,
    TouchpointRecord,
    rejected_record,
    touchpoint_record,
)
from shared.sources import Links
from shared.touchpoints import JsonObject


def judge(raw: bytes, terms: Terms) -> Record:
    """Judge one item as sent.

    Raises:
        BadJsonError: *raw* is not JSON; whether that refuses the item or the request depends on
            the form of the body.
    """
    found = Findings()
    try:
        if len(raw) > ITEM_BYTES:
            raise refusal([Fault("", Reason.ITEM_TOO_LARGE, f"must be at most {ITEM_BYTES} bytes")])
        return _accept(read_item(raw, found), terms, found)
    except Invalid as error:
        return reject(raw, error, terms)


def accept(item: JsonObject | Given, terms: Terms, *, ordinal: int = 0) -> TouchpointRecord:
    """Accept one item that does not come as JSON of its own: a row of a file, another format.

    Args:
        item: The item in the native form; a Given holds no NUL, and its values are within limits.
        terms: What holds for the whole request.
        ordinal: In files, how many equal rows came before it.

    Raises:
        Invalid: with all faults.
    """
    found = Findings()
    given = item if isinstance(item, Given) else read_members(item, found)
    return _accept(given, terms, found, ordinal)


def _accept(given: Given, terms: Terms, found: Findings, ordinal: int = 0) -> TouchpointRecord:
    source = terms.source
    check_type(given.type, source, found)
    identifiers = identifiers_in(given.customer, terms, found)
    times = times_of(given, terms, found)
    found.settle()
    data = TouchpointData(
        type=given.type,
        channel=given.channel or source.channel,
        identifiers=identifiers,
        received_at=terms.received,
        effective_at=times.effective_at,
        occurred_at=times.occurred_at,
        sent_at=times.sent_at,
        properties=given.properties or {},
        context=given.context or {},
        traits=given.traits or {},
        text=given.text,
        links=may_link(given.type, identify_only=source.settings.links is Links.IDENTIFY_ONLY),
        historical=terms.historical or source.settings.historical,
    )
    event_id = given.event_id or _new_event_id(data, terms, found, ordinal)
    if found.flags:
        data = msgspec.structs.replace(data, flags=tuple(found.flags))
    return touchpoint_record(source.name, event_id, data)


def _new_event_id(data: TouchpointData, terms: Terms, found: Findings, ordinal: int) -> str:
    if data.occurred_at is None:
        found.flag(Flag.ID_ASSIGNED)
        return str(terms.new_id())
    content: JsonObject = {
        "source": terms.source.name,
        "type": data.type,
        "channel": data.channel.value,
        "occurred_at": rfc3339(instant_of(data.occurred_at)),
        "customer": dict(identifier.split(":", 1) for identifier in data.identifiers),
        "properties": data.properties,
        "traits": data.traits,
        "text": data.text,
    }
    return derived_id(content, ordinal=ordinal)


class _Peeked(msgspec.Struct):
    event_id: str | None = None


_peeking: Final = msgspec.json.Decoder(_Peeked)


def reject(
    raw: bytes,
    error: Invalid,
    terms: Terms,
    *,
    event_id: str | None = None,
    item: bytes | None = None,
) -> RejectedRecord:
    """Put a refused item into its record, under a new quarantine id.

    Args:
        raw: What the sender sent for it.
        error: Why it is refused.
        terms: What holds for the whole request.
        event_id: The item's id, if it is known already; else it is looked for in *raw*.
        item: What was read out of *raw*, in the native form, as JSON; None if nothing was.
    """
    is_native = item == raw
    data = RejectedData(
        reason=error.code,
        message=error.message,
        received_at=terms.received,
        raw=raw[:RAW_KEPT_BYTES],
        raw_length=len(raw),
        raw_sha256=hashlib.sha256(raw).hexdigest(),
        event_id=_sound_id(event_id or _event_id_in(raw)),
        errors=error.faults,
        channel=terms.source.channel,
        format=None if is_native else terms.format,
        item=None if is_native or item is None or len(item) > RAW_KEPT_BYTES else item,
        phone_region=terms.source.settings.phone_region,
    )
    return rejected_record(terms.source.name, terms.new_id(), data)


def _event_id_in(raw: bytes) -> str | None:
    """Return the event id in a refused item, if it can be read."""
    try:
        return _peeking.decode(raw).event_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _sound_id(event_id: str | None) -> str | None:
    """Return what may stand in a record as the id of a refused item, which may be anything."""
    if not event_id or len(event_id) > LONGEST_NAME:
        return None
    return event_id.replace(NUL, REPLACEMENT).encode("utf-8", "replace").decode()
