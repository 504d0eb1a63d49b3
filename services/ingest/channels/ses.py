"""Amazon SES, published through Amazon SNS: what became of mails, for one recipient or several.

Source: Amazon SES, "Contents of event data that Amazon SES publishes to Amazon SNS", and Amazon
SNS, "HTTP/HTTPS notification JSON format". The certificate that a message is signed under is
fetched before, and a subscription confirmed after, by whoever holds the adapter: it is pure.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from services.ingest.channels.contract import Delivery, Document, Read, Refused
from services.ingest.channels.payloads import Payload
from services.ingest.channels.vendor_events import (
    NO_TOUCHPOINT,
    UNKNOWN_EVENT,
    attached,
    bare_address,
    event_id,
    own_ids,
    touchpoint,
)
from services.ingest.channels.verify.evidence import bad_signature, hook_of
from services.ingest.channels.verify.sns import (
    NOTIFICATION,
    SUBSCRIPTION,
    SnsMessage,
    amazons,
    check_topic,
    sns_message,
    verify_sns,
)
from shared.acceptance.values import BadJsonError, read_any
from shared.errors import Invalid
from shared.sources import Vendor
from shared.touchpoints import Channel, JsonObject


class _Kind(NamedTuple):
    """A kind of event: what it becomes, the member about it, and where that names recipients."""

    type: str
    member: str
    recipients: str | None = None


_KINDS: Final[Mapping[str, _Kind]] = {
    "Send": _Kind("email_sent", "send"),
    "Delivery": _Kind("email_delivered", "delivery", "recipients"),
    "DeliveryDelay": _Kind("email_deferred", "deliveryDelay", "delayedRecipients"),
    "Reject": _Kind("email_dropped", "reject"),
    "Rendering Failure": _Kind("email_dropped", "failure"),
    "Bounce": _Kind("email_bounced", "bounce", "bouncedRecipients"),
    "Open": _Kind("email_opened", "open"),
    "Click": _Kind("email_clicked", "click"),
    "Complaint": _Kind("email_complained", "complaint", "complainedRecipients"),
    "Subscription": _Kind("email_unsubscribed", "subscription"),
}
_DONE_BY_ONE: Final = frozenset({"Open", "Click", "Subscription"})
_SUBSCRIBED: Final = "email_subscribed"


def certificate_address(delivery: Delivery) -> str:
    """Return where the certificate is that *delivery* must be signed under.

    Raises:
        Unauthorized: It is no message of a topic that may deliver here, or names a foreign address.
    """
    message = sns_message(delivery.body)
    check_topic(message, hook_of(delivery, Vendor.SES))
    return amazons(message.signing_cert_url)


def confirmation_address(delivery: Delivery) -> str | None:
    """Return what has to be visited so that a topic delivers, once the delivery was read.

    Raises:
        Unauthorized: It is a foreign address.
    """
    message = sns_message(delivery.body)
    return amazons(message.subscribe_url) if message.type == SUBSCRIPTION else None


def read_ses(delivery: Delivery) -> Iterator[Read]:
    """Read a message of SNS; ``delivery.fetched`` has the certificate.

    Raises:
        Unauthorized: It is none, or not of a topic that may deliver here.
    """
    message = sns_message(delivery.body)
    certificate = delivery.fetched.get(certificate_address(delivery))
    if certificate is None:
        raise bad_signature()
    verify_sns(message, certificate, delivery)
    if message.type == SUBSCRIPTION:
        amazons(message.subscribe_url)
    if message.type != NOTIFICATION:
        yield NO_TOUCHPOINT
        return
    yield from _events(message, delivery.body)


def _events(message: SnsMessage, raw: bytes) -> Iterator[Read]:
    try:
        event = Payload(read_any(message.message.encode("utf-8", "surrogatepass")))
    except (BadJsonError, Invalid):  # "Successfully validated SNS topic for ..." is no JSON
        event = Payload(None)
    if not event:
        yield NO_TOUCHPOINT
        return
    name = event.text("eventType") or event.text("notificationType") or ""
    kind = _KINDS.get(name)
    if kind is None:
        yield NO_TOUCHPOINT if name == "AmazonSnsSubscriptionSucceeded" else UNKNOWN_EVENT
        return
    recipients = _recipients(event, kind)
    if name in _DONE_BY_ONE and len(recipients) > 1:
        yield _ambiguous(name, raw)
        return
    for recipient, about in recipients.items():
        yield Document(_touchpoint(message, event, kind, recipient, about), raw)


def _recipients(event: Payload, kind: _Kind) -> dict[str, Payload]:
    """Return who an event is about, each with what is said of them alone."""
    named = event.values(kind.member, kind.recipients) if kind.recipients else []
    found = {}
    for one in named or event.values("mail", "destination"):
        about = Payload(one)
        address = about.text("emailAddress") or Payload({"address": one}).text("address")
        if address is not None:
            found[bare_address(address) or address] = about
    return found or {"": Payload(None)}


def _ambiguous(name: str, raw: bytes) -> Refused:
    return Refused(
        "ambiguous_recipient",
        f"an event {name} must be of a mail to one recipient: send one mail for each",
        raw,
        path="mail.destination",
    )


def _touchpoint(
    message: SnsMessage, event: Payload, kind: _Kind, recipient: str, about: Payload
) -> JsonObject:
    told, mail = event.inner(kind.member), event.inner("mail")
    tags = mail.inner("tags")
    return touchpoint(
        _SUBSCRIBED if kind.member == "subscription" and not _opts_out(told) else kind.type,
        event_id=event_id("sns", message.message_id, recipient),
        occurred_at=told.text("timestamp") or mail.text("timestamp") or message.timestamp,
        customer={"email": recipient, **own_ids(tags)},
        channel=Channel.EMAIL,
        properties={
            "message_id": mail.text("messageId"),
            "subject": mail.text("commonHeaders", "subject"),
            "url": told.text("link"),
            "bounce_type": told.text("bounceType"),
            "reason": _reason(told, about),
            **attached(_tags(tags)),
        },
        context={"ip": told.text("ipAddress"), "user_agent": told.text("userAgent")},
    )


def _reason(told: Payload, about: Payload) -> str | None:
    return (
        about.text("diagnosticCode")
        or told.text("bounceSubType")
        or told.text("complaintFeedbackType")
        or told.text("reason")
        or told.text("errorMessage")
        or told.text("delayType")
    )


def _opts_out(told: Payload) -> bool:
    new = told.inner("newTopicPreferences")
    topics = [topic.text("subscriptionStatus") for topic in new.each("topicSubscriptionStatus")]
    return new.flag("unsubscribeAll") or "OptOut" in topics or not topics


def _tags(tags: Payload) -> JsonObject:
    """Return the sender's own tags; each is a list with one value."""
    return {
        name: values[0]
        for name, values in tags.items()
        if isinstance(values, list) and values and not name.startswith("ses:")
    }
