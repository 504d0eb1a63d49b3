"""Erasure: everything that is held about a customer taken away, as if never seen.

One transaction holds off the classifier's batches, locks the customer's identifiers in the order in
which everybody locks them, and deletes. What other people's rows say of the customer is taken out
of them. The log's copies follow (``log_clearing.py``); until then the digests keep them out.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

import asyncpg

from services.api.certificates import Certificate
from services.api.erasure_companions import leave_companions
from services.api.erasure_mentions import (
    Mentions,
    customers_near,
    find_mentions,
    take_out,
    with_late_ones,
)
from services.api.resources import Resources
from shared.erasure import Erased
from shared.errors import Conflict, NotFound
from shared.instants import datetime_of
from shared.log.port import Keeping
from shared.storage.audit import Act, record_act
from shared.storage.erasures import ERASURE_LOCK, remember_erased
from shared.storage.referrals import leave_stub
from shared.touchpoints import Identifier, JsonObject
from shared.upkeep.transactions import TransactionConflict, transaction

TRIES: Final = 5

_HOLD: Final = f"SELECT pg_advisory_xact_lock({ERASURE_LOCK})"
_IDENTIFIERS: Final = """
SELECT id, kind, value, own_id FROM identifiers WHERE customer_id = $1
 ORDER BY kind COLLATE "C", value COLLATE "C" FOR UPDATE
"""
_TOUCHPOINTS: Final = """
DELETE FROM touchpoints WHERE identifier_id = ANY($1::bigint[]) RETURNING source, event_id
"""
_QUARANTINE: Final = """
DELETE FROM quarantine q
 WHERE id = ANY($1::uuid[])
    OR EXISTS (SELECT FROM unnest($2::text[], $3::text[]) AS gone (source, event_id)
                WHERE q.source = gone.source
                  AND gone.event_id IN (q.event_id, q.redriven_event_id))
RETURNING id, source, event_id
"""
_DUPLICATES: Final = """
DELETE FROM duplicates d USING unnest($1::text[], $2::text[]) AS gone (source, event_id)
 WHERE (d.source, d.event_id) = (gone.source, gone.event_id)
"""
_OF_CUSTOMERS: Final = tuple(  # journeys first: timers hold their rows while they publish
    f"DELETE FROM {table} WHERE {column} = ANY($1::uuid[])"  # noqa: S608 - names of our own
    for table, column in (
        ("journeys", "customer_id"),
        ("snapshots", "customer_id"),
        ("deliveries", "customer_id"),
        ("outbox", "customer_id"),
        ("components", "customer_id"),
        ("diff_customers", "customer_id"),
        ("customers", "id"),
    )
)
_DIFFS: Final = "DELETE FROM diff_customers WHERE identities && $1::text[]"
"""Of others, to whom some of these touchpoints belonged before links were taken back."""
_TRANSITIONS: Final = "DELETE FROM transitions WHERE customer_id = ANY($1::uuid[])"
_LINKS: Final = "DELETE FROM links WHERE a_id = ANY($1::bigint[]) OR b_id = ANY($1::bigint[])"
_BARS: Final = "DELETE FROM bars WHERE a_id = ANY($1::bigint[]) OR b_id = ANY($1::bigint[])"
_NAMES: Final = "DELETE FROM identifiers WHERE id = ANY($1::bigint[])"
_CERTIFY: Final = """
INSERT INTO certificates (id, erased_at, suppressed, document) VALUES ($1, $2, $3, $4::json)
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: whose erasure, and how.

    ``repeated`` are the identifiers that a dry run listed; None where they are not repeated.
    """

    customer_id: UUID
    suppress: bool
    actor: str
    reason: str | None = None
    repeated: frozenset[Identifier] | None = None


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased; ``identities`` are sources and event ids."""

    certificate: Certificate
    identifiers: tuple[Identifier, ...]


@dataclass(slots=True)
class _Gone:
    """What has been deleted so far."""

    identities: list[tuple[str, str]] = field(default_factory=list)
    items: list[UUID] = field(default_factory=list)
    counts: JsonObject = field(default_factory=dict)


async def erase(resources: Resources, wish: Wish) -> Erasure:
    """Erase a customer.

    Raises:
        NotFound: there is no such customer any more.
        Conflict: the customer has other identifiers than were repeated; code
            ``identifiers_changed``.
        TransactionConflict: others were in the way again and again; nothing was done.
        DatabaseUnavailable: whether it was done is unknown; asking again tells.
    """
    keeping = await resources.background.copies.ask()
    for attempt in range(TRIES):
        mentions = await find_mentions(resources.engine, wish.customer_id)
        try:
            async with transaction(resources.engine) as connection:
                return await _erase(connection, resources, wish, mentions, keeping)
        except TransactionConflict:
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(0.05)
    raise AssertionError("the last attempt returned or raised")


