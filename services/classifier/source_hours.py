"""What came from each source in each hour, and how much of it was not as it should be.

An hour is that of receipt, so a backlog that is worked off counts where it came in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import asyncpg

from services.classifier.counts import LONGEST_SOURCE
from services.classifier.reading import Arrival, Item, Refusal, Suppressed, received_at_of
from shared.instants import DAY, Instant, Micros, datetime_of

LATE_AFTER: Final = timedelta(hours=1)
"""How long after it happened a touchpoint may be received without being late."""
ANONYMOUS: Final = "anonymous_id"
KEEP: Final[Micros] = 35 * DAY

_ADD: Final = """
INSERT INTO source_hours (claim_id, source, hour, received, rejected, duplicate, late,
                          unidentified, conflicting)
SELECT $1, * FROM unnest($2::text[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::bigint[],
                         $7::bigint[], $8::bigint[], $9::bigint[])
ON CONFLICT (claim_id, source, hour) DO UPDATE
   SET received = source_hours.received + excluded.received,
       rejected = source_hours.rejected + excluded.rejected,
       duplicate = source_hours.duplicate + excluded.duplicate,
       late = source_hours.late + excluded.late,
       unidentified = source_hours.unidentified + excluded.unidentified,
       conflicting = source_hours.conflicting + excluded.conflicting
"""
_FORGET: Final = "DELETE FROM source_hours WHERE hour < $1"


@dataclass(slots=True)
class HourCount:
    """How many records came; the others are how many of these were not as they should be.

    ``late``: received more than an hour after it happened, and not marked as history.
    ``unidentified``: carries anonymous ids only, or was refused for want of an identifier.
    ``conflicting``: came again under the id of another content.
    """

    received: int = 0
    rejected: int = 0
    duplicate: int = 0
    late: int = 0
    unidentified: int = 0
    conflicting: int = 0


Hours: TypeAlias = Mapping[tuple[str, datetime], HourCount]


def count_by_hour(
    items: Iterable[Item], stored: set[int], conflicting: set[int]
) -> dict[tuple[str, datetime], HourCount]:
    """Count *items* by source and hour.

    Args:
        items: Of one batch.
        stored: The offsets of touchpoints that were new.
        conflicting: The offsets of duplicates with another content than what is stored.
    """
    counts: dict[tuple[str, datetime], HourCount] = {}
    for item in items:
        count = counts.setdefault(_source_and_hour(item), HourCount())
        count.received += 1
        match item:
            case Arrival():
                count.duplicate += item.offset not in stored
                count.conflicting += item.offset in conflicting
                count.late += _is_late(item)
                count.unidentified += all(kind == ANONYMOUS for kind, _ in item.identifiers)
            case Refusal():
                count.rejected += 1
                count.unidentified += _names_nobody(item)
            case Suppressed():
                count.rejected += not item.accepted
    return counts


async def add_hours(connection: asyncpg.Connection, claim_id: int, hours: Hours) -> None:
    """Add *hours* to what stands under the claim."""
    rows = [(*key, *astuple(hours[key])) for key in sorted(hours)]
    if rows:
        columns = (list(column) for column in zip(*rows, strict=True))
        await connection.execute(_ADD, claim_id, *columns)


async def forget_hours(connection: asyncpg.Connection, now: Instant) -> None:
    """Delete what nobody compares with any more."""
    await connection.execute(_FORGET, datetime_of(now - KEEP))


def _source_and_hour(item: Item) -> tuple[str, datetime]:
    source = item.touchpoint.source if isinstance(item, Arrival) else item.source
    at = received_at_of(item)
    return source[:LONGEST_SOURCE], at.replace(minute=0, second=0, microsecond=0)


def _is_late(item: Arrival) -> bool:
    data = item.record.data
    return not data.historical and data.received_at - data.effective_at > LATE_AFTER


def _names_nobody(item: Refusal) -> bool:
    """Tell whether an item was refused because of whom it is about, or is not about."""
    return any(fault.path.partition(".")[0] == "customer" for fault in item.data.errors)
