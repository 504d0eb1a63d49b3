"""Receipts: what became of one touchpoint, from everything that is stored about its identity."""

from dataclasses import dataclass
from typing import Final

import asyncpg

from shared.instants import Instant, instant_of

_VERDICT: Final = """
SELECT (SELECT effective_at FROM touchpoints WHERE source = $1 AND event_id = $2) AS effective_at,
       EXISTS (SELECT FROM quarantine WHERE source = $1 AND event_id = $2)
       OR EXISTS (SELECT FROM erasures WHERE digest = $3) AS settled
"""
_STORED: Final = """
SELECT t.received_at, t.effective_at, t.log_offset, claims.topic, claims.partition, i.customer_id
  FROM touchpoints t
  JOIN claims ON claims.id = t.claim_id
  JOIN identifiers i ON i.id = t.identifier_id
 WHERE t.source = $1 AND t.event_id = $2
"""
_DUPLICATES: Final = """
SELECT seen, conflicts, last_seen_at, last_conflict FROM duplicates
 WHERE source = $1 AND event_id = $2
"""
_QUARANTINED: Final = """
SELECT q.id, q.reason, q.message, q.received_at, q.status, q.event_id, q.redriven_event_id,
       q.log_offset, claims.topic, claims.partition
  FROM quarantine q LEFT JOIN claims ON claims.id = q.claim_id
 WHERE q.source = $1 AND (q.event_id = $2 OR q.redriven_event_id = $2)
 ORDER BY q.received_at, q.id
"""
_ERASED: Final = "SELECT EXISTS (SELECT FROM erasures WHERE digest = $1)"
_EFFECTS: Final = """
SELECT t.id, t.at, t.decided_at, t.axis, t.kind, t.from_key, t.to_key, t.rule, t.cycle, t.cause,
       t.superseded_at, models.key AS model, models.version
  FROM transitions t JOIN models ON models.id = t.model_id
 WHERE t.customer_id = $3 AND t.superseded_at IS NULL AND models.state = 'active'
   AND t.cause -> 'touchpoint' ->> 'source' = $1 AND t.cause -> 'touchpoint' ->> 'event_id' = $2
 ORDER BY models.key, t.at, t.axis, (t.kind <> 'restart'), t.id
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """That a touchpoint has been classified; ``effective_at`` only if it was stored."""

    effective_at: Instant | None


@dataclass(frozen=True, slots=True)
class ReceiptRows:
    """What is stored about one identity; all of it empty for one that was never read."""

    stored: asyncpg.Record | None
    duplicates: asyncpg.Record | None
    quarantined: list[asyncpg.Record]
    effects: list[asyncpg.Record]
    erased: bool = False


async def find_verdict(
    connection: asyncpg.Connection, source: str, event_id: str, digest: bytes
) -> Verdict | None:
    """Return the verdict on a touchpoint; None while it has not been read."""
    row = await connection.fetchrow(_VERDICT, source, event_id, digest)
    if row["effective_at"] is not None:
        return Verdict(instant_of(row["effective_at"]))
    return Verdict(None) if row["settled"] else None


async def read_receipt(
    connection: asyncpg.Connection, source: str, event_id: str, digest: bytes
) -> ReceiptRows:
    """Read everything stored about the identity ``(source, event_id)``, whose *digest* is given."""
    stored = await connection.fetchrow(_STORED, source, event_id)
    duplicates = await connection.fetchrow(_DUPLICATES, source, event_id)
    quarantined = await connection.fetch(_QUARANTINED, source, event_id)
    effects = []
    if stored is not None:
        effects = await connection.fetch(_EFFECTS, source, event_id, stored["customer_id"])
    erased = await connection.fetchval(_ERASED, digest)
    return ReceiptRows(stored, duplicates, quarantined, effects, erased)
