"""Conversations with a contact center: a call or a chat, as its steps become touchpoints; pure."""

from enum import StrEnum
from typing import Final

from shared.touchpoints import JsonObject

INBOUND: Final = "inbound"
OUTBOUND: Final = "outbound"


class Step(StrEnum):
    """How far a conversation has got."""

    STARTED = "started"
    ANSWERED = "answered"
    COMPLETED = "completed"
    MISSED = "missed"
    """It is over, and nobody answered."""


def type_of(step: Step, *, is_call: bool, direction: str | None) -> str | None:
    """Return the type that a step of a conversation becomes.

    None for the start of a conversation that we began: the customer knows nothing of it yet. If
    we call and nobody answers, we have attempted it.
    """
    if direction == OUTBOUND:
        if step is Step.STARTED:
            return None
        if step is Step.MISSED:
            return "call_attempted" if is_call else None
    return f"{'call' if is_call else 'chat'}_{step}"


def party(address: str | None) -> JsonObject:
    """Return the identifier of one end of a call or message; nothing where it is not told.

    Source: Twilio's help on calls from +266696687 and the like, which spell ANONYMOUS, RESTRICTED
    and so on on a telephone's keys.
    """
    if address is None or address.lower() in _WITHHELD:
        return {}
    scheme, colon, rest = address.partition(":")
    kind = _KINDS.get(scheme.lower()) if colon else None
    return {"phone": address} if kind is None else {kind: rest.partition(";")[0] or None}


_WITHHELD: Final = frozenset(
    {
        "+266696687",
        "+7378742833",
        "+2562533",
        "+8656696",
        "+86282452253",
        "anonymous",
        "restricted",
        "unknown",
        "unavailable",
    }
)
_KINDS: Final = {
    "client": "twilio_client",
    "rcs": "phone",
    "sip": "sip_address",
    "sips": "sip_address",
    "tel": "phone",
    "whatsapp": "phone",
}
