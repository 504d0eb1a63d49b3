"""Backfills: which moves follow from touchpoints that were sent as past, and so are no news."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import asyncpg

from shared.instants import Instant, instant_of
from shared.journey.moves import Identity, Move, TouchpointCause

_BACKFILLED: Final = """
SELECT named.source, named.event_id, found.received_at
  FROM unnest($1::text[], $2::text[]) AS named (source, event_id)
 CROSS JOIN LATERAL (
       SELECT t.received_at FROM touchpoints t
        WHERE t.source = named.source AND t.event_id = named.event_id AND t.historical
        OFFSET 0) found
"""

Backfilled: TypeAlias = Mapping[Identity, Instant]
"""When touchpoints that were sent as past were received."""


async def read_backfilled(connection: asyncpg.Connection, moves: Iterable[Move]) -> Backfilled:
    """Return those of the touchpoints which *moves* name as their causes that were sent as past."""
    named = {cause for move in moves if (cause := _named(move)) is not None}
    if not named:
        return {}
    columns = [one.source for one in named], [one.event_id for one in named]
    rows = await connection.fetch(_BACKFILLED, *columns)
    return {
        Identity(row["source"], row["event_id"]): instant_of(row["received_at"]) for row in rows
    }


def historical(moves: Sequence[Move], backfilled: Backfilled) -> list[bool]:
    """Tell of each of *moves* of one journey, in order, whether a backfill caused it.

    A deadline that had passed when the backfill came was caused by it; one that passes later is
    news. A move by a deadline out of a stage that a deadline led into is as that one, if that is
    among *moves*.
    """
    came: list[Instant | None] = []
    for place, move in enumerate(moves):
        named = _named(move)
        if named is not None:
            came.append(backfilled.get(named))
        else:
            before = (n for n in reversed(range(place)) if _led_to(moves[n], move))
            led = next(before, None)
            came.append(None if led is None else came[led])
    return [
        at is not None and (isinstance(move.cause, TouchpointCause) or move.at <= at)
        for move, at in zip(moves, came, strict=True)
    ]


def _named(move: Move) -> Identity | None:
    cause = move.cause
    if isinstance(cause, TouchpointCause):
        return Identity(cause.source, cause.event_id)
    return cause.touchpoint


def _led_to(earlier: Move, later: Move) -> bool:
    return earlier.axis == later.axis and earlier.to == later.from_
