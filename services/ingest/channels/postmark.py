"""Postmark: what became of one mail.

Source: Postmark's "Webhooks overview" and the page of each record type. Postmark signs nothing: the
address that is entered there has a user and a password.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from services.ingest.channels.contract import Delivery, Document, Read
from services.ingest.channels.payloads import Payload, object_in
from services.ingest.channels.vendor_events import (
    NO_TOUCHPOINT,
    UNKNOWN_EVENT,
    attached,
    bare_address,
    event_id,
    own_ids,
    texts,
    touchpoint,
)
from services.ingest.channels.verify.credentials import verify_credentials
from services.ingest.channels.verify.evidence import hook_of
from shared.sources import Vendor
from shared.touchpoints import Channel, JsonObject


class _Kind(NamedTuple):
    """A record type: what it becomes, and which member says when."""

    type: str
    time: str


_KINDS: Final[Mapping[str, _Kind]] = {
    "Delivery": _Kind("email_delivered", "DeliveredAt"),
    "Open": _Kind("email_opened", "ReceivedAt"),
    "Click": _Kind("email_clicked", "ReceivedAt"),
    "Bounce": _Kind("email_bounced", "BouncedAt"),
    "SpamComplaint": _Kind("email_complained", "BouncedAt"),
    "SubscriptionChange": _Kind("email_unsubscribed", "ChangedAt"),
}
_OTHER_RECORDS: Final = frozenset({"Inbound", "SMTPApiError"})
_ONE_OF_MANY: Final = frozenset({"Open", "Click"})
"""Told to the tenth of a microsecond; of others several recipients may share the second."""


def read_postmark(delivery: Delivery) -> Iterator[Read]:
    """Read a webhook of Postmark.

    Raises:
        Unauthorized: It has not the credentials of the hook.
        Unreadable: It is not JSON.
    """
    verify_credentials(delivery, hook_of(delivery, Vendor.POSTMARK))
    record = object_in(delivery.body)
    name = record.text("RecordType") or ""
    if name in _KINDS:
        yield Document(_touchpoint(name, record), delivery.body)
    else:
        yield NO_TOUCHPOINT if name in _OTHER_RECORDS else UNKNOWN_EVENT


def _touchpoint(name: str, record: Payload) -> JsonObject:
    kind, time = _KINDS[name]
    if name == "SubscriptionChange" and not record.flag("SuppressSending"):
        kind = "email_subscribed"
    recipient = bare_address(record.text("Recipient") or record.text("Email"))
    at, tag = record.text(time), record.text("Tag")
    attachments = record.inner("Metadata")
    apart = record.text("OriginalLink") or "" if name in _ONE_OF_MANY else recipient
    return touchpoint(
        kind,
        event_id=event_id("pm", name, record.text("MessageID"), at, *([apart] if apart else [])),
        occurred_at=at,
        customer={"email": recipient, **own_ids(attachments)},
        channel=Channel.EMAIL,
        properties={
            "message_id": record.text("MessageID"),
            "subject": record.text("Subject"),
            "categories": texts([tag]),
            "url": record.text("OriginalLink"),
            "bounce_type": record.text("Type"),
            "reason": record.text("Description") or record.text("SuppressionReason"),
            "stream": record.text("MessageStream"),
            **attached(dict(attachments.items())),
        },
        context=_context(record),
    )


def _context(record: Payload) -> JsonObject:
    return {
        "user_agent": record.text("UserAgent"),
        "ip": record.text("Geo", "IP"),
        "country": record.text("Geo", "CountryISOCode"),
    }
