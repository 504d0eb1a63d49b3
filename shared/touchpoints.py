"""Touchpoints: one interaction of one customer, normalised across channels.

The types here are msgspec structs instead of dataclasses because they are decoded straight from
the log and the database a hundred thousand times a second; they are frozen all the same.
"""

from enum import StrEnum
from typing import NamedTuple, TypeAlias

import msgspec

from shared.instants import Instant

JsonValue: TypeAlias = object
"""None, bool, int, float, str, a list of these, or a dict of these by str; as msgspec decodes.

Spelt ``object`` because msgspec cannot resolve a recursive alias; code narrows before it looks.
"""
JsonObject: TypeAlias = dict[str, JsonValue]


class Channel(StrEnum):
    """Where an interaction took place."""

    WEB = "web"
    EMAIL = "email"
    CONTACT_CENTER = "contact_center"
    IN_STORE = "in_store"
    SOCIAL = "social"
    PARTNER = "partner"
    OTHER = "other"


class Identifier(NamedTuple):
    """One name by which a customer is known; written ``kind:value``."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class Place(NamedTuple):
    """Where a touchpoint stands in canonical order: by time, then source, then event id.

    Strings compare by code point.
    """

    at: Instant
    source: str
    event_id: str


class Touchpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage model sees of a touchpoint; ``source`` and ``event_id`` are its identity."""

    source: str
    event_id: str
    at: Instant
    """The effective time, fixed once at ingest."""
    channel: str
    """A value of Channel, as plain text so that matchers compare without conversion."""
    type: str
    properties: JsonObject
    context: JsonObject
    traits: JsonObject

    @property
    def place(self) -> Place:
        """The touchpoint's place in canonical order."""
        return Place(self.at, self.source, self.event_id)
