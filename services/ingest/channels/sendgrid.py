"""SendGrid's Event Webhook: an array of what became of mails.

Source: SendGrid's "Event Webhook Reference". Custom arguments of the sender stand beside the
members of SendGrid's own.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from services.ingest.channels.contract import Delivery, Document, Read, Refused
from services.ingest.channels.payloads import Payload
from services.ingest.channels.vendor_events import (
    NO_TOUCHPOINT,
    UNKNOWN_EVENT,
    at_seconds,
    attached,
    bare_address,
    event_id,
    events_in,
    own_ids,
    texts,
    touchpoint,
)
from services.ingest.channels.verify.evidence import hook_of
from services.ingest.channels.verify.sendgrid import verify_sendgrid
from shared.sources import Vendor
from shared.touchpoints import Channel, JsonObject, JsonValue

_TYPES: Final[Mapping[str, str]] = {
    "processed": "email_sent",
    "delivered": "email_delivered",
    "deferred": "email_deferred",
    "dropped": "email_dropped",
    "bounce": "email_bounced",
    "open": "email_opened",
    "click": "email_clicked",
    "spamreport": "email_complained",
    "unsubscribe": "email_unsubscribed",
    "group_unsubscribe": "email_unsubscribed",
    "group_resubscribe": "email_subscribed",
}
_OTHER_EVENTS: Final = frozenset({"account_status_change"})
_OF_SENDGRID: Final = frozenset(
    {
        "asm_group_id",
        "attempt",
        "bounce_classification",
        "category",
        "cert_err",
        "email",
        "event",
        "ip",
        "marketing_campaign_id",
        "marketing_campaign_name",
        "pool",
        "reason",
        "response",
        "send_at",
        "smtp-id",
        "status",
        "timestamp",
        "tls",
        "type",
        "unique_arg_key",
        "url",
        "url_offset",
        "useragent",
    }
)


def read_sendgrid(delivery: Delivery) -> Iterator[Read]:
    """Read a delivery of SendGrid.

    Raises:
        Unauthorized: It is none.
        Unreadable: It is not JSON.
    """
    verify_sendgrid(delivery, hook_of(delivery, Vendor.SENDGRID))
    for event in events_in(delivery.body):
        yield event if isinstance(event, Refused) else _read(*event)


def _read(event: Payload, raw: bytes) -> Read:
    name = event.text("event") or ""
    if name not in _TYPES:
        return NO_TOUCHPOINT if name in _OTHER_EVENTS else UNKNOWN_EVENT
    by_machine = name == "open" and event.flag("sg_machine_open")
    item = touchpoint(
        "email_machine_opened" if by_machine else _TYPES[name],
        event_id=event_id("sg", event.text("sg_event_id")),
        occurred_at=at_seconds(event.number("timestamp")),
        customer={"email": bare_address(event.text("email")), **own_ids(event)},
        channel=Channel.EMAIL,
        properties=_properties(event),
        context={"ip": event.text("ip"), "user_agent": event.text("useragent")},
    )
    return Document(item, raw)


def _properties(event: Payload) -> JsonObject:
    name, category = event.text("event"), event.at("category")
    listed: list[JsonValue] = category if isinstance(category, list) else [category]
    return {
        "message_id": event.text("sg_message_id"),
        "campaign": event.text("marketing_campaign_name"),
        "categories": texts(listed),
        "url": event.text("url"),
        "reason": event.text("reason") or (event.text("response") if name == "deferred" else None),
        "bounce_type": event.text("type") if name == "bounce" else None,
        "status": event.text("status"),
        "attempt": event.number("attempt"),
        "group_id": event.text("asm_group_id"),
        **attached(event.without(_of_sendgrid)),
    }


def _of_sendgrid(name: str) -> bool:
    return name in _OF_SENDGRID or name.startswith("sg_")
