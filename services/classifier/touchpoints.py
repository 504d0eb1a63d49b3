"""Stored touchpoints: the first arrival of an identity is stored, every later one is counted."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from services.classifier.reading import Arrival
from shared.instants import Instant, datetime_of
from shared.records import TouchpointData
from shared.touchpoints import Identifier, JsonObject

_INSERT: Final = """
INSERT INTO touchpoints (identifier_id, effective_at, received_at, recorded_at, occurred_at,
                         sent_at, log_offset, claim_id, historical, source, event_id, channel,
                         type, body, text)
SELECT identifier_id, effective_at, received_at, $14, occurred_at, sent_at, log_offset, $13,
       historical, source, event_id, channel, type, body::json, text
  FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[],
              $5::timestamptz[], $6::bigint[], $7::boolean[], $8::text[], $9::text[],
              $10::text[], $11::text[], $12::text[], $15::text[])
    AS given (identifier_id, effective_at, received_at, occurred_at, sent_at, log_offset,
              historical, source, event_id, channel, type, body, text)
ON CONFLICT (source, event_id) DO NOTHING
RETURNING source, event_id
"""
_KNOWN: Final = """
SELECT source, event_id
  FROM touchpoints
  JOIN unnest($1::text[], $2::text[]) AS wanted (source, event_id) USING (source, event_id)
"""
_STORED: Final = """
SELECT t.source, t.event_id, t.channel, t.type, t.occurred_at, t.body, t.text
  FROM touchpoints t
  JOIN unnest($1::text[], $2::text[]) AS wanted (source, event_id) USING (source, event_id)
"""
_COUNT_DUPLICATES: Final = """
INSERT INTO duplicates (source, event_id, seen, conflicts, last_seen_at, last_conflict)
SELECT source, event_id, seen, conflicts, $6, last_conflict::json
  FROM unnest($1::text[], $2::text[], $3::integer[], $4::integer[], $5::text[])
    AS given (source, event_id, seen, conflicts, last_conflict)
ON CONFLICT (source, event_id) DO UPDATE
   SET seen = duplicates.seen + excluded.seen,
       conflicts = duplicates.conflicts + excluded.conflicts,
       last_seen_at = excluded.last_seen_at,
       last_conflict = coalesce(excluded.last_conflict, duplicates.last_conflict)
"""
_encoder: Final = msgspec.json.Encoder()


def body_of(data: TouchpointData) -> JsonObject:
    """Return what the ``body`` column holds of *data*; empty members are left out."""
    members: JsonObject = {
        "properties": data.properties,
        "context": data.context,
        "traits": data.traits,
        "identifiers": list(data.identifiers),
        "flags": list(data.flags),
    }
    return {name: value for name, value in members.items() if value}


async def known_identities(
    connection: asyncpg.Connection, identities: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Return those of *identities* that are stored."""
    sources, event_ids = [source for source, _ in identities], [event for _, event in identities]
    rows = await connection.fetch(_KNOWN, sources, event_ids)
    return {(row["source"], row["event_id"]) for row in rows}


async def store_touchpoints(
    connection: asyncpg.Connection,
    arrivals: Collection[Arrival],
    owners: Mapping[Identifier, int],
    *,
    claim_id: int,
    recorded_at: Instant,
) -> set[tuple[str, str]]:
    """Store each of *arrivals* whose identity is new; no identity occurs twice among them.

    Args:
        connection: In the batch's transaction.
        arrivals: The first ones of their identity in this batch.
        owners: Row ids of all primary identifiers.
        claim_id: The claim under which the records were read.
        recorded_at: The batch's time.

    Returns:
        The identities that were stored; the others were there already.
    """
    ordered = sorted(arrivals, key=lambda arrival: arrival.identity)  # one lock order for all
    columns = list(zip(*(_row(arrival, owners) for arrival in ordered), strict=True))
    if not columns:
        return set()
    *given, text = columns
    rows = await connection.fetch(_INSERT, *given, claim_id, datetime_of(recorded_at), text)
    return {(row["source"], row["event_id"]) for row in rows}


def _row(arrival: Arrival, owners: Mapping[Identifier, int]) -> tuple[object, ...]:
    data = arrival.record.data
    return (
        owners[arrival.identifiers[0]],
        data.effective_at,
        data.received_at,
        data.occurred_at,
        data.sent_at,
        arrival.offset,
        data.historical,
        arrival.touchpoint.source,
        arrival.touchpoint.event_id,
        data.channel.value,
        data.type,
        _encoder.encode(body_of(data)).decode(),
        data.text,
    )


async def count_duplicates(
    connection: asyncpg.Connection, repeated: Sequence[Arrival], *, seen_at: Instant
) -> set[int]:
    """Count *repeated* arrivals of stored identities, and keep the last that says otherwise.

    What is compared is what the sender gave; when it was sent or received does not matter.

    Returns:
        The offsets of those that say otherwise.
    """
    if not repeated:
        return set()
    by_identity: dict[tuple[str, str], list[tuple[int, JsonObject]]] = {}
    for arrival in repeated:
        given = by_identity.setdefault(arrival.identity, [])
        given.append((arrival.offset, _given(arrival)))
    identities = sorted(by_identity)
    rows = await connection.fetch(_STORED, *(list(part) for part in zip(*identities, strict=True)))
    stored = {(row["source"], row["event_id"]): _given_in_row(row) for row in rows}
    others = {
        identity: [
            (offset, content) for offset, content in given if content != stored.get(identity)
        ]
        for identity, given in by_identity.items()
    }
    counts = [
        (*identity, len(by_identity[identity]), len(others[identity]), _last(others[identity]))
        for identity in identities
    ]
    columns = (list(column) for column in zip(*counts, strict=True))
    await connection.execute(_COUNT_DUPLICATES, *columns, datetime_of(seen_at))
    return {offset for conflicts in others.values() for offset, _ in conflicts}


def _last(conflicts: Sequence[tuple[int, JsonObject]]) -> str | None:
    return _encoder.encode(conflicts[-1][1]).decode() if conflicts else None


def _given(arrival: Arrival) -> JsonObject:
    data = arrival.record.data
    return _as_given(data.type, data.channel.value, data.occurred_at, body_of(data), data.text)


def _given_in_row(row: asyncpg.Record) -> JsonObject:
    body = msgspec.json.decode(row["body"], type=dict[str, object])
    return _as_given(row["type"], row["channel"], row["occurred_at"], body, row["text"])


def _as_given(
    kind: str, channel: str, occurred_at: datetime | None, body: JsonObject, text: str | None
) -> JsonObject:
    content = {name: value for name, value in body.items() if name != "flags"}
    return {"type": kind, "channel": channel, "occurred_at": occurred_at, "text": text, **content}
