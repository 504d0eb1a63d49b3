"""Messages of the Segment Tracking API as touchpoints; pure.

``identify``, ``alias`` and ``group`` are touchpoints of those types that carry links and traits,
the others are what somebody did. A group is an account: it never names a person.
"""

from types import MappingProxyType
from typing import Final

from services.ingest.channels.contract import Misfit
from services.ingest.channels.segment_messages import BatchMembers, Kind, Message
from shared.acceptance.loose_times import loose_rfc3339
from shared.acceptance.native import Given
from shared.acceptance.reasons import Reason
from shared.identity.identifiers import LONGEST_VALUE
from shared.touchpoints import Channel, JsonObject, JsonValue

NOBODY: Final = "no_user_anon_id"
"""The code for a message that says of nobody; Segment's own name for it."""

_TYPES: Final = MappingProxyType(
    {
        Kind.IDENTIFY: "identify",
        Kind.PAGE: "page_viewed",
        Kind.SCREEN: "screen_viewed",
        Kind.GROUP: "group",
        Kind.ALIAS: "alias",
    }
)
_ABSENT: Final = (None, "", " ")
_PLAIN_LENGTH: Final = len("2026-01-05T10:00:00.000Z")
_CHANNELS: Final = MappingProxyType({channel.value: channel for channel in Channel})


def item_of(message: Message, kind: Kind | None, batch: BatchMembers) -> Given:
    """Return *message* in the native form; what it holds is used, not copied.

    Args:
        message: One message.
        kind: What its route says it is, for a message that does not say so.
        batch: What holds for all messages of its batch.

    Raises:
        Misfit: It cannot be a touchpoint.
    """
    kind = message.type or kind
    if kind is None:
        raise Misfit("type", Reason.REQUIRED, f"must be one of {', '.join(Kind)}")
    if batch.misfit is not None:
        raise batch.misfit
    context = _context(message, batch)
    traits = _traits(message, kind, context)
    properties = _properties(message, kind)
    return Given(
        type=_type(message, kind),
        customer=_customer(message, kind, traits, context),
        event_id=message.message_id or None,
        channel=_channel(properties, context),
        occurred_at=_occurred_at(message),
        sent_at=_sent_at(message.sent_at) or batch.sent_at,
        traits=traits,
        properties=properties,
        context=context,
    )


def _type(message: Message, kind: Kind) -> str:
    if kind is not Kind.TRACK:
        return _TYPES[kind]
    name = (message.event or "").strip()
    if not name:
        raise Misfit("event", Reason.REQUIRED, "must say what happened, as in Order Completed")
    return name


def _context(message: Message, batch: BatchMembers) -> JsonObject:
    if batch.context is None:
        return {} if message.context is None else message.context
    return {**batch.context, **(message.context or {})}


def _traits(message: Message, kind: Kind, context: JsonObject) -> JsonObject:
    """Take the person's traits out of the two places where they may stand."""
    known = context.pop("traits", None)
    person = known if isinstance(known, dict) else {}
    if kind is Kind.GROUP or not message.traits:
        return person
    return {**person, **message.traits} if person else message.traits


def _properties(message: Message, kind: Kind) -> JsonObject:
    properties = {} if message.properties is None else message.properties
    match kind:
        case Kind.PAGE | Kind.SCREEN:
            _complete(properties, "name", message.name)
            _complete(properties, "category", message.category)
        case Kind.GROUP:
            _complete(properties, "group_id", message.group_id)
            _complete(properties, "traits", message.traits)
        case _:
            pass
    return properties


def _complete(properties: JsonObject, name: str, value: JsonValue) -> None:
    if value not in (None, ""):
        properties.setdefault(name, value)


def _customer(message: Message, kind: Kind, traits: JsonObject, context: JsonObject) -> JsonObject:
    customer: JsonObject = {}
    if message.user_id not in _ABSENT:
        customer["user_id"] = message.user_id
    if message.anonymous_id not in _ABSENT:
        customer["anonymous_id"] = message.anonymous_id
    if kind is Kind.ALIAS:
        _add_previous(customer, message, context)
    if traits:
        customer.update(_contacts(traits))
    if not customer:
        raise Misfit("userId", NOBODY, "or anonymousId must be given")
    return customer


def _contacts(traits: JsonObject) -> JsonObject:
    contacts: JsonObject = {}
    for name in ("email", "phone"):
        value = traits.get(name)
        if isinstance(value, str) and 0 < len(value.strip()) <= LONGEST_VALUE:
            contacts[name] = value
    return contacts


def _names(value: str | int | None) -> bool:
    return value is not None and (isinstance(value, int) or bool(value.strip()))


def _add_previous(customer: JsonObject, message: Message, context: JsonObject) -> None:
    """Let an alias link the id that somebody had before, which counts as an anonymous one.

    Browser SDKs also send aliases of an id for itself; these link nothing.
    """
    if not _names(message.user_id):
        raise Misfit("userId", Reason.REQUIRED, "must be given: it is the new name")
    if not _names(message.previous_id):
        raise Misfit("previousId", Reason.REQUIRED, "must be given: it is the former name")
    if str(message.previous_id).strip() == str(message.user_id).strip():
        return
    if "anonymous_id" in customer:
        context["anonymousId"] = customer["anonymous_id"]
    customer["anonymous_id"] = message.previous_id


def _channel(properties: JsonObject, context: JsonObject) -> Channel | None:
    """Return where it took place, if the message says so.

    Its own member ``channel`` means something else: RudderStack writes ``server`` or ``web`` there.
    """
    if "channel" not in properties and "channel" not in context:
        return None
    for said in (properties.get("channel"), context.get("channel")):
        if isinstance(said, str) and said in _CHANNELS:
            return _CHANNELS[said]
    return None


def _occurred_at(message: Message) -> str | None:
    said = message.original_timestamp or message.timestamp
    if not said:
        return None
    time = said if _is_plain(said) else loose_rfc3339(said)
    if time is None:
        name = "originalTimestamp" if message.original_timestamp else "timestamp"
        message_ = "must be an ISO 8601 time such as 2026-01-05T10:00:00.000Z"
        raise Misfit(name, Reason.INVALID_TIME, message_)
    return time


def _sent_at(said: str | None) -> str | None:
    if not said or _is_plain(said):
        return said
    return loose_rfc3339(said)


def _is_plain(time: str) -> bool:
    """Tell whether a time is written as most SDKs write it, and needs no other form."""
    return len(time) == _PLAIN_LENGTH and time[7] == "-" and time[10] == "T" and time[-1] == "Z"
