"""Claims: how far the log was read, and what became of its records."""

from typing import Final

import asyncpg

from services.api.ledger import LedgerRow, PartitionClaim

_CLAIMS: Final = """
SELECT topic, partition, next_offset, stored, duplicate, quarantined, erased, gaps,
       log_id = first_value(log_id) OVER (ORDER BY claimed_at DESC NULLS LAST, id DESC) AS present
  FROM claims ORDER BY present DESC, topic, partition, id
"""
_SOURCES: Final = """
SELECT source, sum(accepted)::bigint AS accepted, sum(rejected)::bigint AS rejected,
       sum(stored)::bigint AS stored, sum(duplicate)::bigint AS duplicate,
       sum(quarantined)::bigint AS quarantined, sum(erased)::bigint AS erased
  FROM source_counts GROUP BY source ORDER BY source
"""


async def read_claims(connection: asyncpg.Connection) -> list[PartitionClaim]:
    """Return the counts of every claim.

    A log that was made anew under the same topic has claims of its own; those of the former one
    stay as they are.
    """
    return [_claim(row) for row in await connection.fetch(_CLAIMS)]


def _claim(row: asyncpg.Record) -> PartitionClaim:
    counts = LedgerRow(
        row["stored"], row["duplicate"], row["quarantined"], row["erased"], row["gaps"]
    )
    return PartitionClaim(
        topic=row["topic"],
        partition=row["partition"],
        next_offset=row["next_offset"],
        classified=counts,
        present=row["present"],
    )


async def read_source_counts(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Return what every source sent and what became of it, by name."""
    rows: list[asyncpg.Record] = await connection.fetch(_SOURCES)
    return rows
