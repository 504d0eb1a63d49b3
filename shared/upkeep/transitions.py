"""Transitions as they are believed, taken back and told: bitemporal rows and their outbox."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from shared.instants import Instant, datetime_of, instant_of, rfc3339
from shared.journey.moves import Move, cause_document
from shared.journey.render import move_document
from shared.touchpoints import JsonObject
from shared.upkeep.active_models import ActiveModel
from shared.upkeep.backfills import Backfilled, historical, read_backfilled
from shared.upkeep.following import Published, Restatement
from shared.upkeep.journeys import JourneyKey
from shared.upkeep.outbox import tell

_SUPERSEDE: Final = """
UPDATE transitions t SET superseded_at = $5
  FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::integer[])
    AS gone (customer_id, model_id, id, n)
 WHERE t.customer_id = gone.customer_id AND t.model_id = gone.model_id
   AND t.id = gone.id AND t.n = gone.n
RETURNING t.customer_id, t.model_id, t.id, t.n, t.decided_at,
          coalesce(t.told_id, t.id) AS told_id, coalesce(t.told_n, t.n) AS told_n
"""
_WITHDRAW: Final = """
DELETE FROM transitions t
 USING unnest($1::uuid[], $2::smallint[], $3::text[], $4::integer[])
    AS gone (customer_id, model_id, id, n)
 WHERE t.customer_id = gone.customer_id AND t.model_id = gone.model_id
   AND t.id = gone.id AND t.n = gone.n
"""
_ASSERT: Final = """
INSERT INTO transitions (customer_id, model_id, id, at, axis, kind, from_key, to_key, cycle, rule,
                         cause, decided_at, n)
SELECT customer_id, model_id, id, at, axis, kind, from_key, to_key, cycle, rule, cause::json, $12,
       greatest(coalesce((SELECT max(t.n) FROM transitions t
                           WHERE t.customer_id = given.customer_id
                             AND t.model_id = given.model_id AND t.id = given.id), 0),
                coalesce((SELECT max(t.told_n) FROM transitions t
                           WHERE t.told_id = given.id), 0)) + 1
  FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::timestamptz[], $5::text[], $6::text[],
              $7::text[], $8::text[], $9::integer[], $10::text[], $11::text[])
    AS given (customer_id, model_id, id, at, axis, kind, from_key, to_key, cycle, rule, cause)
RETURNING customer_id, model_id, id, n
"""
_REKEY: Final = """
UPDATE transitions t
   SET customer_id = moved.new_customer_id, id = moved.new_id,
       told_id = coalesce(t.told_id, t.id), told_n = coalesce(t.told_n, t.n),
       n = coalesce((SELECT max(h.n) FROM transitions h
                      WHERE h.customer_id = moved.new_customer_id AND h.model_id = t.model_id
                        AND h.id = moved.new_id), 0) + 1
  FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::integer[], $5::uuid[], $6::text[])
    AS moved (customer_id, model_id, id, n, new_customer_id, new_id)
 WHERE t.customer_id = moved.customer_id AND t.model_id = moved.model_id
   AND t.id = moved.id AND t.n = moved.n
"""
_encoder: Final = msgspec.json.Encoder()

Numbers: TypeAlias = Mapping[tuple[JourneyKey, str], int]
"""The assertion numbers of transitions, by journey and id."""


class Telling(NamedTuple):
    """As what a transition was told, and when it was decided.

    Another customer may have it since, under another id; whoever was told knows it by this one.
    """

    id: str
    n: int
    decided_at: Instant


Tellings: TypeAlias = Mapping[tuple[JourneyKey, str, int], Telling]
"""As what transitions were told, by journey, id and assertion number."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one journey takes back and says anew."""

    key: JourneyKey
    model: ActiveModel
    restatement: Restatement


@dataclass(frozen=True, slots=True)
class Wording:
    """What messages say beside the moves themselves; they are told ``at`` that time."""

    numbers: Numbers
    told: Tellings
    backfilled: Backfilled
    at: Instant


@dataclass(frozen=True, slots=True)
class Rekey:
    """A transition that stands as it is, but for another customer and so under another id."""

    key: JourneyKey
    published: Published
    customer_id: UUID
    id: str


