"""Neighbourhoods: all that a new link, a bar, a lifted bar or another policy can change."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from shared.identity.links import Bars, Link, Pair
from shared.identity.neighbourhoods import Neighbourhood
from shared.identity.policy import Policy
from shared.instants import instant_of
from shared.touchpoints import Identifier, Place
from shared.upkeep.transactions import TransactionConflict

_FELLOWS: Final = """
SELECT id, kind, value, customer_id FROM identifiers
 WHERE customer_id IN (
       SELECT customer_id FROM identifiers
         JOIN unnest($1::text[], $2::text[]) AS wanted (kind, value) USING (kind, value))
"""
_LINKS: Final = """
SELECT DISTINCT ON (l.a_id, l.b_id) l.a_id, l.b_id,
       a.kind AS a_kind, a.value AS a_value, b.kind AS b_kind, b.value AS b_value,
       l.effective_at, l.source, l.event_id,
       EXISTS (SELECT FROM bars WHERE bars.a_id = l.a_id AND bars.b_id = l.b_id
                                  AND lifted_at IS NULL) AS barred
  FROM links l JOIN identifiers a ON a.id = l.a_id JOIN identifiers b ON b.id = l.b_id
 WHERE l.a_id = ANY($1::bigint[]) OR l.b_id = ANY($1::bigint[])
 ORDER BY l.a_id, l.b_id, l.effective_at, l.source, l.event_id
"""
_WITH_HISTORY: Final = "SELECT id FROM customers WHERE id = ANY($1)"


@dataclass(frozen=True, slots=True)
class StoredNeighbourhood:
    """Identifiers that links or a customer of now connect, with all that decides their grouping.

    ``links`` hold of each pair the earliest, void ones left out; ``void_pairs`` are the row ids of
    pairs that are barred, or touch a blocked value.
    """

    row_ids: Mapping[Identifier, int]
    customers: Mapping[Identifier, UUID]
    with_history: frozenset[UUID]
    links: Sequence[Link]
    bars: Bars
    void_pairs: frozenset[tuple[int, int]]


class NeighbourhoodGrew(TransactionConflict):
    """Someone linked more to it between looking and locking; look again."""

    code = "neighbourhood_grew"


async def load_neighbourhood(
    connection: asyncpg.Connection, seeds: Iterable[Identifier], policy: Policy
) -> StoredNeighbourhood:
    """Load everything that *seeds* are connected with; those that are not enrolled are left out.

    Besides what live links connect, every identifier of a customer that is met belongs to it: what
    held a customer together may be void by now.

    Args:
        connection: In a transaction. Only reads: nothing is locked, so that everything can be
            locked in one order afterwards.
        seeds: Identifiers whose links or bars change.
        policy: Says which links are void.
    """
    near = Neighbourhood(seeds, policy)
    rows: dict[Identifier, asyncpg.Record] = {}
    links: dict[tuple[int, int], Link] = {}
    bars: set[Pair] = set()
    while near.frontier:
        for row in await connection.fetch(_FELLOWS, *_columns(near.frontier)):
            rows[Identifier(row["kind"], row["value"])] = row
        near.add(rows)
        ids = [rows[member]["id"] for member in near.frontier if member in rows]
        found = await connection.fetch(_LINKS, ids)
        links.update(((row["a_id"], row["b_id"]), _link(row)) for row in found)
        bars.update(_link(row).pair for row in found if row["barred"])
        near.extend([_link(row) for row in found], frozenset(bars))
    live = near.links
    customers = {identifier: row["customer_id"] for identifier, row in rows.items()}
    with_history = await connection.fetch(_WITH_HISTORY, list(set(customers.values())))
    return StoredNeighbourhood(
        row_ids={identifier: row["id"] for identifier, row in rows.items()},
        customers=customers,
        with_history=frozenset(row["id"] for row in with_history),
        links=sorted(live),
        bars=frozenset(bars),
        void_pairs=frozenset(ids for ids, link in links.items() if link not in live),
    )


def _columns(identifiers: Iterable[Identifier]) -> tuple[list[str], list[str]]:
    listed = list(identifiers)
    return [each.kind for each in listed], [each.value for each in listed]


def _link(row: asyncpg.Record) -> Link:
    return Link.of(
        Identifier(row["a_kind"], row["a_value"]),
        Identifier(row["b_kind"], row["b_value"]),
        Place(instant_of(row["effective_at"]), row["source"], row["event_id"]),
    )
