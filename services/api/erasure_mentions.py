"""Mentions: where a customer is named in what belongs to others, or to nobody.

Other people's touchpoints may carry an identifier of the customer (a link that was refused, or a
source that does not link) or name it as their referrer; conflicts of duplicates, past messages and
past transitions may tell of touchpoints that were the customer's; refused items may hold anything.
They are looked for before the erasure's transaction, so that batches wait for it only briefly; what
was recorded since is looked through once more while the erasure keeps them off.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.erasure_companions import Span, find_companions, joined, pattern_of
from services.api.erasure_items import find_items
from services.api.transactions import reading_settled
from shared.erasure import ERASED_NAME, REFERRED_BY
from shared.instants import EARLIEST, Instant, datetime_of
from shared.touchpoints import Identifier, JsonObject, JsonValue
from shared.upkeep.transactions import TransactionConflict

SEARCH_SECONDS: Final = 300.0
"""Whole tables are read; an erasure is rare, and nobody waits for the search."""

_PATIENCE: Final = "SET LOCAL statement_timeout = '300s'"
_NAMES: Final = "SELECT id, kind, value FROM identifiers WHERE customer_id = $1"
_BODIES: Final = """
SELECT source, event_id FROM touchpoints
 WHERE recorded_at >= $1 AND identifier_id <> ALL($2::bigint[])
   AND body::text LIKE ANY($3::text[])
"""
_CONFLICTS: Final = """
SELECT source, event_id FROM duplicates
 WHERE last_seen_at >= $1 AND last_conflict::text LIKE ANY($2::text[])
"""
_NEAR: Final = """
SELECT DISTINCT i.customer_id FROM identifiers i
 WHERE i.id IN (SELECT b_id FROM links WHERE a_id = ANY($1::bigint[])
                UNION SELECT a_id FROM links WHERE b_id = ANY($1::bigint[])
                UNION SELECT b_id FROM bars WHERE a_id = ANY($1::bigint[])
                UNION SELECT a_id FROM bars WHERE b_id = ANY($1::bigint[]))
   AND i.customer_id <> $2
"""
_BODY: Final = """
SELECT t.source, t.event_id, t.body FROM touchpoints t
  JOIN unnest($1::text[], $2::text[]) AS wanted (source, event_id) USING (source, event_id)
   FOR UPDATE OF t
"""
_SCRUB: Final = """
UPDATE touchpoints SET body = $3::json WHERE source = $1 AND event_id = $2
"""
_FORGET_CONFLICTS: Final = """
UPDATE duplicates d SET last_conflict = NULL
  FROM unnest($1::text[], $2::text[]) AS wanted (source, event_id)
 WHERE (d.source, d.event_id) = (wanted.source, wanted.event_id)
"""
_PAST: Final = """
SELECT customer_id, model_id, id, n, cause FROM transitions
 WHERE customer_id = ANY($1::uuid[]) AND superseded_at IS NOT NULL
"""
_DROP_PAST: Final = """
DELETE FROM transitions t
 USING unnest($1::uuid[], $2::smallint[], $3::text[], $4::integer[]) AS gone (c, m, id, n)
 WHERE (t.customer_id, t.model_id, t.id, t.n) = (gone.c, gone.m, gone.id, gone.n)
"""
_MESSAGES: Final = "SELECT id, data FROM outbox WHERE customer_id = ANY($1::uuid[])"
_DROP_MESSAGES: Final = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"

_encoder: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Mentions:
    """Where the customer is named: identities of touchpoints and duplicates, ids of items.

    All that was recorded before ``settled`` was looked through. ``companions`` are row ids of
    identifiers, and when others carried them.
    """

    customer_id: UUID
    names: frozenset[str]
    settled: Instant
    bodies: frozenset[tuple[str, str]]
    conflicts: frozenset[tuple[str, str]]
    items: frozenset[UUID]
    companions: Mapping[int, Span | None]


async def find_mentions(engine: AsyncEngine, customer_id: UUID) -> Mentions:
    """Look through everything for the customer's identifiers."""
    async with reading_settled(engine) as (connection, settled):
        await connection.execute(_PATIENCE)
        rows = await connection.fetch(_NAMES, customer_id)
        return await _search(connection, customer_id, rows, EARLIEST, settled)


