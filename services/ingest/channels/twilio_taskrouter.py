"""Twilio TaskRouter and Flex: what becomes of tasks, each a conversation with a customer.

Source: Twilio's "TaskRouter Events Reference". Who the customer is stands in the attributes of the
task, as the contact center set them; where they do not say, the task stands for its customer.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from services.ingest.channels.calls import INBOUND, OUTBOUND, Step, party, type_of
from services.ingest.channels.contract import Delivery, Document, Read
from services.ingest.channels.payloads import Payload, form_in
from services.ingest.channels.vendor_events import (
    NO_TOUCHPOINT,
    UNKNOWN_EVENT,
    at_milliseconds,
    at_seconds,
    own_ids,
    touchpoint,
)
from services.ingest.channels.verify.evidence import hook_of
from services.ingest.channels.verify.twilio import verify_twilio
from shared.acceptance.values import BadJsonError, read_any
from shared.errors import Invalid
from shared.sources import Vendor
from shared.touchpoints import Channel, JsonObject

STEPS: Final[Mapping[str, Step]] = {
    "task.created": Step.STARTED,
    "reservation.accepted": Step.ANSWERED,
    "task.completed": Step.COMPLETED,
    "task.canceled": Step.MISSED,
}
_OTHER_EVENTS: Final = (
    "activity.",
    "reservation.",
    "task-queue.",
    "task.",
    "worker.",
    "workflow.",
    "workspace.",
)


def read_twilio_taskrouter(delivery: Delivery) -> Iterator[Read]:
    """Read an event callback.

    Raises:
        Unauthorized: It is none of Twilio's.
    """
    verify_twilio(delivery, hook_of(delivery, Vendor.TWILIO_TASKROUTER))
    form = Payload(dict(form_in(delivery.body)))
    name = form.text("EventType") or ""
    if name not in STEPS:
        yield NO_TOUCHPOINT if name.startswith(_OTHER_EVENTS) else UNKNOWN_EVENT
        return
    occurred_at = at_milliseconds(form.number("TimestampMs")) or at_seconds(
        form.number("Timestamp")
    )
    task = Payload(
        {
            "sid": form.text("TaskSid"),
            "attributes": form.text("TaskAttributes"),
            "channel": form.text("TaskChannelUniqueName"),
            "age": form.number("TaskAge"),
            "queue": form.text("TaskQueueName"),
            "worker": form.text("WorkerName"),
            "reason": form.text("TaskCanceledReason") or form.text("TaskCompletedReason"),
        }
    )
    item = task_touchpoint(STEPS[name], task, event_id=form.text("Sid"), occurred_at=occurred_at)
    yield NO_TOUCHPOINT if item is None else Document(item, delivery.body)


def task_touchpoint(
    step: Step, task: Payload, *, event_id: str | None, occurred_at: str | None
) -> JsonObject | None:
    """Return what a step of a task becomes; None if it is no touchpoint.

    Args:
        step: How far the conversation has got.
        task: Its ``sid, attributes, channel, age, queue, worker, reason``.
        event_id: The event's own id.
        occurred_at: When it happened.
    """
    attributes = _attributes(task.text("attributes"))
    direction = OUTBOUND if attributes.text("direction") == OUTBOUND else INBOUND
    kind = type_of(step, is_call=task.text("channel") == "voice", direction=direction)
    if kind is None:
        return None
    return touchpoint(
        kind,
        event_id=event_id,
        occurred_at=occurred_at,
        customer=_customer(attributes, direction) or {"twilio_task_sid": task.text("sid")},
        channel=Channel.CONTACT_CENTER,
        properties={
            "conversation_id": task.text("sid"),
            "direction": direction,
            "duration": task.number("age") if step is Step.COMPLETED else None,
            "queue": task.text("queue"),
            "answered_by": task.text("worker") if step is Step.ANSWERED else None,
            "reason": task.text("reason"),
        },
    )


def _attributes(text: str | None) -> Payload:
    try:
        return Payload(read_any((text or "{}").encode("utf-8", "replace")))
    except (BadJsonError, Invalid):
        return Payload(None)


def _customer(attributes: Payload, direction: str) -> JsonObject:
    told = attributes.inner("customers")
    end = "to" if direction == OUTBOUND else "from"
    customer: JsonObject = {
        **party(
            told.text("phone")
            or attributes.text("customerAddress")
            or attributes.text(end)
            or attributes.text("caller")
        ),
        "email": told.text("email") or attributes.text("email"),
        **own_ids(attributes),
        **own_ids(told),
    }
    return {kind: value for kind, value in customer.items() if value is not None}
