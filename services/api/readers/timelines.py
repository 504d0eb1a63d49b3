"""Timeline pages: keyset reads over touchpoints, transitions and links, merged into one order."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from services.api.moments import moment_text, optional_moment_text
from services.api.readers.customers import ModelRow
from services.api.readers.touchpoints import touchpoint_item
from services.api.timeline import (
    LAST_TEXT,
    Action,
    IdentityItem,
    ItemKey,
    Keyed,
    Kind,
    Order,
    TransitionItem,
    Window,
    window_of,
)
from shared.instants import Instant, datetime_of

_TOUCHPOINTS: Final = """
SELECT effective_at, received_at, occurred_at, sent_at, source, event_id, channel, type, body, text,
       claims.topic, claims.partition, log_offset
  FROM (SELECT own.*
          FROM unnest($1::bigint[]) AS owner (id)
         CROSS JOIN LATERAL (
               SELECT effective_at, received_at, occurred_at, sent_at, log_offset, claim_id,
                      source, event_id, channel, type, body, text
                 FROM touchpoints
                WHERE identifier_id = owner.id
                  AND (effective_at, source, event_id) {behind} ($2, $3, $4)
                  AND effective_at >= $5 AND effective_at < $6
                  AND recorded_at <= $7
                  AND ($8::text[] IS NULL OR channel = ANY($8))
                  AND ($9::text[] IS NULL OR type = ANY($9))
                ORDER BY effective_at {order}, source {order}, event_id {order}
                LIMIT $10) own
         ORDER BY effective_at {order}, source {order}, event_id {order}
         LIMIT $10) page
  JOIN claims ON claims.id = page.claim_id
"""
_TRANSITIONS: Final = """
SELECT * FROM (
    SELECT id, at, decided_at, axis, kind, from_key, to_key, rule, cycle, cause,
           CASE WHEN superseded_at <= $5 THEN superseded_at END AS superseded_at,
           coalesce(cause -> 'touchpoint' ->> 'source', '{last}') COLLATE "C" AS source,
           coalesce(cause -> 'touchpoint' ->> 'event_id', '') COLLATE "C" AS event_id,
           (axis || CASE kind WHEN 'restart' THEN '0' ELSE '1' END || id || '.' || n)
               COLLATE "C" AS tie
      FROM transitions
     WHERE customer_id = $1 AND model_id = $2 AND at >= $3 AND at < $4
       AND decided_at <= $5 AND ($6 OR superseded_at IS NULL OR superseded_at > $7)
       AND NOT EXISTS (SELECT FROM models WHERE models.id = $2 AND state = 'activating')) moved
 WHERE (at, source, event_id, tie) {behind} ($8, $9, $10, $11)
 ORDER BY at {order}, source {order}, event_id {order}, tie {order}
 LIMIT $12
"""
_IDENTITY: Final = """
SELECT happened.*, a.kind AS a_kind, a.value AS a_value, b.kind AS b_kind, b.value AS b_value
  FROM (SELECT * FROM (
            SELECT DISTINCT ON (a_id, b_id)
                   effective_at AS at, CASE WHEN refused THEN 'refused' ELSE 'linked' END AS action,
                   a_id, b_id, source, event_id, id::text COLLATE "C" AS tie, id, reason, actor
              FROM links
             WHERE (a_id = ANY($1) OR b_id = ANY($1)) AND recorded_at <= $2
             ORDER BY a_id, b_id, effective_at, source, event_id) first_links
        UNION ALL
        SELECT recorded_at, CASE WHEN {linked} THEN 'unlinked' ELSE 'barred' END,
               a_id, b_id, '{last}', '', id || '.barred', id, reason, actor
          FROM bars
         WHERE (a_id = ANY($1) OR b_id = ANY($1)) AND recorded_at <= $2
        UNION ALL
        SELECT lifted_at, CASE WHEN {linked} THEN 'linked' ELSE 'unbarred' END,
               a_id, b_id, '{last}', '', id || '.lifted', id, lifted_reason, lifted_by
          FROM bars
         WHERE (a_id = ANY($1) OR b_id = ANY($1)) AND lifted_at <= $2) happened
  JOIN identifiers a ON a.id = a_id
  JOIN identifiers b ON b.id = b_id
 WHERE at >= $3 AND at < $4 AND (at, source, event_id, tie) {behind} ($5, $6, $7, $8)
 ORDER BY at {order}, source {order}, event_id {order}, tie {order}
 LIMIT $9
"""

_DECISIONS: Final = """
SELECT id, min(decided_at) AS decided_at FROM transitions
 WHERE customer_id = $1 AND model_id = $2 AND decided_at <= $3 GROUP BY id
