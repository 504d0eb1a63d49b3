"""Identities: which identifiers are one customer, kept true as links arrive."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from uuid import UUID

import asyncpg

from services.classifier.reading import Arrival
from shared.identity.identifiers import identifier_id
from shared.instants import EARLIEST, LATEST, Instant, datetime_of
from shared.touchpoints import Identifier, Touchpoint
from shared.upkeep.grouping import Regroup

_ENROL: Final = """
INSERT INTO identifiers (kind, value, own_id, customer_id, first_seen_at, last_seen_at,
                         recorded_at)
SELECT kind, value, own_id, own_id, first_seen_at, last_seen_at, $6
  FROM unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[], $5::timestamptz[])
    AS given (kind, value, own_id, first_seen_at, last_seen_at)
 ORDER BY kind COLLATE "C", value COLLATE "C"
ON CONFLICT (kind, value) DO UPDATE
   SET first_seen_at = least(identifiers.first_seen_at, excluded.first_seen_at),
       last_seen_at = greatest(identifiers.last_seen_at, excluded.last_seen_at)
RETURNING id, kind, value, customer_id
"""


@dataclass(frozen=True, slots=True)
class Members:
    """The identifiers of one batch and their neighbours: row ids, and the customers they belong to.

    Their rows stay locked until the transaction ends, so that no other batch can regroup them.
    """

    row_ids: Mapping[Identifier, int]
    customers: Mapping[Identifier, UUID]


@dataclass(frozen=True, slots=True)
class Growth:
    """What a batch did to customers.

    ``additions`` are new touchpoints, in canonical order, of customers that are the same
    otherwise; the customers in ``regroups`` have to be folded from their whole history.
    """

    additions: Mapping[UUID, list[Touchpoint]]
    regroups: tuple[Regroup, ...] = field(default=())


_own_id: Final = lru_cache(maxsize=100_000)(identifier_id)


async def enrol(
    connection: asyncpg.Connection,
    arrivals: Iterable[Arrival],
    neighbours: Iterable[Identifier],
    *,
    now: Instant,
) -> Members:
    """Make sure that every identifier of *arrivals* has a row; lock these rows and *neighbours*.

    All are locked by one statement in one order, the same in every process, so that two batches
    may wait for each other but never in a circle.
    """
    seen: dict[Identifier, tuple[Instant, Instant]] = {}
    for arrival in arrivals:
        at = arrival.touchpoint.at
        for identifier in arrival.identifiers:
            first, last = seen.get(identifier, (at, at))
            seen[identifier] = (min(first, at), max(last, at))
    if not seen:
        return Members({}, {})
    for neighbour in neighbours:
        seen.setdefault(neighbour, (LATEST, EARLIEST))  # leaves its times as they are
    rows = [
        (*identifier, _own_id(identifier), datetime_of(first), datetime_of(last))
        for identifier, (first, last) in sorted(seen.items())
    ]
    columns = (list(column) for column in zip(*rows, strict=True))
    enrolled = await connection.fetch(_ENROL, *columns, datetime_of(now))
    named = [(Identifier(row["kind"], row["value"]), row) for row in enrolled]
    return Members(
        {identifier: row["id"] for identifier, row in named},
        {identifier: row["customer_id"] for identifier, row in named},
    )


def additions_of(
    arrivals: Iterable[Arrival],
    customers: Mapping[Identifier, UUID],
    regrouped: Collection[UUID] = frozenset(),
) -> dict[UUID, list[Touchpoint]]:
    """Group new touchpoints by customer, leaving out customers that are folded anew anyway."""
    additions: dict[UUID, list[Touchpoint]] = {}
    for arrival in arrivals:
        customer_id = customers[arrival.identifiers[0]]
        if customer_id not in regrouped:
            additions.setdefault(customer_id, []).append(arrival.touchpoint)
    for touchpoints in additions.values():
        touchpoints.sort(key=lambda touchpoint: touchpoint.place)
    return additions
