"""Deliveries in PostgreSQL: which message has to go to which endpoint, and how that went.

A delivery names a message of the outbox and holds nothing of it. ``due_at`` is when it may be tried
next; who tries moves it ahead, so that nobody else does meanwhile, and somebody does afterwards if
the first one dies. A delivery waits while an earlier one about the same customer is pending.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from services.api.moments import moment_text, optional_moment_text
from services.api.webhooks.payloads import TEST
from services.api.webhooks.sending import Outcome
from shared.errors import Conflict, NotFound
from shared.instants import SECOND, Instant, Micros, datetime_of, instant_of
from shared.touchpoints import JsonObject

LEASE: Final[Micros] = 60 * SECOND
"""How long whoever tries a delivery has it to itself; an attempt takes less."""
MOST_PENDING: Final = 10_000
"""Deliveries of one endpoint that wait at once; what comes after them waits in the outbox."""
FAN_OUT: Final = 500
GONE: Final = "the endpoint answered 410 Gone"

_QUEUE: Final = """
WITH hook AS (
    SELECT id, events, max_age, position FROM webhooks
     WHERE id = $1 AND status = 'active'
       AND (SELECT count(*) FROM (SELECT FROM deliveries
                                   WHERE webhook_id = $1 AND status = 'pending'
                                   LIMIT $3) waiting) < $3
       FOR UPDATE SKIP LOCKED
), next AS (
    SELECT told.* FROM hook CROSS JOIN LATERAL (
           SELECT * FROM outbox WHERE seq > hook.position ORDER BY seq LIMIT $4) told
), queued AS (
    INSERT INTO deliveries (webhook_id, seq, message_id, customer_id, type, due_at, created_at)
    SELECT hook.id, next.seq,
           CASE next.type
               WHEN 'journey.transition' THEN
                    (next.data ->> 'id') || '.' || (next.data ->> 'n')
               WHEN 'journey.transition_retracted' THEN
                    (next.data ->> 'id') || '.' || (next.data ->> 'n') || '.retracted'
               ELSE 'msg_' || next.seq END,
           next.customer_id, next.type, $2, $2
      FROM next, hook
     WHERE next.type = ANY(hook.events)
       -- Told under the keys of all whom it concerns; an endpoint hears it once.
       AND (next.type <> 'customer.merged' OR next.customer_id::text = next.data ->> 'into')
       AND (next.type <> 'customer.split' OR next.customer_id::text = next.data ->> 'from')
       AND (next.type NOT IN ('journey.transition', 'journey.transition_retracted')
            OR (next.data ->> 'decided_at')::timestamptz - (next.data ->> 'at')::timestamptz
               <= make_interval(secs => hook.max_age))
     ORDER BY next.seq
)
UPDATE webhooks SET position = (SELECT max(seq) FROM next)
  FROM hook WHERE webhooks.id = hook.id AND EXISTS (SELECT FROM next)
RETURNING (SELECT count(*) FROM next)
"""
_TAKE: Final = """
WITH due AS (
    SELECT d.id FROM deliveries d
     WHERE d.webhook_id = $1 AND d.status = 'pending' AND d.due_at <= $2
       AND (d.customer_id IS NULL OR NOT EXISTS (
            SELECT FROM deliveries earlier
             WHERE earlier.webhook_id = $1 AND earlier.customer_id = d.customer_id
               AND earlier.status = 'pending' AND earlier.seq < d.seq))
     ORDER BY d.due_at, d.seq
     LIMIT $4
       FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE deliveries SET due_at = $3 FROM due WHERE deliveries.id = due.id
    RETURNING deliveries.id, deliveries.seq, deliveries.message_id, deliveries.type,
              deliveries.attempts
)
SELECT taken.*, outbox.data, outbox.created_at
  FROM taken LEFT JOIN outbox ON outbox.seq = taken.seq
 ORDER BY taken.seq
"""
_SETTLE: Final = """
UPDATE deliveries d
   SET status = given.status, attempts = d.attempts + 1, response_status = given.response_status,
       error = given.error, due_at = coalesce(given.due_at, d.due_at), attempted_at = $6
  FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::timestamptz[])
    AS given (id, status, response_status, error, due_at)
 WHERE d.id = given.id
"""
_WELL: Final = """
UPDATE webhooks SET failures = 0, paused_until = NULL
 WHERE id = $1 AND failures > 0
"""
_FAILED: Final = """
UPDATE webhooks SET failures = failures + 1, paused_until = greatest(paused_until, $2)
 WHERE id = $1
"""
_DISABLE: Final = """
UPDATE webhooks SET status = 'disabled', disabled_reason = $2 WHERE id = $1
"""
_GIVE_UP: Final = """
UPDATE deliveries SET status = 'failed', error = $2 WHERE webhook_id = $1 AND status = 'pending'
"""
_TAKE_UP: Final = """
UPDATE deliveries d SET status = 'pending', attempts = 0, due_at = $3
 WHERE webhook_id = $1 AND status = 'failed' AND (error = $2 OR response_status = 410)
   AND EXISTS (SELECT FROM outbox WHERE outbox.seq = d.seq)
"""
_PAGE: Final = """
SELECT * FROM deliveries
 WHERE webhook_id = $1 AND id < $2 AND ($3::text IS NULL OR status = $3)
 ORDER BY id DESC LIMIT $4
"""
_AGAIN: Final = """
UPDATE deliveries d SET status = 'pending', attempts = 0, due_at = $3
 WHERE webhook_id = $1 AND id = $2 AND EXISTS (SELECT FROM outbox WHERE outbox.seq = d.seq)
