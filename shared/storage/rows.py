"""Rows as the domain sees them: stored touchpoints and transitions, read back exactly."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from shared.instants import instant_of
from shared.journey.moves import Move, cause_of
from shared.touchpoints import JsonObject, Touchpoint


class Row(Protocol):
    """A row of asyncpg or SQLAlchemy's mapping: values by column name."""

    def __getitem__(self, name: str, /) -> object: ...


class StoredBody(msgspec.Struct, frozen=True, kw_only=True):
    """The ``body`` column of a touchpoint; members that were empty are left out of it."""

    properties: JsonObject = {}
    context: JsonObject = {}
    traits: JsonObject = {}
    identifiers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


_body_decoder = msgspec.json.Decoder(StoredBody)