async def rekey(connection: asyncpg.Connection, rekeys: Sequence[Rekey]) -> None:
    """Hand transitions over to their new customers; nobody is told."""
    rows = [(*r.key, r.published.id, r.published.n, r.customer_id, r.id) for r in rekeys]
    if rows:
        columns = (list(column) for column in zip(*rows, strict=True))
        await connection.execute(_REKEY, *columns)


async def publish(
    connection: asyncpg.Connection, changes: Sequence[Change], *, decided_at: Instant
) -> None:
    """Store *changes* and put them into the outbox, each customer's in its order.

    Nobody is told of those of a model that is not published yet, and what they take back is gone:
    it was never believed.
    """
    if not any(change.restatement.retracted or change.restatement.asserted for change in changes):
        return
    published = [change for change in changes if change.model.published]
    unpublished = [change for change in changes if not change.model.published]
    told = await _supersede(connection, published, decided_at)
    if gone := _retracted(unpublished):
        await connection.execute(_WITHDRAW, *gone)
    numbers = await _assert(connection, changes, decided_at)
    backfilled = await read_backfilled(connection, _moves(published))
    wording = Wording(numbers, told, backfilled, decided_at)
    messages = [
        (change.key.customer_id, kind, data)
        for change in published
        for kind, data in _messages(change, wording)
    ]
    await tell(connection, messages, at=decided_at)


async def _supersede(
    connection: asyncpg.Connection, changes: Sequence[Change], at: Instant
) -> Tellings:
    """Take back what *changes* take back, and return as what each of it had been told."""
    gone = _retracted(changes)
    rows = await connection.fetch(_SUPERSEDE, *gone, datetime_of(at)) if gone else []
    return {
        (JourneyKey(row["customer_id"], row["model_id"]), row["id"], row["n"]): Telling(
            row["told_id"], row["told_n"], instant_of(row["decided_at"])
        )
        for row in rows
    }


def _retracted(changes: Sequence[Change]) -> list[list[object]]:
    """Return the keys of all rows that *changes* take back, column by column."""
    rows = [(*c.key, gone.id, gone.n) for c in changes for gone in c.restatement.retracted]
    return [list(column) for column in zip(*rows, strict=True)]


async def _assert(
    connection: asyncpg.Connection, changes: Sequence[Change], at: Instant
) -> Numbers:
    rows = [
        (*change.key, id_, *_columns(move))
        for change in changes
        for id_, move in change.restatement.asserted
    ]
    if not rows:
        return {}
    columns = (list(column) for column in zip(*rows, strict=True))
    stored = await connection.fetch(_ASSERT, *columns, datetime_of(at))
    return {
        (JourneyKey(row["customer_id"], row["model_id"]), row["id"]): row["n"] for row in stored
    }


def _columns(move: Move) -> tuple[object, ...]:
    return (
        datetime_of(move.at),
        move.axis,
        move.kind,
        move.from_,
        move.to,
        move.cycle,
        move.rule,
        _encoder.encode(cause_document(move.cause)).decode(),
    )


def _moves(changes: Sequence[Change]) -> Iterator[Move]:
    for change in changes:
        yield from (gone.move for gone in change.restatement.retracted)
        yield from (move for _, move in change.restatement.asserted)


def _messages(change: Change, wording: Wording) -> list[tuple[str, JsonObject]]:
    retracted, asserted = change.restatement.retracted, change.restatement.asserted
    past = historical([gone.move for gone in retracted], wording.backfilled)
    tellings = [wording.told[change.key, gone.id, gone.n] for gone in retracted]
    taken_back = [
        (
            "journey.transition_retracted",
            {
                **_data(change, told.id, gone.move),
                "n": told.n,
                "decided_at": rfc3339(told.decided_at),
                "superseded_at": rfc3339(wording.at),
                "historical": is_past,
            },
        )
        for gone, told, is_past in zip(retracted, tellings, past, strict=True)
    ]
    past = historical([move for _, move in asserted], wording.backfilled)
    said = [
        (
            "journey.transition",
            {
                **_data(change, id_, move),
                "n": wording.numbers[change.key, id_],
                "decided_at": rfc3339(wording.at),
                "historical": is_past,
            },
        )
        for (id_, move), is_past in zip(asserted, past, strict=True)
    ]
    return taken_back + said


def _data(change: Change, id_: str, move: Move) -> JsonObject:
    return {
        "id": id_,
        **move_document(move),
        "customer_id": str(change.key.customer_id),
        "model": change.model.key,
        "version": change.model.version,
    }
