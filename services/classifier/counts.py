"""Counts by source, beside the claim's own, in the same transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from services.classifier.reading import Arrival, Item, Refusal, Suppressed

LONGEST_SOURCE: Final = 600
"""Characters of a source's name that are kept; only one that is none of ours can have more."""

_ADD: Final = """
INSERT INTO source_counts (claim_id, source, accepted, rejected, stored, duplicate, quarantined,
                           erased, last_received_at)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                         $7::bigint[], $8::bigint[], $9::timestamptz[])
ON CONFLICT (claim_id, source) DO UPDATE
   SET accepted = source_counts.accepted + excluded.accepted,
       rejected = source_counts.rejected + excluded.rejected,
       stored = source_counts.stored + excluded.stored,
       duplicate = source_counts.duplicate + excluded.duplicate,
       quarantined = source_counts.quarantined + excluded.quarantined,
       erased = source_counts.erased + excluded.erased,
       last_received_at = greatest(source_counts.last_received_at, excluded.last_received_at)
"""


@dataclass(slots=True)
class SourceCount:
    """What came from one source in one batch, and what became of it."""

    accepted: int = 0
    rejected: int = 0
    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    erased: int = 0
    last_received_at: datetime | None = None

    def receive(self, at: datetime) -> None:
        """Note a record received *at*."""
        self.last_received_at = max(self.last_received_at or at, at)


def count_by_source(items: Iterable[Item], stored: set[int]) -> dict[str, SourceCount]:
    """Count *items* by source; *stored* are the offsets of the touchpoints that were new."""
    counts: dict[str, SourceCount] = {}
    for item in items:
        match item:
            case Arrival():
                count = counts.setdefault(item.touchpoint.source, SourceCount())
                count.accepted += 1
                count.stored += item.offset in stored
                count.duplicate += item.offset not in stored
                count.receive(item.record.data.received_at)
            case Refusal():
                count = counts.setdefault(item.source, SourceCount())
                count.rejected += 1
                count.quarantined += 1
                count.receive(item.data.received_at)
            case Suppressed():
                count = counts.setdefault(item.source, SourceCount())
                count.accepted += item.accepted
                count.rejected += not item.accepted
                count.erased += 1
                count.receive(item.received_at)
    return counts


async def add_counts(
    connection: asyncpg.Connection, claim_id: int, counts: Mapping[str, SourceCount]
) -> None:
    """Add *counts* to what stands under the claim."""
    rows = [
        (
            source[:LONGEST_SOURCE],
            count.accepted,
            count.rejected,
            count.stored,
            count.duplicate,
            count.quarantined,
            count.erased,
            count.last_received_at,
        )
        for source, count in sorted(counts.items())
    ]
    if rows:
        columns = (list(column) for column in zip(*rows, strict=True))
        await connection.execute(_ADD, claim_id, *columns)
