"""Zendesk: what becomes of tickets, and who their requesters are.

Source: Zendesk's "Webhook event types", ticket and user events. Tickets name their requester by
Zendesk's own id only; user events join it to an address. A trigger or an automation sends what
whoever set it up wrote: a touchpoint in the native form is taken as it is.
"""

from collections.abc import Iterator
from typing import Final

from services.ingest.channels.contract import Delivery, Document, Read
from services.ingest.channels.payloads import Payload, object_in
from services.ingest.channels.vendor_events import (
    NO_TOUCHPOINT,
    UNKNOWN_EVENT,
    event_id,
    touchpoint,
)
from services.ingest.channels.verify.evidence import hook_of
from services.ingest.channels.verify.zendesk import verify_zendesk
from shared.sources import Vendor
from shared.touchpoints import Channel, JsonObject

_PREFIX: Final = "zen:event-type:"
_SOLVED: Final = frozenset({"SOLVED", "CLOSED"})
_AGENTS: Final = frozenset({"ADMIN", "AGENT"})
_IDENTIFYING: Final = frozenset(
    {"user.created", "user.external_id_changed", "user.identity_created"}
)


def read_zendesk(delivery: Delivery) -> Iterator[Read]:
    """Read an event, or a touchpoint that a trigger sends.

    Raises:
        Unauthorized: It is none of Zendesk's.
        Unreadable: It is not JSON.
    """
    verify_zendesk(delivery, hook_of(delivery, Vendor.ZENDESK))
    event = object_in(delivery.body)
    name = event.text("type") or ""
    if name.startswith(_PREFIX):
        yield _read(name.removeprefix(_PREFIX), event, delivery.body)
    elif event.at("customer") is not None:
        yield Document(dict(event.items()), delivery.body)
    else:
        yield UNKNOWN_EVENT


def _read(name: str, event: Payload, raw: bytes) -> Read:
    if name in _IDENTIFYING:
        return _user(name, event, raw)
    kind = _ticket_type(name, event)
    if kind is None:
        known = name.startswith(("ticket.", "user.", "organization.", "messaging_ticket."))
        return NO_TOUCHPOINT if known else UNKNOWN_EVENT
    return Document(_ticket(kind, event), raw)


def _ticket_type(name: str, event: Payload) -> str | None:
    told = event.inner("event")
    match name:
        case "ticket.created":
            return "ticket_created"
        case "ticket.status_changed":
            was, now = told.text("previous") in _SOLVED, told.text("current") in _SOLVED
            return _change(was_solved=was, is_solved=now)
        case "ticket.comment_added":
            comment = told.inner("comment")
            if comment.at("is_public") is False:
                return None
            by_us = comment.flag("author", "is_staff")
            return "ticket_answered" if by_us else "ticket_commented"
        case _:
            return None


def _change(*, was_solved: bool, is_solved: bool) -> str | None:
    if was_solved == is_solved:
        return None
    return "ticket_solved" if is_solved else "ticket_reopened"


def _ticket(kind: str, event: Payload) -> JsonObject:
    ticket = event.inner("detail")
    return touchpoint(
        kind,
        event_id=event_id("zd", event.text("id")),
        occurred_at=event.text("time"),
        customer={
            "zendesk_user_id": ticket.text("requester_id"),
            "user_id": ticket.text("requester", "external_id"),
            "email": ticket.text("requester", "email"),
        },
        channel=Channel.CONTACT_CENTER,
        properties={
            "ticket_id": ticket.text("id"),
            "subject": ticket.text("subject"),
            "status": ticket.text("status"),
            "priority": ticket.text("priority"),
            "via": ticket.text("via", "channel"),
        },
        text=event.text("event", "comment", "body") or ticket.text("description"),
    )


def _user(name: str, event: Payload, raw: bytes) -> Read:
    user, told = event.inner("detail"), event.inner("event")
    if (user.text("role") or "").upper() in _AGENTS:
        return NO_TOUCHPOINT
    new_id = told.text("current") if name == "user.external_id_changed" else None
    identity = told.inner("identity")
    address = identity.text("value") if identity.text("type") == "email" else None
    item = touchpoint(
        "identify",
        event_id=event_id("zd", event.text("id")),
        occurred_at=event.text("time"),
        customer={
            "zendesk_user_id": user.text("id"),
            "user_id": new_id or user.text("external_id"),
            "email": address or user.text("email"),
            "phone": user.text("phone"),
        },
        channel=Channel.CONTACT_CENTER,
        traits={"name": user.text("name")},
    )
    return Document(item, raw)
