"""Rows as the domain sees them: stored touchpoints and transitions, read back exactly."""

from typing import Final

import asyncpg
import msgspec

from shared.instants import instant_of
from shared.journey.moves import Move, parse_cause
from shared.touchpoints import JsonObject, Touchpoint


class StoredBody(msgspec.Struct, frozen=True, kw_only=True):
    """The ``body`` column of a touchpoint; members that were empty are left out of it."""

    properties: JsonObject = {}
    context: JsonObject = {}
    traits: JsonObject = {}
    identifiers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


_body: Final = msgspec.json.Decoder(StoredBody)
_cause: Final = msgspec.json.Decoder(dict[str, object])


def parse_body(text: str) -> StoredBody:
    """Read the ``body`` column."""
    return _body.decode(text)


def touchpoint_of(row: asyncpg.Record) -> Touchpoint:
    """Return a stored touchpoint as the fold sees it.

    Args:
        row: With source, event_id, effective_at, channel, type and body as text.
    """
    body = _body.decode(row["body"])
    return Touchpoint(
        source=row["source"],
        event_id=row["event_id"],
        at=instant_of(row["effective_at"]),
        channel=row["channel"],
        type=row["type"],
        properties=body.properties,
        context=body.context,
        traits=body.traits,
    )


def move_of(row: asyncpg.Record) -> Move:
    """Return a published transition as the fold made it.

    Args:
        row: With axis, kind, from_key, to_key, at, cycle, rule and cause as text.
    """
    return Move(
        axis=row["axis"],
        kind=row["kind"],
        from_=row["from_key"],
        to=row["to_key"],
        at=instant_of(row["at"]),
        cycle=row["cycle"],
        rule=row["rule"],
        cause=parse_cause(_cause.decode(row["cause"])),
    )
