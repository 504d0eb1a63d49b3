"""Referral edges in PostgreSQL: each from the touchpoint that names a referrer.

An edge is a function of its touchpoint alone, so that neither order nor repetition nor merges
matter: whose the two identifiers are is looked up when it is read.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import uuid4

import asyncpg

from shared.instants import Instant, datetime_of
from shared.touchpoints import Identifier, Place

_INSERT: Final = """
INSERT INTO referrals (referee_id, referrer_kind, referrer_value, at, source, event_id,
                       recorded_at)
SELECT *, $7 FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::text[],
                         $6::text[])
ON CONFLICT (source, event_id) DO NOTHING
"""
_STUB_REFEREE: Final = """
UPDATE referrals SET referee_id = NULL, referee_stub = $2, source = NULL, event_id = NULL
 WHERE referee_id = ANY($1::bigint[])
"""
_STUB_REFERRER: Final = """
UPDATE referrals r SET referrer_kind = NULL, referrer_value = NULL, referrer_stub = $2
  FROM identifiers i
 WHERE i.id = ANY($1::bigint[]) AND r.referrer_kind = i.kind AND r.referrer_value = i.value
"""


class Referral(NamedTuple):
    """That the one with the row id ``referee_id`` was sent by ``referrer``, said at ``place``."""

    referee_id: int
    referrer: Identifier
    place: Place


async def store_referrals(
    connection: asyncpg.Connection, referrals: Iterable[Referral], *, now: Instant
) -> None:
    """Store *referrals*, whose touchpoints were stored just now in the same transaction."""
    rows = [
        (each.referee_id, *each.referrer, datetime_of(each.place.at), *each.place[1:])
        for each in referrals
    ]
    if rows:
        columns = (list(column) for column in zip(*rows, strict=True))
        await connection.execute(_INSERT, *columns, datetime_of(now))


async def leave_stub(connection: asyncpg.Connection, identifier_ids: Sequence[int]) -> None:
    """Take one erased person's name out of all referrals, and leave a stub that chains go through.

    Args:
        connection: In the transaction that erases the person.
        identifier_ids: Row ids of all the person's identifiers, which must still be there.
    """
    stub = uuid4()
    await connection.execute(_STUB_REFERRER, identifier_ids, stub)
    await connection.execute(_STUB_REFEREE, identifier_ids, stub)