async def with_late_ones(
    connection: asyncpg.Connection, mentions: Mentions, rows: Sequence[asyncpg.Record]
) -> Mentions:
    """Return *mentions* with what was recorded since they were found.

    Args:
        connection: In a transaction that keeps batches off.
        mentions: From ``find_mentions``.
        rows: The customer's identifiers as they are now.

    Raises:
        TransactionConflict: they are others now, and all has to be looked through for them.
    """
    customer_id = mentions.customer_id
    late = await _search(connection, customer_id, rows, mentions.settled, mentions.settled)
    if late.names != mentions.names:
        raise TransactionConflict("the customer got or lost an identifier meanwhile")
    return replace(
        mentions,
        bodies=mentions.bodies | late.bodies,
        conflicts=mentions.conflicts | late.conflicts,
        items=mentions.items | late.items,
        companions=joined(mentions.companions, late.companions),
    )


async def _search(
    connection: asyncpg.Connection,
    customer_id: UUID,
    rows: Sequence[asyncpg.Record],
    since: Instant,
    settled: Instant,
) -> Mentions:
    moment = datetime_of(since)
    ids = [row["id"] for row in rows]
    names = frozenset(Identifier(row["kind"], row["value"]) for row in rows)
    patterns = [pattern_of(name) for name in names]
    found = {"timeout": SEARCH_SECONDS}
    bodies = await connection.fetch(_BODIES, moment, ids, patterns, **found)
    conflicts = await connection.fetch(_CONFLICTS, moment, patterns, **found)
    return Mentions(
        customer_id,
        frozenset(map(str, names)),
        settled,
        frozenset((row["source"], row["event_id"]) for row in bodies),
        frozenset((row["source"], row["event_id"]) for row in conflicts),
        await find_items(connection, names, moment, timeout_seconds=SEARCH_SECONDS),
        await find_companions(connection, ids, moment, timeout_seconds=SEARCH_SECONDS),
    )


async def customers_near(
    connection: asyncpg.Connection, identifier_ids: Sequence[int], customer_id: UUID
) -> list[UUID]:
    """Return the customers whom a link or a bar connects with one; before those are deleted."""
    rows = await connection.fetch(_NEAR, identifier_ids, customer_id)
    return [row["customer_id"] for row in rows]


async def take_out(
    connection: asyncpg.Connection,
    mentions: Mentions,
    near: Sequence[UUID],
    erased: Collection[tuple[str, str]],
    customers: Collection[UUID],
) -> None:
    """Take the customer out of what belongs to others.

    Args:
        connection: In the erasure's transaction.
        mentions: All of them.
        near: From ``customers_near``.
        erased: The identities of the customer's touchpoints.
        customers: All ids that the customer ever had.
    """
    own_ids = frozenset(map(str, customers))
    for row in await connection.fetch(_BODY, *_columns(mentions.bodies)):
        body = msgspec.json.decode(row["body"], type=dict[str, object])
        scrubbed = _encoder.encode(without(body, mentions.names)).decode()
        await connection.execute(_SCRUB, row["source"], row["event_id"], scrubbed)
    await connection.execute(_FORGET_CONFLICTS, *_columns(mentions.conflicts))
    past = [
        (row["customer_id"], row["model_id"], row["id"], row["n"])
        for row in await connection.fetch(_PAST, near)
        if tells_of(msgspec.json.decode(row["cause"]), erased, own_ids)
    ]
    if past:
        await connection.execute(_DROP_PAST, *(list(column) for column in zip(*past, strict=True)))
    messages = [
        row["id"]
        for row in await connection.fetch(_MESSAGES, near)
        if tells_of(msgspec.json.decode(row["data"]), erased, own_ids)
    ]
    await connection.execute(_DROP_MESSAGES, messages)


def without(body: Mapping[str, JsonValue], names: Collection[str]) -> JsonObject:
    """Return a touchpoint's body without *names* among its identifiers and as its referrer."""
    kept = dict(body)
    carried = kept.get("identifiers")
    if isinstance(carried, list):
        kept["identifiers"] = [name for name in carried if name not in names]
    properties = kept.get("properties")
    if isinstance(properties, dict) and properties.get(REFERRED_BY) in names:
        kept["properties"] = {**properties, REFERRED_BY: ERASED_NAME}
    return kept


def tells_of(
    value: JsonValue, identities: Collection[tuple[str, str]], customers: Collection[str]
) -> bool:
    """Tell whether a document names anybody erased.

    Args:
        value: Of the document.
        identities: Source and event id of touchpoints that are erased.
        customers: Ids of the erased customer, those by which it was known formerly too.
    """
    if isinstance(value, dict):
        named = value.get("source"), value.get("event_id")
        parts = value.values()
        return named in identities or any(tells_of(part, identities, customers) for part in parts)
    if isinstance(value, list):
        return any(tells_of(part, identities, customers) for part in value)
    return isinstance(value, str) and value in customers


def _columns(identities: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    listed = list(identities)
    return [source for source, _ in listed], [event_id for _, event_id in listed]