RETURNING *
"""
_KNOWN: Final = "SELECT EXISTS (SELECT FROM deliveries WHERE webhook_id = $1 AND id = $2)"
_TRIED: Final = """
INSERT INTO deliveries (webhook_id, message_id, type, status, attempts, response_status, error,
                        due_at, attempted_at, created_at)
VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $7, $7)
RETURNING *
"""
_FORGET: Final = """
DELETE FROM deliveries WHERE id IN (
    SELECT id FROM deliveries WHERE status <> 'pending' AND created_at < $1 LIMIT 5000)
"""

LAST_ID: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery to try; ``data`` is None if its message is no longer kept."""

    id: int
    message_id: str
    type: str
    attempts: int
    data: JsonObject | None
    told_at: Instant


@dataclass(frozen=True, slots=True)
class Settled:
    """How an attempt ended; ``due_at`` is when the next one is, of a delivery that is pending."""

    id: int
    status: str
    response_status: int | None
    error: str | None
    due_at: Instant | None = None


_data: Final = msgspec.json.Decoder(dict[str, object])


async def queue_deliveries(connection: asyncpg.Connection, webhook_id: UUID, now: Instant) -> bool:
    """Make deliveries of what was published since the last time; tell whether there may be more.

    Of an endpoint that has very many waiting, none are made until some are through.
    """
    read: int | None = await connection.fetchval(
        _QUEUE, webhook_id, datetime_of(now), MOST_PENDING, FAN_OUT
    )
    return read == FAN_OUT


async def take_deliveries(
    connection: asyncpg.Connection, webhook_id: UUID, now: Instant, most: int
) -> list[Taken]:
    """Take up to *most* deliveries that are due, for one attempt each within LEASE."""
    until = datetime_of(now + LEASE)
    rows = await connection.fetch(_TAKE, webhook_id, datetime_of(now), until, most)
    return [
        Taken(
            id=row["id"],
            message_id=row["message_id"],
            type=row["type"],
            attempts=row["attempts"],
            data=None if row["data"] is None else _data.decode(row["data"]),
            told_at=now if row["created_at"] is None else instant_of(row["created_at"]),
        )
        for row in rows
    ]


async def settle_deliveries(
    connection: asyncpg.Connection, settled: Sequence[Settled], now: Instant
) -> None:
    """Write down how attempts ended."""
    rows = [
        (s.id, s.status, s.response_status, s.error, s.due_at and datetime_of(s.due_at))
        for s in settled
    ]
    columns = (list(column) for column in zip(*rows, strict=True))
    await connection.execute(_SETTLE, *columns, datetime_of(now))


async def note_well(connection: asyncpg.Connection, webhook_id: UUID) -> None:
    """Let an endpoint that takes messages have them at full speed."""
    await connection.execute(_WELL, webhook_id)


async def note_failed(connection: asyncpg.Connection, webhook_id: UUID, until: Instant) -> None:
    """Leave an endpoint alone *until* then."""
    await connection.execute(_FAILED, webhook_id, datetime_of(until))


async def disable_endpoint(connection: asyncpg.Connection, webhook_id: UUID, reason: str) -> None:
    """Send nothing to an endpoint any more."""
    await connection.execute(_DISABLE, webhook_id, reason)
    await connection.execute(_GIVE_UP, webhook_id, reason)


async def take_up_again(connection: asyncpg.Connection, webhook_id: UUID, now: Instant) -> None:
    """Let what was given up when an endpoint said that it is gone begin anew."""
    await connection.execute(_TAKE_UP, webhook_id, GONE, datetime_of(now))


async def read_deliveries(
    connection: asyncpg.Connection,
    webhook_id: UUID,
    *,
    before: int,
    status: str | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return deliveries to an endpoint with ids before *before*, the newest first."""
    rows: list[asyncpg.Record] = await connection.fetch(_PAGE, webhook_id, before, status, limit)
    return rows


async def send_again(
    connection: asyncpg.Connection, webhook_id: UUID, delivery_id: int, now: Instant
) -> asyncpg.Record:
    """Let a delivery begin anew, as if it had never been tried.

    Raises:
        NotFound: there is no such delivery.
        Conflict: its message is no longer kept.
    """
    row = await connection.fetchrow(_AGAIN, webhook_id, delivery_id, datetime_of(now))
    if row is not None:
        return row
    if await connection.fetchval(_KNOWN, webhook_id, delivery_id):
        raise Conflict("the message of this delivery is no longer kept", code="message_gone")
    raise NotFound("no delivery of this webhook has that id")


async def note_test(
    connection: asyncpg.Connection,
    webhook_id: UUID,
    message_id: str,
    outcome: Outcome,
    now: Instant,
) -> asyncpg.Record:
    """Write down how a test ended, as a delivery of its own that is not tried again."""
    return await connection.fetchrow(
        _TRIED,
        webhook_id,
        message_id,
        TEST,
        "delivered" if outcome.delivered else "failed",
        outcome.status,
        outcome.error,
        datetime_of(now),
    )


async def forget_deliveries(connection: asyncpg.Connection, before: Instant) -> None:
    """Delete some of the deliveries that were made *before* then and are settled."""
    await connection.execute(_FORGET, datetime_of(before))


def delivery_document(row: asyncpg.Record) -> JsonObject:
    """Return a delivery as answers carry it; the receiver knows it by ``webhook_id``."""
    pending = row["status"] == "pending"
    return {
        "id": str(row["id"]),
        "webhook_id": row["message_id"],
        "endpoint_id": str(row["webhook_id"]),
        "type": row["type"],
        "status": row["status"],
        "attempts": row["attempts"],
        "response_status": row["response_status"],
        "error": row["error"],
        "created_at": moment_text(row["created_at"]),
        "attempted_at": optional_moment_text(row["attempted_at"]),
        "next_attempt_at": moment_text(row["due_at"]) if pending else None,
    }
