"""Twilio Voice: status callbacks of calls, one form for each state that a call reaches.

Source: Twilio's "Call resource", status callbacks. One end of the call is the customer: who calls,
or whom we call.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from services.ingest.channels.calls import INBOUND, OUTBOUND, Step, party, type_of
from services.ingest.channels.contract import Delivery, Document, Read
from services.ingest.channels.payloads import Payload, form_in
from services.ingest.channels.vendor_events import (
    NO_TOUCHPOINT,
    NOBODY_NAMED,
    UNKNOWN_EVENT,
    at_mail_date,
    event_id,
    touchpoint,
)
from services.ingest.channels.verify.evidence import hook_of
from services.ingest.channels.verify.twilio import verify_twilio
from shared.sources import Vendor
from shared.touchpoints import Channel

_STEPS: Final[Mapping[str, Step]] = {
    "ringing": Step.STARTED,
    "in-progress": Step.ANSWERED,
    "answered": Step.ANSWERED,
    "completed": Step.COMPLETED,
    "busy": Step.MISSED,
    "no-answer": Step.MISSED,
    "canceled": Step.MISSED,
    "failed": Step.MISSED,
}
_ON_THE_WAY: Final = frozenset({"queued", "initiated"})
_MACHINES: Final = ("machine", "fax")
"""Whom we reach when we do not reach the customer."""


def read_twilio_voice(delivery: Delivery) -> Iterator[Read]:
    """Read a status callback.

    Raises:
        Unauthorized: It is none of Twilio's.
    """
    verify_twilio(delivery, hook_of(delivery, Vendor.TWILIO_VOICE))
    yield read_call(Payload(dict(form_in(delivery.body))), delivery.body)


def read_call(call: Payload, raw: bytes) -> Read:
    """Read the state of a call, from the names that status callbacks have for it."""
    status = (call.text("CallStatus") or "").lower()
    if status in _ON_THE_WAY:
        return NO_TOUCHPOINT
    if status not in _STEPS:
        return UNKNOWN_EVENT
    direction = OUTBOUND if (call.text("Direction") or "").startswith(OUTBOUND) else INBOUND
    by_machine = direction == OUTBOUND and (call.text("AnsweredBy") or "").startswith(_MACHINES)
    step = Step.MISSED if by_machine else _STEPS[status]
    kind = type_of(step, is_call=True, direction=direction)
    if kind is None:
        return NO_TOUCHPOINT
    address = call.text("To") if direction == OUTBOUND else call.text("From")
    customer = party(address)
    if address is not None and not customer:
        return NOBODY_NAMED
    item = touchpoint(
        kind,
        event_id=event_id("twl", call.text("CallSid"), call.text("SequenceNumber") or status),
        occurred_at=at_mail_date(call.text("Timestamp")),
        customer=customer,
        channel=Channel.CONTACT_CENTER,
        properties={
            "conversation_id": call.text("CallSid"),
            "direction": direction,
            "duration": call.number("CallDuration"),
            "status": status,
            "answered_by": call.text("AnsweredBy"),
        },
    )
    return Document(item, raw)
