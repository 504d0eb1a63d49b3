"""Twilio Event Streams: CloudEvents about tasks, messages and calls, one or several at once.

Source: Twilio's "Event Streams", event types. Samples show a time in ``datacontenttype``, so that
member is not looked at.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from services.ingest.channels.calls import party
from services.ingest.channels.contract import Delivery, Document, Read, Refused
from services.ingest.channels.payloads import Payload
from services.ingest.channels.twilio_taskrouter import STEPS, task_touchpoint
from services.ingest.channels.vendor_events import (
    NO_TOUCHPOINT,
    NOBODY_NAMED,
    UNKNOWN_EVENT,
    events_in,
    touchpoint,
)
from services.ingest.channels.verify.credentials import verify_credentials
from services.ingest.channels.verify.evidence import hook_of
from services.ingest.channels.verify.twilio import SIGNATURE, verify_twilio
from shared.sources import Vendor
from shared.touchpoints import Channel

_TASKROUTER: Final = "com.twilio.taskrouter."
_MESSAGES: Final[Mapping[str, str]] = {
    "com.twilio.messaging.message.sent": "sms_sent",
    "com.twilio.messaging.message.delivered": "sms_delivered",
    "com.twilio.messaging.message.undelivered": "sms_failed",
    "com.twilio.messaging.message.failed": "sms_failed",
    "com.twilio.messaging.inbound-message.received": "sms_received",
}
_OTHER_EVENTS: Final = ("com.twilio.taskrouter.", "com.twilio.messaging.", "com.twilio.voice.")


def read_twilio_events(delivery: Delivery) -> Iterator[Read]:
    """Read a delivery of a webhook sink.

    Raises:
        Unauthorized: It is neither signed by Twilio nor has it the credentials of the sink.
        Unreadable: It is not JSON.
    """
    hook = hook_of(delivery, Vendor.TWILIO_EVENTS)
    if SIGNATURE in delivery.headers:
        verify_twilio(delivery, hook)
    else:
        verify_credentials(delivery, hook)
    for event in events_in(delivery.body):
        yield event if isinstance(event, Refused) else _read(*event)


def _read(event: Payload, raw: bytes) -> Read:
    name = event.text("type") or ""
    if name in _MESSAGES:
        return _message(_MESSAGES[name], event, raw)
    if name.startswith(_TASKROUTER) and name.removeprefix(_TASKROUTER) in STEPS:
        return _task(name.removeprefix(_TASKROUTER), event, raw)
    return NO_TOUCHPOINT if name.startswith(_OTHER_EVENTS) else UNKNOWN_EVENT


def _event_id(event: Payload) -> str | None:
    source, own = event.text("source"), event.text("id")
    return None if own is None else f"{source or 'twilio'}#{own}"


def _message(kind: str, event: Payload, raw: bytes) -> Read:
    data = event.inner("data")
    customer = party(data.text("from" if kind == "sms_received" else "to"))
    if not customer:
        return NOBODY_NAMED
    item = touchpoint(
        kind,
        event_id=_event_id(event),
        occurred_at=data.text("timestamp") or event.text("time"),
        customer=customer,
        channel=Channel.OTHER,
        properties={
            "message_id": data.text("messageSid"),
            "error": data.text("errorCode"),
        },
        text=data.text("body"),
    )
    return Document(item, raw)


def _task(name: str, event: Payload, raw: bytes) -> Read:
    told = event.inner("data", "payload") or event.inner("data")
    task = Payload(
        {
            "sid": told.text("task_sid"),
            "attributes": told.text("task_attributes"),
            "channel": told.text("task_channel_unique_name"),
            "age": told.number("task_age"),
            "queue": told.text("task_queue_name"),
            "worker": told.text("worker_name"),
            "reason": told.text("task_canceled_reason") or told.text("task_completed_reason"),
        }
    )
    occurred_at = told.text("timestamp") or event.text("time")
    item = task_touchpoint(STEPS[name], task, event_id=_event_id(event), occurred_at=occurred_at)
    return NO_TOUCHPOINT if item is None else Document(item, raw)