async def _erase(
    connection: asyncpg.Connection,
    resources: Resources,
    wish: Wish,
    mentions: Mentions,
    keeping: Keeping | None,
) -> Erasure:
    await connection.execute(_HOLD)
    rows = await connection.fetch(_IDENTIFIERS, wish.customer_id)
    names = tuple(Identifier(row["kind"], row["value"]) for row in rows)
    _check(names, wish)
    mentions = await with_late_ones(connection, mentions, rows)
    near = await customers_near(connection, [row["id"] for row in rows], wish.customer_id)
    gone = await _delete(connection, rows, mentions)
    await _forget_companions(connection, mentions)
    own_ids = {mentions.customer_id, *(row["own_id"] for row in rows)}
    await take_out(connection, mentions, near, frozenset(gone.identities), own_ids)
    now = resources.clock()
    certificate = Certificate.of(
        uuid4(),
        now,
        suppressed=wish.suppress,
        counts=gone.counts,
        key=resources.pepper,
        remains=await resources.background.copies.remains(connection, keeping, now=now),
    )
    await _remember(connection, resources, wish, certificate, (names, gone))
    document = certificate.encode()
    moment = datetime_of(now)
    await connection.execute(_CERTIFY, certificate.id, moment, wish.suppress, document)
    details: JsonObject = {"certificate": str(certificate.id), "counts": gone.counts}
    subject = f"customer:{wish.customer_id}"
    await record_act(
        connection, Act(wish.actor, "customer.erased", subject, wish.reason, details), at=now
    )
    return Erasure(certificate, names)


def _check(names: Sequence[Identifier], wish: Wish) -> None:
    if not names:
        raise NotFound("there is no such customer")
    if wish.repeated is not None and wish.repeated != frozenset(names):
        raise Conflict(
            "the customer has other identifiers than those that were repeated: look at them by "
            "dry_run, and repeat exactly these",
            code="identifiers_changed",
        )


async def _delete(
    connection: asyncpg.Connection, rows: Sequence[asyncpg.Record], mentions: Mentions
) -> _Gone:
    ids = [row["id"] for row in rows]
    customers = list({mentions.customer_id, *(row["own_id"] for row in rows)})
    gone = _Gone()
    for statement in _OF_CUSTOMERS:
        await connection.execute(statement, customers)
    transitions = _count(await connection.execute(_TRANSITIONS, customers))
    stored = await connection.fetch(_TOUCHPOINTS, ids)
    gone.identities = [(row["source"], row["event_id"]) for row in stored]
    columns = [source for source, _ in gone.identities], [event for _, event in gone.identities]
    items = await connection.fetch(_QUARANTINE, mentions.items, *columns)
    gone.items = [row["id"] for row in items]
    gone.identities += [(row["source"], row["event_id"]) for row in items if row["event_id"]]
    await connection.execute(_DUPLICATES, *columns)
    await connection.execute(_DIFFS, [f"{source}/{event}" for source, event in gone.identities])
    await leave_stub(connection, ids)
    await connection.execute(_BARS, ids)
    links = _count(await connection.execute(_LINKS, ids))
    await connection.execute(_NAMES, ids)
    gone.counts = {
        "touchpoints": len(stored),
        "identifiers": len(ids),
        "links": links,
        "transitions": transitions,
        "quarantine": len(items),
    }
    return gone


async def _forget_companions(connection: asyncpg.Connection, mentions: Mentions) -> None:
    """Delete identifiers of others that nobody but the customer ever carried."""
    ids, customers = await leave_companions(connection, mentions.companions)
    for statement in (*_OF_CUSTOMERS, _TRANSITIONS):
        await connection.execute(statement, customers)
    await connection.execute(_NAMES, ids)


async def _remember(
    connection: asyncpg.Connection,
    resources: Resources,
    wish: Wish,
    certificate: Certificate,
    erased: tuple[Sequence[Identifier], _Gone],
) -> None:
    names, gone = erased
    digests = resources.digests
    kinds = {digests.of_touchpoint(*identity): Erased.TOUCHPOINT for identity in gone.identities}
    kinds |= {digests.of_item(item): Erased.ITEM for item in gone.items}
    kinds |= {digests.of_identifier(name): Erased.IDENTIFIER for name in names}
    certificates = dict.fromkeys(kinds, certificate.id)
    lets_in = () if wish.suppress else (Erased.IDENTIFIER,)
    await remember_erased(connection, kinds, certificates, now=certificate.at, lets_in=lets_in)


def _count(told: str) -> int:
    return int(told.rpartition(" ")[2])
