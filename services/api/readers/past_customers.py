"""Customers as they were known: folded from the links and bars that had been recorded by then."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from shared.errors import NotFound
from shared.identity.components import resolve
from shared.identity.links import Bars, Link, Pair, pair_of
from shared.identity.neighbourhoods import Neighbourhood
from shared.identity.policy import Policy
from shared.instants import Instant, datetime_of, instant_of
from shared.touchpoints import Identifier, Place

_BY_IDENTIFIER: Final = "SELECT id, kind, value FROM identifiers WHERE kind = $1 AND value = $2"
_BY_ID: Final = "SELECT id, kind, value FROM identifiers WHERE own_id = $1"
_LINKS: Final = """
SELECT a.id AS a_id, a.kind AS a_kind, a.value AS a_value,
       b.id AS b_id, b.kind AS b_kind, b.value AS b_value,
       l.effective_at, l.source, l.event_id
  FROM links l JOIN identifiers a ON a.id = l.a_id JOIN identifiers b ON b.id = l.b_id
 WHERE (l.a_id = ANY($1::bigint[]) OR l.b_id = ANY($1::bigint[])) AND l.recorded_at <= $2
"""
_BARS: Final = """
SELECT a.kind AS a_kind, a.value AS a_value, b.kind AS b_kind, b.value AS b_value
  FROM bars JOIN identifiers a ON a.id = bars.a_id JOIN identifiers b ON b.id = bars.b_id
 WHERE (bars.a_id = ANY($1::bigint[]) OR bars.b_id = ANY($1::bigint[]))
   AND bars.recorded_at <= $2 AND (bars.lifted_at IS NULL OR bars.lifted_at > $2)
"""


@dataclass(frozen=True, slots=True)
class PastCustomer:
    """Who a customer was taken for: its id, and the row ids of its identifiers.

    ``refused`` are the pairs around it whose links a guard refused.
    """

    customer_id: UUID
    identifier_ids: tuple[int, ...]
    refused: frozenset[Pair]


async def find_past_customer(
    connection: asyncpg.Connection,
    reference: Identifier | UUID,
    policy: Policy,
    known_at: Instant,
) -> PastCustomer:
    """Return whom *reference* was known to be at *known_at*.

    Args:
        connection: In the transaction that reads the rest of the answer too.
        reference: Of a customer who is there now; an identifier, or the id of one.
        policy: Says what may be one customer.
        known_at: What was recorded later does not count.

    Raises:
        NotFound: there is no such identifier any more.
    """
    if isinstance(reference, UUID):
        row = await connection.fetchrow(_BY_ID, reference)
    else:
        row = await connection.fetchrow(_BY_IDENTIFIER, *reference)
    if row is None:
        raise NotFound("no identifier has that id")
    seed = Identifier(row["kind"], row["value"])
    row_ids = {seed: row["id"]}
    moment = datetime_of(known_at)
    near = Neighbourhood([seed], policy)
    bars: Bars = frozenset()
    while near.frontier:
        frontier = [row_ids[identifier] for identifier in near.frontier]
        links = await connection.fetch(_LINKS, frontier, moment)
        row_ids.update(entry for link in links for entry in _ends(link))
        bars |= _bars(await connection.fetch(_BARS, frontier, moment))
        near.extend(map(_link, links), bars)
    resolution = resolve(near.links, bars, policy, alone=near.members)
    customer = resolution.customer_of(seed)
    return PastCustomer(
        customer.id,
        tuple(sorted(row_ids[name] for name in customer.identifiers)),
        frozenset(link.pair for link in resolution.refused),
    )


def _ends(row: asyncpg.Record) -> Iterable[tuple[Identifier, int]]:
    a, b = _pair(row)
    return (a, row["a_id"]), (b, row["b_id"])


def _pair(row: asyncpg.Record) -> tuple[Identifier, Identifier]:
    return (
        Identifier(row["a_kind"], row["a_value"]),
        Identifier(row["b_kind"], row["b_value"]),
    )


def _link(row: asyncpg.Record) -> Link:
    at: datetime = row["effective_at"]
    return Link.of(*_pair(row), Place(instant_of(at), row["source"], row["event_id"]))


def _bars(rows: Iterable[asyncpg.Record]) -> Bars:
    return frozenset(pair_of(*_pair(row)) for row in rows)
