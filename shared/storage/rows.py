"""Rows as the domain sees them: stored touchpoints and transitions, read back exactly."""

from datetime import datetime
from typing import Final, Protocol

import msgspec

from shared.instants import instant_of
from shared.journey.moves import Axis, Kind, Move, parse_cause
from shared.touchpoints import JsonObject, Touchpoint


class Row(Protocol):
    """A row of the driver: values by column name."""

    def __getitem__(self, name: str, /) -> object: ...


class StoredBody(msgspec.Struct, frozen=True, kw_only=True):
    """The ``body`` column of a touchpoint; members that were empty are left out of it."""

    properties: JsonObject = {}
    context: JsonObject = {}
    traits: JsonObject = {}
    identifiers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class _TouchpointRow(msgspec.Struct, frozen=True):
    source: str
    event_id: str
    effective_at: datetime
    channel: str
    type: str
    body: str


class _TransitionRow(msgspec.Struct, frozen=True):
    axis: Axis
    kind: Kind
    from_key: str | None
    to_key: str
    at: datetime
    cycle: int
    rule: str
    cause: str


_body: Final = msgspec.json.Decoder(StoredBody)
_cause: Final = msgspec.json.Decoder(dict[str, object])


def parse_body(text: str) -> StoredBody:
    """Read the ``body`` column."""
    return _body.decode(text)


def touchpoint_of(row: Row) -> Touchpoint:
    """Return a stored touchpoint as the fold sees it.

    Args:
        row: With source, event_id, effective_at, channel, type and body as text.
    """
    given = msgspec.convert(_columns(row, _TouchpointRow), _TouchpointRow)
    body = _body.decode(given.body)
    return Touchpoint(
        source=given.source,
        event_id=given.event_id,
        at=instant_of(given.effective_at),
        channel=given.channel,
        type=given.type,
        properties=body.properties,
        context=body.context,
        traits=body.traits,
    )


def move_of(row: Row) -> Move:
    """Return a published transition as the fold made it.

    Args:
        row: With axis, kind, from_key, to_key, at, cycle, rule and cause as text.
    """
    given = msgspec.convert(_columns(row, _TransitionRow), _TransitionRow)
    return Move(
        axis=given.axis,
        kind=given.kind,
        from_=given.from_key,
        to=given.to_key,
        at=instant_of(given.at),
        cycle=given.cycle,
        rule=given.rule,
        cause=parse_cause(_cause.decode(given.cause)),
    )


def _columns(row: Row, shape: type[msgspec.Struct]) -> dict[str, object]:
    return {name: row[name] for name in shape.__struct_fields__}
