"""Neighbourhoods: all that a new link, a bar or a lifted bar can change, loaded and locked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from shared.identity.links import Bars, Link
from shared.instants import instant_of
from shared.touchpoints import Identifier, Place

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
_LOCK: Final = """
SELECT i.id, i.kind, i.value, i.customer_id, c.id IS NOT NULL AS has_history
  FROM identifiers i LEFT JOIN customers c ON c.id = i.customer_id
 WHERE i.id = ANY($1)
 ORDER BY i.id
   FOR UPDATE OF i
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


async def load_neighbourhood(connection: asyncpg.Connection, seeds: Iterable[int]) -> Neighbourhood:
    """Lock and load everything that links connect with the identifiers *seeds*."""
    reached: list[int] = sorted(seeds)
    while True:
        rows = await connection.fetch(_LOCK, reached)
        wider = [row["id"] for row in await connection.fetch(_REACH, reached)]
        if wider == reached:
            break
        reached = wider
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
