"""Neighbourhoods: all that a new link, a bar or a lifted bar can change."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from shared.identity.links import Bars, Link, Pair
from shared.instants import instant_of
from shared.touchpoints import Identifier, Place
from shared.upkeep.transactions import TransactionConflict

_REACH: Final = """
WITH RECURSIVE reach (id) AS (
    SELECT unnest($1::bigint[])
    UNION
    SELECT near.id FROM reach, LATERAL (
        SELECT b_id AS id FROM links WHERE a_id = reach.id
        UNION ALL
        SELECT a_id FROM links WHERE b_id = reach.id) AS near
)
SELECT id FROM reach ORDER BY id
"""
_MEMBERS: Final = """
SELECT i.id, i.kind, i.value, i.customer_id, c.id IS NOT NULL AS has_history
  FROM identifiers i LEFT JOIN customers c ON c.id = i.customer_id
 WHERE i.id = ANY($1)
"""
_NAMED: Final = """
SELECT id, kind, value FROM identifiers
  JOIN unnest($1::text[], $2::text[]) AS wanted (kind, value) USING (kind, value)
"""
_KNOWN_PLACES: Final = """
SELECT DISTINCT ON (a_id, b_id) a_id, b_id, effective_at, source, event_id
  FROM links JOIN unnest($1::bigint[], $2::bigint[]) AS wanted (a_id, b_id) USING (a_id, b_id)
 ORDER BY a_id, b_id, effective_at, source, event_id
"""
_LINKS: Final = """
SELECT DISTINCT ON (a_id, b_id) a_id, b_id, effective_at, source, event_id, refused
  FROM links WHERE a_id = ANY($1)
 ORDER BY a_id, b_id, effective_at, source, event_id
"""
_BARS: Final = "SELECT a_id, b_id FROM bars WHERE a_id = ANY($1) AND lifted_at IS NULL"


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Identifiers that any links connect, with all that decides how they are grouped."""

    row_ids: Mapping[Identifier, int]
    customers: Mapping[Identifier, UUID]
    with_history: frozenset[UUID]
    links: Sequence[Link]
    bars: Bars


class NeighbourhoodGrew(TransactionConflict):
    """Someone linked more to it between looking and locking; look again."""

    code = "neighbourhood_grew"


async def known_places(
    connection: asyncpg.Connection, pairs: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], Place]:
    """Return the earliest place of each pair of identifiers that has been linked."""
    wanted = list(pairs)
    rows = await connection.fetch(_KNOWN_PLACES, [a for a, _ in wanted], [b for _, b in wanted])
    return {
        (row["a_id"], row["b_id"]): Place(
            instant_of(row["effective_at"]), row["source"], row["event_id"]
        )
        for row in rows
    }


async def find_neighbours(
    connection: asyncpg.Connection, made: Mapping[Pair, Link]
) -> frozenset[Identifier]:
    """Return all identifiers that are connected with one whose links *made* will change.

    Only looks: nothing is locked, so that all of them can be locked in one order afterwards.
    """
    if not made:
        return frozenset()
    ends = sorted({end for pair in made for end in pair})
    rows = await connection.fetch(_NAMED, [end.kind for end in ends], [end.value for end in ends])
    ids = {Identifier(row["kind"], row["value"]): row["id"] for row in rows}
    known = await known_places(
        connection, [(ids[a], ids[b]) for a, b in made if a in ids and b in ids]
    )
    seeds = {
        ids[end]
        for (a, b), link in made.items()
        if is_news(link, known.get((ids.get(a, 0), ids.get(b, 0))))
        for end in (a, b)
        if end in ids
    }
    if not seeds:
        return frozenset()
    reached = [row["id"] for row in await connection.fetch(_REACH, list(seeds))]
    rows = await connection.fetch(_MEMBERS, reached)
    return frozenset(Identifier(row["kind"], row["value"]) for row in rows)


def is_news(link: Link, known: Place | None) -> bool:
    """Tell whether *link* is a new one, or stands earlier than its pair's *known* place."""
    return known is None or Place(link.at, link.source, link.event_id) < known


async def load_neighbourhood(
    connection: asyncpg.Connection, seeds: Iterable[int], locked: Container[int]
) -> Neighbourhood:
    """Load everything that links connect with the identifiers *seeds*.

    Args:
        connection: In a transaction.
        seeds: Row ids of identifiers whose links have changed.
        locked: Row ids of the identifiers that this transaction has locked.

    Raises:
        NeighbourhoodGrew: it reaches further than *locked*.
    """
    reached = [row["id"] for row in await connection.fetch(_REACH, list(seeds))]
    if not all(id_ in locked for id_ in reached):
        raise NeighbourhoodGrew("identifiers were linked meanwhile: the batch is tried again")
    rows = await connection.fetch(_MEMBERS, reached)
    named = {row["id"]: Identifier(row["kind"], row["value"]) for row in rows}
    links = [
        Link.of(
            named[row["a_id"]],
            named[row["b_id"]],
            Place(instant_of(row["effective_at"]), row["source"], row["event_id"]),
        )
        for row in await connection.fetch(_LINKS, reached)
    ]
    bars = await connection.fetch(_BARS, reached)
    return Neighbourhood(
        row_ids={identifier: id_ for id_, identifier in named.items()},
        customers={named[row["id"]]: row["customer_id"] for row in rows},
        with_history=frozenset(row["customer_id"] for row in rows if row["has_history"]),
        links=links,
        bars=frozenset((named[bar["a_id"]], named[bar["b_id"]]) for bar in bars),
    )
