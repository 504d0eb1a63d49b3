"""Messages of the Segment Tracking API: their members, each of the type it should have; pure.

As in the native form, most messages are right, and msgspec reads those in one go. Whatever it
refuses is read again member by member, more kindly: SDKs of ten languages write ids as numbers,
empty objects as ``[]`` and absent things as ``""``.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec

from services.ingest.channels.contract import Misfit
from shared.acceptance.limits import LONGEST_NAME
from shared.acceptance.loose_times import loose_rfc3339
from shared.acceptance.native import BoundedInteger, ShallowObject
from shared.acceptance.reasons import Reason
from shared.acceptance.times import read_time
from shared.touchpoints import JsonObject, JsonValue

T = TypeVar("T")

_Id: TypeAlias = str | BoundedInteger | None
_MessageId: TypeAlias = Annotated[str, msgspec.Meta(max_length=LONGEST_NAME)] | None


class Kind(StrEnum):
    """The calls of the Tracking API."""

    TRACK = "track"
    IDENTIFY = "identify"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"


class Message(msgspec.Struct, rename="camel", kw_only=True):
    """One message as sent; members that mean nothing here are left out."""

    type: Kind | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    message_id: _MessageId = None
    user_id: _Id = None
    anonymous_id: _Id = None
    previous_id: _Id = None
    group_id: _Id = None
    properties: ShallowObject | None = None
    traits: ShallowObject | None = None
    context: ShallowObject | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: str | None = None


class BatchMembers(msgspec.Struct, frozen=True):
    """What stands beside the messages of a batch and holds for each that does not say otherwise.

    ``size`` is what it adds to each message, in bytes; with a ``misfit`` it fits to none.
    """

    context: JsonObject | None = None
    sent_at: str | None = None
    size: int = 0
    misfit: Misfit | None = None


_plain: Final = msgspec.json.Decoder(Message)


def checked_message(raw: bytes) -> Message | None:
    """Read a message whose members all are as they should be; None if they are not."""
    try:
        return _plain.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def coerced_message(members: JsonObject) -> Message:
    """Read a message of which some member is not as it should be, as far as its sense is clear.

    Raises:
        Misfit: The sense of a member is not clear.
    """
    return Message(
        type=_kind(members.get("type")),
        event=_read(members, "event", _text),
        name=_read(members, "name", _text),
        category=_read(members, "category", _text),
        message_id=_read(members, "messageId", _text),
        user_id=_read(members, "userId", _id),
        anonymous_id=_read(members, "anonymousId", _id),
        previous_id=_read(members, "previousId", _id),
        group_id=_read(members, "groupId", _id),
        properties=_read(members, "properties", _object),
        traits=_read(members, "traits", _object),
        context=_read(members, "context", _object),
        timestamp=_read(members, "timestamp", _time),
        original_timestamp=_read(members, "originalTimestamp", _time),
        sent_at=sent_at_of(members.get("sentAt")),
    )


def sent_at_of(value: JsonValue) -> str | None:
    """Read the time of sending, without which nothing is lost but a correction."""
    text = loose_rfc3339(value)
    if text is None:
        return None
    try:
        read_time(text)
    except ValueError:
        return None
    return text


def _kind(value: JsonValue) -> Kind | None:
    if value is None:
        return None
    if isinstance(value, str) and value in set(Kind):
        return Kind(value)
    raise Misfit("type", Reason.INVALID_VALUE, f"must be one of {', '.join(Kind)}")


def _read(members: JsonObject, name: str, read: Callable[[JsonValue], T]) -> T | None:
    value = members.get(name)
    if value is None or value in ("", []):
        return None
    try:
        return read(value)
    except ValueError as wrong:
        raise Misfit(name, Reason.INVALID_TYPE, str(wrong)) from None


def _text(value: JsonValue) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError("must be a string")


def _id(value: JsonValue) -> str | int:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else str(value)
    raise ValueError("must be a string or a number")


def _object(value: JsonValue) -> JsonObject:
    if isinstance(value, dict):
        return value
    raise ValueError("must be an object")


def _time(value: JsonValue) -> str:
    text = loose_rfc3339(value)
    if text is None:
        raise ValueError("must be an ISO 8601 time such as 2026-01-05T10:00:00.000Z")
    return text
