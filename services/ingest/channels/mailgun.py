"""Mailgun: what became of one mail.

Source: Mailgun's "Event structure" and "Webhooks". An id is unique within a day only, hence the
time beside it.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from services.ingest.channels.contract import Delivery, Document, Read
from services.ingest.channels.payloads import Payload, object_in
from services.ingest.channels.vendor_events import (
    UNKNOWN_EVENT,
    at_seconds,
    attached,
    bare_address,
    event_id,
    own_ids,
    texts,
    touchpoint,
)
from services.ingest.channels.verify.evidence import hook_of
from services.ingest.channels.verify.mailgun import verify_mailgun
from shared.sources import Vendor
from shared.touchpoints import Channel, JsonObject

_TYPES: Final[Mapping[str, str]] = {
    "accepted": "email_sent",
    "rejected": "email_dropped",
    "delivered": "email_delivered",
    "opened": "email_opened",
    "clicked": "email_clicked",
    "unsubscribed": "email_unsubscribed",
    "complained": "email_complained",
}
_BY_MACHINE: Final[Mapping[str, str]] = {
    "opened": "email_machine_opened",
    "clicked": "email_machine_clicked",
}


def read_mailgun(delivery: Delivery) -> Iterator[Read]:
    """Read a webhook of Mailgun; the event may stand in ``event-data``, or beside the signature.

    Raises:
        Unauthorized: It is none.
    """
    verify_mailgun(delivery, hook_of(delivery, Vendor.MAILGUN))
    body = object_in(delivery.body)
    event = body.inner("event-data") or body
    kind = _type(event)
    yield UNKNOWN_EVENT if kind is None else Document(_touchpoint(kind, event), delivery.body)


def _type(event: Payload) -> str | None:
    name = event.text("event") or ""
    if name == "failed":
        is_final = event.text("severity") != "temporary"
        return "email_bounced" if is_final else "email_deferred"
    if event.text("client-info", "bot"):
        return _BY_MACHINE.get(name) or _TYPES.get(name)
    return _TYPES.get(name)


def _touchpoint(kind: str, event: Payload) -> JsonObject:
    attachments = event.inner("user-variables")
    seconds = event.number("timestamp")
    status = event.inner("delivery-status")
    return touchpoint(
        kind,
        event_id=event_id("mg", event.text("id"), None if seconds is None else str(seconds)),
        occurred_at=at_seconds(seconds),
        customer={"email": bare_address(event.text("recipient")), **own_ids(attachments)},
        channel=Channel.EMAIL,
        properties={
            "message_id": event.text("message", "headers", "message-id"),
            "subject": event.text("message", "headers", "subject"),
            "categories": texts(event.values("tags")),
            "url": event.text("url"),
            "bounce_type": event.text("severity"),
            "reason": status.text("description") or status.text("message") or event.text("reason"),
            **attached(dict(attachments.items())),
        },
        context={
            "ip": event.text("ip"),
            "user_agent": event.text("client-info", "user-agent"),
            "country": event.text("geolocation", "country"),
        },
    )
