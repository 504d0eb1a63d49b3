"""An item in the native form: its members, each of the JSON type it must have; pure.

Most items are right. msgspec reads those in one go, and checks types and limits while it decodes;
whatever it refuses is read again member by member, to name each fault or to find none.
"""

from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import msgspec

from shared.acceptance.faults import Findings
from shared.acceptance.limits import LARGEST_INTEGER, LONGEST_NAME, SMALLEST_INTEGER
from shared.acceptance.reasons import Flag, Reason
from shared.acceptance.values import (
    ESCAPED_NUL,
    check_values,
    object_without_nul,
    read_object,
)
from shared.touchpoints import Channel, JsonObject, JsonValue

_Name: TypeAlias = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)]
EventId: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
BoundedInteger: TypeAlias = Annotated[int, msgspec.Meta(ge=SMALLEST_INTEGER, le=LARGEST_INTEGER)]

if TYPE_CHECKING:
    _Identifiers: TypeAlias = JsonObject
    ShallowObject: TypeAlias = JsonObject
else:
    # Few items nest deeper. The levels stay few because each one doubles the number of types.
    _Leaf = bool | BoundedInteger | float | str | None
    _Innermost = _Leaf | list[_Leaf] | dict[_Name, _Leaf]
    _Inner = _Leaf | list[_Innermost] | dict[_Name, _Innermost]
    _Member = _Leaf | list[_Inner] | dict[_Name, _Inner]
    ShallowObject = dict[_Name, _Member]
    """An object that msgspec itself keeps within the limits, as far as it looks."""
    _Identifiers = dict[_Name, str | BoundedInteger | None]


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an item says, before it is known whether that makes sense; null is absent."""

    type: str
    customer: _Identifiers
    event_id: EventId | None = None
    channel: Channel | None = None
    occurred_at: str | None = None
    sent_at: str | None = None
    traits: ShallowObject | None = None
    properties: ShallowObject | None = None
    context: ShallowObject | None = None
    text: str | None = None


_MEMBERS: Final = frozenset(Given.__struct_fields__)
_SET_BY_SERVER: Final = frozenset({"received_at", "source", "customer_id"})
_plain: Final = msgspec.json.Decoder(Given)


def read_item(raw: bytes, found: Findings) -> Given:
    """Read one item as sent.

    Of a member that stands there twice the last one counts, as everywhere in JSON's practice.

    Raises:
        BadJsonError: *raw* is not JSON.
        Invalid: It is no object, or over a limit of ``limits.py``. Any other fault is noted in
            *found*, and what is returned in its place means nothing.
    """
    if ESCAPED_NUL in raw:
        return _given_in(_cleaned(read_object(raw), found), found)
    try:
        return _plain.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _given_in(read_object(raw), found)


def read_members(members: JsonObject, found: Findings) -> Given:
    """Read an item that does not come as JSON of its own: a row of a file, another format.

    Raises:
        Invalid: It is over a limit of ``limits.py``. Any other fault is noted in *found*, and
            what is returned in its place means nothing.
    """
    check_values(members)
    return _given_in(_cleaned(members, found), found)


def _cleaned(members: JsonObject, found: Findings) -> JsonObject:
    cleaned = object_without_nul(members)
    if cleaned != members:
        found.flag(Flag.NUL_REPLACED)
    return cleaned


def _given_in(members: JsonObject, found: Findings) -> Given:
    _look_for_others(members, found)
    return Given(
        type=_type(members, found),
        customer=_customer(members, found),
        event_id=_event_id(members, found),
        channel=_channel(members, found),
        occurred_at=_string(members, "occurred_at", found),
        sent_at=_string(members, "sent_at", found),
        traits=_object(members, "traits", found),
        properties=_object(members, "properties", found),
        context=_object(members, "context", found),
        text=_string(members, "text", found),
    )


def _look_for_others(members: JsonObject, found: Findings) -> None:
    for name in members:
        if name in _SET_BY_SERVER:
            message = "is set by the server and cannot be sent"
            found.fault(name, Reason.UNKNOWN_FIELD, message)
        elif name not in _MEMBERS:
            message = "is not a member of a touchpoint; put your own data into properties"
            found.fault(name, Reason.UNKNOWN_FIELD, message)


def _type(members: JsonObject, found: Findings) -> str:
    if members.get("type") is None:
        found.fault("type", Reason.REQUIRED, "must say what happened, as in page_viewed")
    return _string(members, "type", found) or ""


def _customer(members: JsonObject, found: Findings) -> JsonObject:
    if members.get("customer") is None:
        found.fault("customer", Reason.REQUIRED, "must name the customer, as in {user_id: u_42}")
    customer = _object(members, "customer", found) or {}
    for kind, value in customer.items():
        if isinstance(value, bool) or not isinstance(value, str | int | None):
            message = "must be a string or an integer"
            found.fault(f"customer.{kind}", Reason.INVALID_TYPE, message)
    return customer


def _event_id(members: JsonObject, found: Findings) -> str | None:
    event_id = _string(members, "event_id", found)
    if event_id is not None and not 1 <= len(event_id) <= LONGEST_NAME:
        reason = Reason.TOO_LONG if event_id else Reason.INVALID_VALUE
        found.fault("event_id", reason, f"must have 1-{LONGEST_NAME} characters")
    return event_id


def _channel(members: JsonObject, found: Findings) -> Channel | None:
    name = _string(members, "channel", found)
    if name is None:
        return None
    try:
        return Channel(name)
    except ValueError:
        found.fault("channel", Reason.INVALID_VALUE, f"must be one of {', '.join(Channel)}")
        return None


def _string(members: JsonObject, name: str, found: Findings) -> str | None:
    value: JsonValue = members.get(name)
    if value is None or isinstance(value, str):
        return value
    found.fault(name, Reason.INVALID_TYPE, "must be a string")
    return None


def _object(members: JsonObject, name: str, found: Findings) -> JsonObject | None:
    value: JsonValue = members.get(name)
    if value is None or isinstance(value, dict):
        return value
    found.fault(name, Reason.INVALID_TYPE, "must be an object")
    return None
