"""Removal of all that certain sources ever sent, as if they had never been there.

What is removed is whole groups of identifiers that links or bars connect. A group in which another
source knows anybody stays as it is, with everything in it: nobody's history is touched. The
ledger's counts never change, because what was counted was received.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_HOLD: Final = "LOCK TABLE identifiers IN EXCLUSIVE MODE"
_NAMED: Final = """
SELECT identifier_id FROM touchpoints WHERE starts_with(source, :prefix)
UNION SELECT a_id FROM links WHERE starts_with(source, :prefix)
UNION SELECT b_id FROM links WHERE starts_with(source, :prefix)
"""
_CONNECTED: Final = """
WITH RECURSIVE reached (id) AS (
    SELECT unnest(CAST(:ids AS bigint[]))
    UNION
    SELECT near.id FROM reached, LATERAL (
        SELECT b_id AS id FROM links WHERE a_id = reached.id
        UNION ALL SELECT a_id FROM links WHERE b_id = reached.id
        UNION ALL SELECT b_id FROM bars WHERE a_id = reached.id
        UNION ALL SELECT a_id FROM bars WHERE b_id = reached.id) AS near
) SELECT id FROM reached
"""
_KNOWN_TO_OTHERS: Final = """
SELECT DISTINCT identifier_id FROM touchpoints
 WHERE identifier_id = ANY(CAST(:ids AS bigint[])) AND NOT starts_with(source, :prefix)
"""
_KEPT: Final = """
SELECT i.customer_id, count(*) AS touchpoints
  FROM identifiers i JOIN touchpoints t ON t.identifier_id = i.id
 WHERE i.id = ANY(CAST(:ids AS bigint[])) AND starts_with(t.source, :prefix)
 GROUP BY i.customer_id ORDER BY i.customer_id
"""
_CUSTOMERS: Final = """
SELECT customer_id FROM identifiers WHERE id = ANY(CAST(:ids AS bigint[]))
UNION SELECT own_id FROM identifiers WHERE id = ANY(CAST(:ids AS bigint[]))
"""

_OF_CUSTOMERS: Final = "DELETE FROM {} WHERE customer_id = ANY(CAST(:customers AS uuid[]))"
_OF_ENDS: Final = """
DELETE FROM {} WHERE a_id = ANY(CAST(:ids AS bigint[])) OR b_id = ANY(CAST(:ids AS bigint[]))
"""
_OF_SOURCES: Final = "DELETE FROM {} WHERE starts_with(source, :prefix)"
_REMOVALS: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Journeys first: timers hold their rows while they publish what stands behind.
        **{
            table: _OF_CUSTOMERS.format(table)
            for table in (
                "journeys",
                "snapshots",
                "transitions",
                "components",
                "outbox",
                "diff_customers",
            )
        },
        "customers": "DELETE FROM customers WHERE id = ANY(CAST(:customers AS uuid[]))",
        "touchpoints": "DELETE FROM touchpoints WHERE identifier_id = ANY(CAST(:ids AS bigint[]))",
        "referrals": "DELETE FROM referrals WHERE referee_id = ANY(CAST(:ids AS bigint[]))",
        "duplicates": """
            DELETE FROM duplicates d WHERE starts_with(source, :prefix) AND NOT EXISTS (
                SELECT FROM touchpoints t WHERE (t.source, t.event_id) = (d.source, d.event_id))
            """,
        "quarantine": _OF_SOURCES.format("quarantine"),
        **{table: _OF_ENDS.format(table) for table in ("bars", "links")},
        "identifiers": "DELETE FROM identifiers WHERE id = ANY(CAST(:ids AS bigint[]))",
        "keys": _OF_SOURCES.format("keys"),
        "sources": "DELETE FROM sources WHERE starts_with(name, :prefix)",
    }
)
"""What deletes the rows of each table, in this order."""


class KeptCustomer(NamedTuple):
    """A customer whom other sources know or are connected with.

    ``touchpoints`` counts those of the removed sources that they still have.
    """

    customer_id: UUID
    touchpoints: int


@dataclass(frozen=True, slots=True)
class RemovalCounts:
    """What a removal did: rows gone by table, and the customers that were left as they are."""

    removed: Mapping[str, int]
    kept: tuple[KeptCustomer, ...]


async def remove_sources(connection: AsyncConnection, prefix: str) -> RemovalCounts:
    """Remove all that came from the sources whose names begin with *prefix*, and these sources.

    Classification waits meanwhile, reading goes on. Records of these sources that still lie in the
    log will be classified later as if nothing had been removed.

    Args:
        connection: In a transaction of its own, in which nothing was read or written before.
        prefix: Not empty.

    Raises:
        ValueError: *prefix* is empty, which would mean everything.
    """
    if not prefix:
        raise ValueError("an empty prefix would remove everything")
    await connection.execute(text(_HOLD))
    named = await _ids(connection, _NAMED, prefix=prefix)
    group = await _ids(connection, _CONNECTED, ids=named)
    others = await _ids(connection, _KNOWN_TO_OTHERS, ids=group, prefix=prefix)
    kept = await _ids(connection, _CONNECTED, ids=others)
    found = await connection.execute(text(_KEPT), {"ids": sorted(kept), "prefix": prefix})
    kept_customers = tuple(KeptCustomer(row.customer_id, row.touchpoints) for row in found)
    return RemovalCounts(await _remove(connection, group - kept, prefix), kept_customers)


async def _remove(
    connection: AsyncConnection, identifiers: Collection[int], prefix: str
) -> Mapping[str, int]:
    ids = sorted(identifiers)
    customers = await connection.execute(text(_CUSTOMERS), {"ids": ids})
    values = {"ids": ids, "customers": list(customers.scalars()), "prefix": prefix}
    removed: dict[str, int] = {}
    for table, statement in _REMOVALS.items():
        wanted = {name: value for name, value in values.items() if f":{name}" in statement}
        removed[table] = (await connection.execute(text(statement), wanted)).rowcount
    return removed


async def _ids(connection: AsyncConnection, query: str, **values: object) -> set[int]:
    given = {name: sorted(v) if isinstance(v, set) else v for name, v in values.items()}
    return set((await connection.execute(text(query), given)).scalars())
