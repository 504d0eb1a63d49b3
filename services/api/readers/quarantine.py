"""The quarantine: refused items, newest first, and how many there are for each reason."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from shared.errors import NotFound
from shared.instants import Instant, datetime_of

_SELECTED: Final = """
 WHERE ($1::text IS NULL OR reason = $1)
   AND ($2::text IS NULL OR source = $2)
   AND ($3::text IS NULL OR status = $3)
   AND received_at >= $4
"""


def _of_selected(statement: str) -> str:
    return statement.format(selected=_SELECTED)


_PAGE: Final = _of_selected("""
SELECT id, reason, source, event_id, received_at, status FROM quarantine {selected}
   AND received_at <= $5 AND (received_at < $5 OR id > $6)
 ORDER BY received_at DESC, id
 LIMIT $7
""")
_GROUPS: Final = _of_selected("""
SELECT reason, count(*) AS count FROM quarantine {selected}
 GROUP BY reason ORDER BY count DESC, reason
""")
_ONE: Final = """
SELECT q.id, q.reason, q.message, q.source, q.event_id, q.received_at, q.recorded_at, q.status,
       q.errors, q.raw, q.raw_length, q.raw_sha256, q.format, q.item, q.settled_at,
       q.settled_reason, q.redriven_event_id, q.log_offset, claims.topic, claims.partition
  FROM quarantine q LEFT JOIN claims ON claims.id = q.claim_id
 WHERE q.id = $1
"""


_OPEN: Final = _of_selected("""
SELECT id, count(*) OVER () AS matched FROM quarantine {selected} AND status = 'open'
 ORDER BY received_at, id LIMIT $5
""")


@dataclass(frozen=True, slots=True)
class QuarantineFilter:
    """Which items: None means any; ``since`` is the earliest ``received_at``."""

    reason: str | None
    source: str | None
    status: str | None
    since: Instant

    def arguments(self) -> tuple[object, ...]:
        """Return what the statements take first."""
        return (self.reason, self.source, self.status, datetime_of(self.since))


class QuarantineMark(msgspec.Struct, frozen=True, array_like=True):
    """The last item of a page."""

    received_at: Instant
    id: UUID


async def read_quarantine(
    connection: asyncpg.Connection, wanted: QuarantineFilter, after: QuarantineMark, limit: int
) -> list[asyncpg.Record]:
    """Return up to *limit* items behind *after*, the newest first."""
    rows: list[asyncpg.Record] = await connection.fetch(
        _PAGE, *wanted.arguments(), datetime_of(after.received_at), after.id, limit
    )
    return rows


async def count_by_reason(
    connection: asyncpg.Connection, wanted: QuarantineFilter
) -> list[asyncpg.Record]:
    """Return how many items there are for each reason, the most frequent first."""
    rows: list[asyncpg.Record] = await connection.fetch(_GROUPS, *wanted.arguments())
    return rows


async def read_quarantined(connection: asyncpg.Connection, quarantine_id: UUID) -> asyncpg.Record:
    """Return one item with its raw bytes and errors.

    Raises:
        NotFound: no item has that id.
    """
    row = await connection.fetchrow(_ONE, quarantine_id)
    if row is None:
        raise NotFound("no quarantined item has that id")
    return row


async def select_open(
    connection: asyncpg.Connection, wanted: QuarantineFilter, limit: int
) -> tuple[int, list[UUID]]:
    """Return how many open items *wanted* selects, and the ids of the oldest of them."""
    rows = await connection.fetch(_OPEN, *wanted.arguments(), limit)
    return (rows[0]["matched"] if rows else 0), [row["id"] for row in rows]
