"""Companions: identifiers that the customer's touchpoints carried beside the customer's own.

A link to them was refused, or the source does not link. Once those touchpoints are gone, a
companion is known as long as others carry it, and known no more if nobody does.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from shared.touchpoints import Identifier
from shared.upkeep.transactions import TransactionConflict

Span: TypeAlias = tuple[datetime, datetime]
"""The first and the last time at which others carried an identifier."""

_CARRIED: Final = """
SELECT DISTINCT i.id, i.kind, i.value
  FROM touchpoints t
 CROSS JOIN LATERAL json_array_elements_text(t.body -> 'identifiers') AS carried (name)
  JOIN identifiers i ON i.kind = split_part(name, ':', 1)
                    AND i.value = substr(name, strpos(name, ':') + 1)
 WHERE t.identifier_id = ANY($1::bigint[]) AND i.id <> ALL($1::bigint[])
"""
_SEEN: Final = """
SELECT wanted.id, min(t.effective_at) AS first, max(t.effective_at) AS last
  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS wanted (id, name, pattern)
  JOIN touchpoints t ON t.body::text LIKE wanted.pattern
   AND wanted.name IN (SELECT json_array_elements_text(t.body -> 'identifiers'))
 WHERE t.recorded_at >= $4 AND t.identifier_id <> ALL($5::bigint[])
 GROUP BY wanted.id
"""
_BY_HAND: Final = """
SELECT wanted.id, min(links.effective_at) AS first, max(links.effective_at) AS last
  FROM unnest($1::bigint[]) AS wanted (id)
  JOIN links ON wanted.id IN (links.a_id, links.b_id)
 GROUP BY wanted.id
"""
_KEEP: Final = """
UPDATE identifiers i SET first_seen_at = seen.first, last_seen_at = seen.last
  FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS seen (id, first, last)
 WHERE i.id = seen.id
"""
_UNKNOWN: Final = """
SELECT id, own_id FROM identifiers i
 WHERE id = ANY($1::bigint[])
   AND NOT EXISTS (SELECT FROM touchpoints WHERE identifier_id = i.id)
   AND NOT EXISTS (SELECT FROM bars WHERE i.id IN (a_id, b_id))
   AND NOT EXISTS (SELECT FROM referrals WHERE referee_id = i.id)
 ORDER BY kind COLLATE "C", value COLLATE "C" FOR UPDATE
"""
_encoder: Final = msgspec.json.Encoder()


async def find_companions(
    connection: asyncpg.Connection,
    identifier_ids: Sequence[int],
    since: datetime,
    *,
    timeout_seconds: float,
) -> Mapping[int, Span | None]:
    """Return the row ids of companions, and when others carried them.

    Args:
        connection: In the transaction that searches.
        identifier_ids: Row ids of the customer's own identifiers.
        since: Only what was recorded from then on counts.
        timeout_seconds: How long the search may take.
    """
    rows = await connection.fetch(_CARRIED, identifier_ids)
    if not rows:
        return {}
    ids = [row["id"] for row in rows]
    names = [Identifier(row["kind"], row["value"]) for row in rows]
    wanted = ids, list(map(str, names)), list(map(pattern_of, names))
    seen = await connection.fetch(_SEEN, *wanted, since, identifier_ids, timeout=timeout_seconds)
    return {**dict.fromkeys(ids), **{row["id"]: (row["first"], row["last"]) for row in seen}}


def joined(
    before: Mapping[int, Span | None], since: Mapping[int, Span | None]
) -> Mapping[int, Span | None]:
    """Return what two searches found, one of what was recorded before, one of what was since.

    Raises:
        TransactionConflict: there are companions that were not looked for in all there is.
    """
    if before.keys() != since.keys():
        raise TransactionConflict("a touchpoint of the customer came meanwhile")
    spans = {id_: [span for span in (before[id_], since[id_]) if span] for id_ in before}
    return {
        id_: (min(first for first, _ in found), max(last for _, last in found)) if found else None
        for id_, found in spans.items()
    }


async def leave_companions(
    connection: asyncpg.Connection, companions: Mapping[int, Span | None]
) -> tuple[list[int], list[UUID]]:
    """Let companions have been seen only by others; after the customer's rows are deleted.

    Returns:
        Row ids and customer ids of those that nobody knows any more, to be deleted.
    """
    unseen = [id_ for id_, span in companions.items() if span is None]
    by_hand = await connection.fetch(_BY_HAND, unseen)
    spans = {id_: span for id_, span in companions.items() if span is not None}
    spans |= {row["id"]: (row["first"], row["last"]) for row in by_hand}
    firsts, lasts = [first for first, _ in spans.values()], [last for _, last in spans.values()]
    await connection.execute(_KEEP, list(spans), firsts, lasts)
    rows = await connection.fetch(_UNKNOWN, [id_ for id_ in unseen if id_ not in spans])
    return [row["id"] for row in rows], [row["own_id"] for row in rows]


def pattern_of(name: Identifier) -> str:
    """Return the LIKE pattern of *name* as a JSON string."""
    text = _encoder.encode(str(name)).decode()
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"
