"""Links and bars between identifiers, read for answers."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from shared.identity.links import Pair

MOST: Final = 500
"""Links, and as many conflicts, of one customer in an answer: a kiosk has tens of thousands."""

_LINKS: Final = """
SELECT l.id, l.effective_at, l.source, l.event_id, l.seen, l.refused, l.reason, l.actor, l.total,
       a.kind AS a_kind, a.value AS a_value, b.kind AS b_kind, b.value AS b_value,
       a.customer_id AS a_customer, b.customer_id AS b_customer,
       EXISTS (SELECT FROM bars WHERE bars.a_id = l.a_id AND bars.b_id = l.b_id
                                  AND lifted_at IS NULL) AS barred
  FROM (SELECT earliest.*, count(*) OVER (PARTITION BY refused) AS total,
               row_number() OVER (PARTITION BY refused
                                  ORDER BY effective_at, source, event_id, id) AS place
          FROM (SELECT DISTINCT ON (a_id, b_id) * FROM links
                 WHERE {which}
                 ORDER BY a_id, b_id, effective_at, source, event_id) earliest) l
  JOIN identifiers a ON a.id = l.a_id
  JOIN identifiers b ON b.id = l.b_id
 WHERE l.place <= {most}
 ORDER BY l.effective_at, l.source, l.event_id, l.id
"""
LINKS_AT: Final = _LINKS.format(
    which="a_id = ANY($1::bigint[]) OR b_id = ANY($1::bigint[])", most=MOST
)
"""A ``LinkRow`` of each pair that has one of the identifiers, the earliest one."""
_BARS: Final = """
SELECT bars.id, bars.recorded_at, bars.reason, bars.actor,
       a.kind AS a_kind, a.value AS a_value, b.kind AS b_kind, b.value AS b_value,
       a.customer_id AS a_customer, b.customer_id AS b_customer
  FROM bars
  JOIN identifiers a ON a.id = bars.a_id
  JOIN identifiers b ON b.id = bars.b_id
 WHERE {which} AND bars.lifted_at IS NULL
 ORDER BY bars.recorded_at, a.kind, a.value, b.kind, b.value
"""
BARS_AT: Final = _BARS.format(
    which="(bars.a_id = ANY($1::bigint[]) OR bars.b_id = ANY($1::bigint[]))"
)
"""A ``BarRow`` of each pair that is barred and has one of the identifiers."""
_IDS: Final = """
SELECT {column} FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
    AS wanted (a_kind, a_value, b_kind, b_value)
  JOIN identifiers a ON a.kind = wanted.a_kind AND a.value = wanted.a_value
  JOIN identifiers b ON b.kind = wanted.b_kind AND b.value = wanted.b_value
"""
_BETWEEN: Final = _LINKS.format(
    which=f"(a_id, b_id) IN ({_IDS.format(column='a.id, b.id')})", most=MOST
)
_BARS_BETWEEN: Final = _BARS.format(
    which=f"(bars.a_id, bars.b_id) IN ({_IDS.format(column='a.id, b.id')})"
)


class LinkRow(NamedTuple):
    """A link; of those of a customer, ``total`` are refused like it, or made like it."""

    id: UUID
    effective_at: datetime
    source: str
    event_id: str
    seen: int
    refused: bool
    reason: str | None
    actor: str | None
    total: int
    a_kind: str
    a_value: str
    b_kind: str
    b_value: str
    a_customer: UUID
    b_customer: UUID
    barred: bool


class BarRow(NamedTuple):
    """A bar in force."""

    id: UUID
    recorded_at: datetime
    reason: str
    actor: str
    a_kind: str
    a_value: str
    b_kind: str
    b_value: str
    a_customer: UUID
    b_customer: UUID


async def read_links(
    connection: asyncpg.Connection, identifier_ids: Sequence[int]
) -> list[LinkRow]:
    """Return the earliest link of each pair that has one of the identifiers, in order of time.

    They are MOST that are refused and MOST others; ``total`` says how many there are of each.
    """
    return [LinkRow(*row) for row in await connection.fetch(LINKS_AT, identifier_ids)]


async def read_bars(connection: asyncpg.Connection, identifier_ids: Sequence[int]) -> list[BarRow]:
    """Return the bars in force on pairs that have one of the identifiers, in order of time."""
    return [BarRow(*row) for row in await connection.fetch(BARS_AT, identifier_ids)]


async def read_links_between(
    connection: asyncpg.Connection, pairs: Iterable[Pair]
) -> list[LinkRow]:
    """Return the earliest link of each of *pairs* that has one, in order of time."""
    return [LinkRow(*row) for row in await connection.fetch(_BETWEEN, *_columns(pairs))]


async def read_bars_between(connection: asyncpg.Connection, pairs: Iterable[Pair]) -> list[BarRow]:
    """Return the bars in force on *pairs*, in order of time."""
    return [BarRow(*row) for row in await connection.fetch(_BARS_BETWEEN, *_columns(pairs))]


def _columns(pairs: Iterable[Pair]) -> Iterable[list[str]]:
    return (list(column) for column in zip(*[(*a, *b) for a, b in pairs], strict=True))