"""


_LINKED: Final = """EXISTS (
                   SELECT FROM links l WHERE l.a_id = bars.a_id AND l.b_id = bars.b_id
                      AND l.recorded_at <= $2)"""


def _both_orders(statement: str) -> dict[Order, str]:
    return {
        "desc": statement.format(behind="<", order="DESC", last=LAST_TEXT, linked=_LINKED),
        "asc": statement.format(behind=">", order="ASC", last=LAST_TEXT, linked=_LINKED),
    }


TOUCHPOINTS: Final = _both_orders(_TOUCHPOINTS)
TRANSITIONS: Final = _both_orders(_TRANSITIONS)
IDENTITY: Final = _both_orders(_IDENTITY)


@dataclass(frozen=True, slots=True)
class TimelineQuestion:
    """Which items of which customer; empty ``channels`` and ``types`` mean all of them.

    ``known_at`` leaves out what was recorded later. Of transitions, those taken back are shown
    where ``superseded`` is true, or where that happened after ``settled_at``.
    """

    customer_id: UUID
    identifier_ids: tuple[int, ...]
    model: ModelRow
    kinds: frozenset[Kind]
    window: Window
    order: Order
    channels: tuple[str, ...]
    types: tuple[str, ...]
    superseded: bool
    known_at: Instant
    settled_at: Instant
    limit: int


async def read_items(connection: asyncpg.Connection, question: TimelineQuestion) -> list[Keyed]:
    """Return at least the first ``limit`` items that *question* asks for, in no order."""
    found: list[Keyed] = []
    if Kind.TOUCHPOINT in question.kinds:
        found += await _touchpoints(connection, question)
    if Kind.TRANSITION in question.kinds:
        found += await _transitions(connection, question)
    if Kind.IDENTITY in question.kinds:
        found += await _identity(connection, question)
    return found


async def _touchpoints(connection: asyncpg.Connection, question: TimelineQuestion) -> list[Keyed]:
    window = window_of(Kind.TOUCHPOINT, question.window, question.order)
    rows = await connection.fetch(
        TOUCHPOINTS[question.order],
        question.identifier_ids,
        *window.bound(question.order)[:3],
        datetime_of(window.start),
        datetime_of(window.end),
        datetime_of(question.known_at),
        question.channels or None,
        question.types or None,
        question.limit,
    )
    return [_touchpoint(row) for row in rows]


def _touchpoint(row: asyncpg.Record) -> Keyed:
    key = ItemKey(row["effective_at"], Kind.TOUCHPOINT, row["source"], row["event_id"], "")
    return key, touchpoint_item(row)


async def _transitions(connection: asyncpg.Connection, question: TimelineQuestion) -> list[Keyed]:
    window = window_of(Kind.TRANSITION, question.window, question.order)
    rows = await connection.fetch(
        TRANSITIONS[question.order],
        question.customer_id,
        question.model.id,
        datetime_of(window.start),
        datetime_of(window.end),
        datetime_of(question.known_at),
        question.superseded,
        datetime_of(question.settled_at),
        *window.bound(question.order),
        question.limit,
    )
    return [_transition(row, question.model) for row in rows]


def _transition(row: asyncpg.Record, model: ModelRow) -> Keyed:
    item = TransitionItem(
        id=row["id"],
        at=moment_text(row["at"]),
        decided_at=moment_text(row["decided_at"]),
        axis=row["axis"],
        move=row["kind"],
        from_=row["from_key"],
        to=row["to_key"],
        rule=row["rule"],
        cycle=row["cycle"],
        cause=msgspec.Raw(row["cause"].encode()),
        superseded_at=optional_moment_text(row["superseded_at"]),
        model=model.key,
        version=model.version,
    )
    return ItemKey(row["at"], Kind.TRANSITION, row["source"], row["event_id"], row["tie"]), item


async def read_decisions(
    connection: asyncpg.Connection, customer_id: UUID, model: ModelRow, known_at: Instant
) -> dict[str, str]:
    """Return for each transition published by *known_at* when it was decided first."""
    rows = await connection.fetch(_DECISIONS, customer_id, model.id, datetime_of(known_at))
    return {row["id"]: moment_text(row["decided_at"]) for row in rows}


async def _identity(connection: asyncpg.Connection, question: TimelineQuestion) -> list[Keyed]:
    window = window_of(Kind.IDENTITY, question.window, question.order)
    rows = await connection.fetch(
        IDENTITY[question.order],
        question.identifier_ids,
        datetime_of(question.known_at),
        datetime_of(window.start),
        datetime_of(window.end),
        *window.bound(question.order),
        question.limit,
    )
    return [_identity_item(row) for row in rows]


def _identity_item(row: asyncpg.Record) -> Keyed:
    action: Action = row["action"]
    by_touchpoint = row["actor"] is None
    item = IdentityItem(
        at=moment_text(row["at"]),
        action=action,
        id=str(row["id"]),
        a=f"{row['a_kind']}:{row['a_value']}",
        b=f"{row['b_kind']}:{row['b_value']}",
        source=row["source"] if by_touchpoint else None,
        event_id=row["event_id"] if by_touchpoint else None,
        reason=row["reason"],
        actor=row["actor"],
    )
    return ItemKey(row["at"], Kind.IDENTITY, row["source"], row["event_id"], row["tie"]), item
