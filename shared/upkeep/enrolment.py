"""Enrolment: every identifier has a row, and who works with it has it locked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from shared.identity.identifiers import identifier_id
from shared.instants import EARLIEST, LATEST, Instant, datetime_of
from shared.touchpoints import Identifier

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


class Seen(NamedTuple):
    """The first and the last time an identifier was seen, of those that are news."""

    first: Instant
    last: Instant


@dataclass(frozen=True, slots=True)
class Members:
    """The identifiers of one batch and their neighbours: row ids, and the customers they belong to.

    Their rows stay locked until the transaction ends, so that no other batch can regroup them.
    """

    row_ids: Mapping[Identifier, int]
    customers: Mapping[Identifier, UUID]


_UNSEEN: Final = Seen(LATEST, EARLIEST)
"""Leaves the times of an identifier that is enrolled as they are."""
_own_id: Final = lru_cache(maxsize=100_000)(identifier_id)


async def enrol(
    connection: asyncpg.Connection,
    seen: Mapping[Identifier, Seen],
    neighbours: Iterable[Identifier],
    *,
    now: Instant,
) -> Members:
    """Make sure that every identifier in *seen* has a row; lock these rows and *neighbours*.

    All are locked by one statement in one order, the same in every process, so that two
    transactions may wait for each other but never in a circle.
    """
    wanted = {**dict.fromkeys(neighbours, _UNSEEN), **seen}
    if not wanted:
        return Members({}, {})
    rows = [
        (*identifier, _own_id(identifier), datetime_of(first), datetime_of(last))
        for identifier, (first, last) in sorted(wanted.items())
    ]
    columns = (list(column) for column in zip(*rows, strict=True))
    enrolled = await connection.fetch(_ENROL, *columns, datetime_of(now))
    named = [(Identifier(row["kind"], row["value"]), row) for row in enrolled]
    return Members(
        {identifier: row["id"] for identifier, row in named},
        {identifier: row["customer_id"] for identifier, row in named},
    )
