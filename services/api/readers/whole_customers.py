"""Whole customers: all that a customer's document says, of many customers in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg

from services.api.readers.customers import (
    HEAD_OF_WANTED,
    IDENTIFIERS,
    CustomerHead,
    IdentifierRow,
    head_of,
)
from services.api.readers.journeys import CACHED, OF_HEAD
from services.api.readers.links import BARS_AT, LINKS_AT, BarRow, LinkRow
from services.api.readers.timeline_statements import moved
from shared.errors import NotFound
from shared.touchpoints import Identifier

_OWN: Final = {1: "head.identifier_ids"}
# How many are wanted is hidden from PostgreSQL: a plan for one would look so much cheaper than the
# plan for any number that it would be made anew each time, which takes longer than what it does.
_WHOLE: Final = """
SELECT head.*, ({cached}) AS state,
       (SELECT array_agg(item) FROM ({identifiers}) item) AS identifiers,
       (SELECT array_agg(item) FROM ({links}) item) AS links,
       (SELECT array_agg(item) FROM ({bars}) item) AS bars,
       EXISTS (SELECT FROM referrals WHERE referee_id = ANY(head.identifier_ids))
           OR EXISTS (SELECT FROM referrals WHERE referee_stub = head.customer_id)
           OR EXISTS (SELECT FROM referrals WHERE referrer_stub = head.customer_id)
           OR EXISTS (SELECT FROM identifiers own
                        JOIN referrals ON referrer_kind = own.kind AND referrer_value = own.value
                       WHERE own.id = ANY(head.identifier_ids)) AS is_referred
  FROM unnest((SELECT $2::uuid[]), (SELECT $3::text[]), (SELECT $4::text[])) WITH ORDINALITY
       AS wanted (id, kind, value, place)
  LEFT JOIN LATERAL ({head}) head ON true
 ORDER BY wanted.place
"""
WHOLE: Final = _WHOLE.format(
    head=HEAD_OF_WANTED,
    cached=moved(CACHED, OF_HEAD, 0),
    identifiers=moved(IDENTIFIERS, _OWN, 0),
    links=moved(LINKS_AT, _OWN, 0),
    bars=moved(BARS_AT, _OWN, 0),
)
"""What ``read_whole_customers`` reads, by model and what the references are made of."""


@dataclass(frozen=True, slots=True)
class WholeCustomer:
    """A customer with everything that is at its identifiers.

    ``state`` is that of the journey; None where none is cached. ``is_referred`` tells whether there
    are referrals from or to the customer, which are not read here.
    """

    head: CustomerHead
    state: bytes | None
    identifiers: Sequence[IdentifierRow]
    links: Sequence[LinkRow]
    bars: Sequence[BarRow]
    is_referred: bool


Found: TypeAlias = WholeCustomer | NotFound
"""What a reference leads to."""


async def read_whole_customers(
    connection: asyncpg.Connection, references: Sequence[Identifier | UUID]
) -> list[Found]:
    """Return what each of *references* leads to, in their order.

    Args:
        connection: In any transaction, or none: one statement is of one state of the database.
        references: Identifiers, normalised as ingest does it, or customer ids.
    """
    rows = await connection.fetch(WHOLE, None, *_columns(references))
    return [_found(row) for row in rows]


def _columns(references: Sequence[Identifier | UUID]) -> tuple[list[object], ...]:
    """Return ids, kinds and values; each reference has its id, or the other two."""
    ids: list[object] = [each if isinstance(each, UUID) else None for each in references]
    names = [(None, None) if isinstance(each, UUID) else each for each in references]
    return ids, [kind for kind, _ in names], [value for _, value in names]


def _found(row: asyncpg.Record) -> Found:
    try:
        head = head_of(None if row["customer_id"] is None else row, None)
    except NotFound as error:
        return error
    return WholeCustomer(
        head=head,
        state=row["state"],
        identifiers=[IdentifierRow(*each) for each in row["identifiers"] or ()],
        links=[LinkRow(*each) for each in row["links"] or ()],
        bars=[BarRow(*each) for each in row["bars"] or ()],
        is_referred=row["is_referred"],
    )
