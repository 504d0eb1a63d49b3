"""Customers in the shape of Segment's Profile API, for tools that were made to read that; pure.

Source: Segment, Profile API (spaces, collections, profiles), public documentation.
"""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from services.api.timeline import TouchpointItem
from shared.instants import rfc3339
from shared.profiles import Contact, Profile
from shared.touchpoints import JsonObject

COLLECTION: Final = "users"
_CALLS: Final[Mapping[str, str]] = {
    "page_viewed": "page",
    "screen_viewed": "screen",
    "identify": "identify",
    "group": "group",
    "alias": "alias",
}
"""The call that a touchpoint came by; every other type is the name of a tracked event."""


class Cursor(msgspec.Struct, frozen=True):
    """Where a list goes on; ``next`` is empty at its end."""

    url: str
    has_more: bool
    next: str
    limit: int


def list_url(space: str, reference: str, what: str) -> str:
    """Return the address of a list about one profile."""
    profile = quote(reference, safe=":")
    return f"/v1/spaces/{quote(space, safe='')}/collections/{COLLECTION}/profiles/{profile}/{what}"


def event_document(item: TouchpointItem) -> JsonObject:
    """Return a touchpoint as an event."""
    call = _CALLS.get(item.type, "track")
    named = {"event": item.type} if call == "track" else {}
    return {
        "external_ids": [
            external_id(kind, value)
            for kind, _, value in (name.partition(":") for name in item.identifiers)
        ],
        "type": call,
        **named,
        "message_id": item.event_id,
        "source_id": item.source,
        "timestamp": _milliseconds(item.at),
        "properties": item.properties,
        "context": item.context,
        "traits": item.traits,
    }


def external_id(kind: str, value: str) -> JsonObject:
    """Return an identifier as an external id."""
    return {"collection": COLLECTION, "type": kind, "id": value, "encoding": "none"}


def traits_of(profile: Profile | None, stage: JsonObject | None) -> JsonObject:
    """Return a customer's traits, with where the journey stands among them, by name."""
    own = {} if profile is None else profile.present_traits()
    journey: JsonObject = {
        "journey_stage": None if stage is None else stage["key"],
        "journey_stage_since": None if stage is None else stage["since"],
    }
    return dict(sorted({**own, **journey}.items()))


def metadata_of(profile: Profile | None) -> JsonObject:
    """Return when a profile was first and last written to, and by which messages."""
    first, last = (None, None) if profile is None else (profile.first, profile.last)
    return {
        "created_at": None if first is None else _at(first),
        "updated_at": None if last is None else _at(last),
        "expires_at": None,
        "first_message_id": None if first is None else first.event_id,
        "first_source_id": None if first is None else first.source,
        "last_message_id": None if last is None else last.event_id,
        "last_source_id": None if last is None else last.source,
    }


def chosen(names: Iterable[str], include: str | None, exclude: str | None) -> list[str]:
    """Return those of *names* that comma-separated lists include and do not exclude."""
    wanted = None if include is None else set(include.split(","))
    unwanted = set() if exclude is None else set(exclude.split(","))
    return [n for n in names if (wanted is None or n in wanted) and n not in unwanted]


def _at(contact: Contact) -> str:
    return _milliseconds(rfc3339(contact.at))


def _milliseconds(at: str) -> str:
    """Write an RFC 3339 time with three digits of fraction, always."""
    seconds, _, fraction = at.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction[:3]:0<3}Z"
