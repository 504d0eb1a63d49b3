"""Customers: their cached profiles, in the transaction that changes their touchpoints."""

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

import asyncpg

from shared.instants import Instant, datetime_of
from shared.profiles import Profile

_LOCK: Final = "SELECT id, profile FROM customers WHERE id = ANY($1) ORDER BY id FOR UPDATE"
_SAVE: Final = """
INSERT INTO customers (id, profile, touchpoints, first_at, first_channel, last_at, updated_at)
SELECT id, profile::json, touchpoints, first_at, first_channel, last_at, $7
  FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[], $5::text[],
              $6::timestamptz[])
    AS given (id, profile, touchpoints, first_at, first_channel, last_at)
ON CONFLICT (id) DO UPDATE
   SET profile = excluded.profile, touchpoints = excluded.touchpoints,
       first_at = excluded.first_at, first_channel = excluded.first_channel,
       last_at = excluded.last_at, updated_at = excluded.updated_at
"""


async def lock_profiles(
    connection: asyncpg.Connection, customer_ids: Iterable[UUID]
) -> dict[UUID, Profile]:
    """Load the profiles of those customers that have one, and keep them locked."""
    rows = await connection.fetch(_LOCK, list(customer_ids))
    return {row["id"]: Profile.decode(row["profile"]) for row in rows}


async def save_profiles(
    connection: asyncpg.Connection, profiles: Mapping[UUID, Profile], *, now: Instant
) -> None:
    """Write *profiles* over what is stored, always in the same order."""
    if not profiles:
        return
    rows = [_row(customer_id, profiles[customer_id]) for customer_id in sorted(profiles)]
    columns = (list(column) for column in zip(*rows, strict=True))
    await connection.execute(_SAVE, *columns, datetime_of(now))


def _row(customer_id: UUID, profile: Profile) -> tuple[object, ...]:
    return (
        customer_id,
        profile.encode(),
        profile.total,
        datetime_of(profile.first.at),
        profile.first.channel,
        datetime_of(profile.last.at),
    )
