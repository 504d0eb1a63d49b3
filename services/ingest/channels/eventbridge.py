"""Amazon EventBridge: contacts of Amazon Connect, and conversations of Genesys Cloud.

Source: Amazon Connect, "Contact events data model"; Genesys Cloud, "Amazon EventBridge
integration". Both may leave the customer unsaid: the contact's own id is an identifier, so that its
steps are one customer's, and somebody's as soon as an event says whose.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from services.ingest.channels.calls import INBOUND, OUTBOUND, Step, party, type_of
from services.ingest.channels.contract import Delivery, Document, Read
from services.ingest.channels.payloads import Payload, object_in
from services.ingest.channels.vendor_events import (
    NO_TOUCHPOINT,
    UNKNOWN_EVENT,
    at_milliseconds,
    event_id,
    own_ids,
    touchpoint,
)
from services.ingest.channels.verify.credentials import verify_credentials
from services.ingest.channels.verify.evidence import hook_of
from shared.sources import Vendor
from shared.touchpoints import Channel, JsonObject

_CONNECT: Final = "Amazon Connect Contact Event"
_GENESYS: Final = "aws.partner/genesys.com"
_CONNECT_STEPS: Final[Mapping[str, Step]] = {
    "INITIATED": Step.STARTED,
    "CONNECTED_TO_AGENT": Step.ANSWERED,
    "DISCONNECTED": Step.COMPLETED,
}
_GENESYS_STEPS: Final[Mapping[str, Step]] = {
    "customer.start": Step.STARTED,
    "user.start": Step.ANSWERED,
    "customer.end": Step.COMPLETED,
}
_CALLS: Final = frozenset({"VOICE", "CALL", "CALLBACK"})
_CHATS: Final = frozenset({"CHAT", "MESSAGE", "SMS"})


def read_eventbridge(delivery: Delivery) -> Iterator[Read]:
    """Read an event of an API destination.

    Raises:
        Unauthorized: It has not the credentials of the hook.
        Unreadable: It is not JSON.
    """
    verify_credentials(delivery, hook_of(delivery, Vendor.EVENTBRIDGE))
    event = object_in(delivery.body)
    if event.text("detail-type") == _CONNECT:
        yield _connect(event, delivery.body)
    elif (event.text("source") or "").startswith(_GENESYS):
        yield _genesys(event, delivery.body)
    else:
        yield UNKNOWN_EVENT


def _connect(event: Payload, raw: bytes) -> Read:
    contact = event.inner("detail")
    step = _CONNECT_STEPS.get(contact.text("eventType") or "")
    if step is Step.COMPLETED and not contact.inner("agentInfo"):
        step = Step.MISSED
    by_us = "OUTBOUND" in (contact.text("initiationMethod") or "")
    kind = _type(step, contact.text("channel"), OUTBOUND if by_us else INBOUND)
    if kind is None:
        return NO_TOUCHPOINT
    item = touchpoint(
        kind,
        event_id=event_id("eb", event.text("id")),
        occurred_at=event.text("time"),
        customer={
            "amazon_contact_id": contact.text("initialContactId") or contact.text("contactId"),
            **party(contact.text("customerEndpoint", "address")),
            "user_id": contact.text("customerId"),
            **own_ids(contact.inner("tags")),
        },
        channel=Channel.CONTACT_CENTER,
        properties={
            "conversation_id": contact.text("contactId"),
            "direction": OUTBOUND if by_us else INBOUND,
            "queue": contact.text("queueInfo", "queueArn"),
            "answered_by": contact.text("agentInfo", "agentArn"),
            "reason": contact.text("disconnectReason"),
        },
    )
    return Document(item, raw)


def _genesys(event: Payload, raw: bytes) -> Read:
    detail = event.inner("detail")
    told = detail.inner("eventBody")
    topic = detail.text("topicName") or ""
    step = next(
        (step for ending, step in _GENESYS_STEPS.items() if topic.endswith(f".{ending}")), None
    )
    by_us = told.text("direction") == "OUTBOUND"
    kind = _type(step, told.text("mediaType"), OUTBOUND if by_us else INBOUND)
    if kind is None:
        return NO_TOUCHPOINT
    item = touchpoint(
        kind,
        event_id=event_id("eb", event.text("id")),
        occurred_at=at_milliseconds(told.number("eventTime")) or event.text("time"),
        customer={
            "genesys_conversation_id": told.text("conversationId"),
            **_other_end(told, by_us=by_us),
            "genesys_contact_id": told.text("externalContactId"),
        },
        channel=Channel.CONTACT_CENTER,
        properties={
            "conversation_id": told.text("conversationId"),
            "direction": OUTBOUND if by_us else INBOUND,
            "queue": told.text("queueId"),
            "answered_by": told.text("userId"),
        },
    )
    return Document(item, raw)


def _other_end(told: Payload, *, by_us: bool) -> JsonObject:
    """Return the customer's end; that of a chat is a number only if it looks like one."""
    address = told.text("dnis" if by_us else "ani")
    is_number = address is not None and address.removeprefix("tel:").lstrip("+").isdigit()
    return party(address) if is_number else {}


def _type(step: Step | None, medium: str | None, direction: str) -> str | None:
    name = (medium or "").upper()
    if step is None or name not in _CALLS | _CHATS:
        return None
    return type_of(step, is_call=name in _CALLS, direction=direction)
