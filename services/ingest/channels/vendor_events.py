"""What vendors' events become: native touchpoints, written alike for all vendors; pure."""

import hashlib
from collections.abc import Iterator
from datetime import UTC
from email.utils import parseaddr, parsedate_to_datetime
from typing import Final

from services.ingest.channels.contract import Ignored, Refused
from services.ingest.channels.payloads import Payload
from shared.acceptance.bodies import split
from shared.acceptance.limits import LONGEST_NAME
from shared.acceptance.values import BadJsonError, read_any
from shared.errors import Invalid, Unreadable
from shared.instants import Instant, instant_of, rfc3339
from shared.touchpoints import Channel, JsonObject, JsonValue

UNKNOWN_EVENT: Final = Ignored("unknown_event")
"""An event that the adapter has never heard of; vendors add some now and then."""

NO_TOUCHPOINT: Final = Ignored("no_touchpoint")
"""An event that is known, and tells nothing of a customer."""

NOBODY_NAMED: Final = Ignored("nobody_named")
"""An event of somebody who does not want to be known: a withheld number."""

MOST_EVENTS: Final = 5_000
"""In one delivery of a vendor that sends several at once."""

MOST_CUSTOM: Final = 50
_CUSTOM: Final = "custom"
_OWN_IDS: Final = {
    "user_id": "user_id",
    "customer_id": "user_id",
    "anonymous_id": "anonymous_id",
    "loyalty_id": "loyalty_id",
    "crm_id": "crm_id",
}


def touchpoint(
    kind: str,
    *,
    event_id: str | None,
    occurred_at: str | None,
    customer: JsonObject,
    channel: Channel | None = None,
    properties: JsonObject | None = None,
    context: JsonObject | None = None,
    traits: JsonObject | None = None,
    text: str | None = None,
) -> JsonObject:
    """Return a touchpoint in the native form; what is None, there or one level in, is left out."""
    members: JsonObject = {
        "type": kind,
        "event_id": event_id,
        "occurred_at": occurred_at,
        "channel": None if channel is None else channel.value,
        "customer": _given(customer),
        "properties": _given(properties) or None,
        "context": _given(context) or None,
        "traits": _given(traits) or None,
        "text": text,
    }
    return _given(members)


def _given(members: JsonObject | None) -> JsonObject:
    return {name: value for name, value in (members or {}).items() if value is not None}


def event_id(prefix: str, *parts: str | None) -> str | None:
    """Return ``prefix:part:part``, hashed where it is too long; None if a part is not known."""
    if None in parts:
        return None
    whole = ":".join([prefix, *(part for part in parts if part is not None)])
    if len(whole) <= LONGEST_NAME:
        return whole
    return f"{prefix}:{hashlib.sha256(whole.encode('utf-8', 'surrogatepass')).hexdigest()}"


def at_seconds(seconds: float | None) -> str | None:
    """Return a time that is given in seconds since 1970, as RFC 3339.

    What is no time comes out as the number it is, so that the item is refused with it.
    """
    return None if seconds is None else _written(seconds, round(seconds * 1_000_000))


def at_milliseconds(milliseconds: float | None) -> str | None:
    """Return a time that is given in milliseconds since 1970, as ``at_seconds`` does."""
    return None if milliseconds is None else at_seconds(milliseconds / 1_000)


def _written(given: float, instant: Instant) -> str:
    try:
        return rfc3339(instant)
    except OverflowError:
        return str(given)


def at_mail_date(text: str | None) -> str | None:
    """Return a time that is written as in mail headers (RFC 2822), as RFC 3339."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return text
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return rfc3339(instant_of(aware))


def bare_address(text: str | None) -> str | None:
    """Return the address in ``Ana <ana@example.com>``; a bare one as it is."""
    if text is None or "<" not in text:
        return text
    return parseaddr(text)[1] or text


def own_ids(told: Payload) -> JsonObject:
    """Return the identifiers that the sender attached to an event, by their kinds.

    ``customer_id`` is a ``user_id`` to us, unless one is there under that name.
    """
    ids: JsonObject = {}
    for name, kind in _OWN_IDS.items():
        if (value := _first_text(told, name)) is not None:
            ids.setdefault(kind, value)
    return ids


def _first_text(told: Payload, name: str) -> str | None:
    listed = told.values(name)
    return Payload({"one": listed[0]}).text("one") if listed else told.text(name)


def attached(told: JsonObject) -> JsonObject:
    """Return what else the sender attached to an event, as a member of properties: plain values."""
    plain = {
        name: value
        for name, value in told.items()
        if name not in _OWN_IDS and isinstance(value, str | int | float | bool)
    }
    return {_CUSTOM: dict(list(plain.items())[:MOST_CUSTOM])} if plain else {}


def texts(values: list[JsonValue]) -> list[JsonValue] | None:
    """Return the texts among *values*; None if there are none."""
    return [value for value in values if isinstance(value, str)] or None


def events_in(body: bytes) -> Iterator[tuple[Payload, bytes] | Refused]:
    """Yield the events of a body that is one object or an array of them, each as sent.

    Raises:
        Unreadable: *body* is not JSON.
        TooLarge: There are more than MOST_EVENTS.
    """
    for raw in split(body, most_items=MOST_EVENTS).items:
        yield _event(raw)


def _event(raw: bytes) -> tuple[Payload, bytes] | Refused:
    try:
        value = read_any(raw)
    except BadJsonError as error:
        raise Unreadable(f"The body is not JSON: {error}.", code="bad_json") from None
    except Invalid as error:
        return Refused(error.code, error.message, raw)
    if not isinstance(value, dict):
        return Refused("not_an_object", "must be a JSON object", raw)
    return Payload(value), raw
