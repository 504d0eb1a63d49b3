"""Diffs in PostgreSQL: what is asked, how far it has got, and who is concerned.

A diff folds every stored history under two stage models. Whoever asks leaves a row; a classifier
does the work, one bounded transaction at a time. The result is kept for a day, so that its pages
and its counts stay those of one moment however long somebody looks at them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from shared.instants import Instant, datetime_of, instant_of
from shared.journey.flows import Flow

NO_STAGE: Final = ""
"""Stands for no stage in the columns of both stages; no key is empty."""

_HOLD: Final = "SELECT pg_advisory_xact_lock($1)"
_LOCK: Final = 0x61736B64
"""Of whoever asks for a diff: "askd" in ASCII."""
_SAME: Final = """
SELECT id FROM diffs
 WHERE model_id = $1 AND against_id = $2 AND asked_as_of IS NOT DISTINCT FROM $3
   AND (phase <> 'done' OR told_at IS NULL AND ended_at > now() - interval '10 minutes')
 ORDER BY id DESC LIMIT 1
"""
_WAITING: Final = "SELECT count(*) FROM diffs WHERE phase <> 'done'"
_ASK: Final = """
INSERT INTO diffs (model_id, against_id, asked_as_of, requested_at) VALUES ($1, $2, $3, $4)
RETURNING id
"""
_BY_ID: Final = "SELECT * FROM diffs WHERE id = $1 AND model_id = $2"
_BY_DIGEST: Final = """
SELECT * FROM diffs
 WHERE digest = $1 AND model_id = $2 AND phase = 'done' ORDER BY id DESC LIMIT 1
"""
_OPEN: Final = "SELECT * FROM diffs WHERE phase <> 'done' ORDER BY id LIMIT 1"
_TOLD: Final = "UPDATE diffs SET told_at = now() WHERE id = $1 AND told_at IS NULL"
_PAGE: Final = """
SELECT customer_id, from_key, to_key, document FROM diff_customers
 WHERE diff_id = $1 AND customer_id > $2
   AND ($3::text IS NULL OR from_key = $3) AND ($4::text IS NULL OR to_key = $4)
 ORDER BY customer_id LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class Question:
    """Which models, by row id, and as of when; None is the moment at which it begins."""

    model_id: int
    against_id: int
    as_of: Instant | None = None


@dataclass(frozen=True, slots=True)
class StoredDiff:
    """A diff on its way, or done.

    ``as_of`` is what was folded to, None before it has begun; ``read_through`` is when everything
    received before was in it. ``digest`` is a hash over every customer's outcome.
    """

    id: int
    question: Question
    requested_at: Instant
    phase: str
    as_of: Instant | None
    read_through: Instant | None
    position: UUID
    customers_done: int
    customers_of: int
    flows: tuple[Flow, ...]
    digest: bytes

    @property
    def is_done(self) -> bool:
        """Whether all customers have been compared."""
        return self.phase == "done"


async def ask_diff(
    connection: asyncpg.Connection, question: Question, *, now: Instant, most: int
) -> int | None:
    """Ask for a diff, or join one that answers *question* and whose answer nobody has had.

    Args:
        connection: In a transaction.
        question: What is asked.
        now: The present; what was received before it will be in the diff.
        most: How many may be waited for at once.

    Returns:
        The id of its row; None if there are *most* already.
    """
    await connection.execute(_HOLD, _LOCK)
    as_of = None if question.as_of is None else datetime_of(question.as_of)
    asked = question.model_id, question.against_id, as_of
    found: int | None = await connection.fetchval(_SAME, *asked)
    if found is None and await connection.fetchval(_WAITING) < most:
        found = await connection.fetchval(_ASK, *asked, datetime_of(now))
    return found


async def find_diff(
    connection: asyncpg.Connection, name: int | bytes, model_id: int
) -> StoredDiff | None:
    """Return the diff of a model with this row id or this digest; None if it is not kept."""
    statement = _BY_ID if isinstance(name, int) else _BY_DIGEST
    row = await connection.fetchrow(statement, name, model_id)
    return None if row is None else _stored(row)


async def oldest_open_diff(connection: asyncpg.Connection) -> StoredDiff | None:
    """Return the diff that is to be carried on; None if all are done."""
    row = await connection.fetchrow(_OPEN)
    return None if row is None else _stored(row)


async def note_told(connection: asyncpg.Connection, diff_id: int) -> None:
    """Note that somebody has had the answer: who asks again wants a new one."""
    await connection.execute(_TOLD, diff_id)


async def read_differing(
    connection: asyncpg.Connection,
    diff_id: int,
    flow: tuple[str | None, str | None],
    *,
    after: UUID,
    limit: int,
) -> list[asyncpg.Record]:
    """Return customers whose journeys differ, in the order of their ids.

    Args:
        connection: In a transaction.
        diff_id: Of one that is done.
        flow: Only those of these two stages; NO_STAGE for no stage, None for any.
        after: The id behind which to begin.
        limit: How many at most.

    Returns:
        Rows with customer_id, from_key, to_key and document.
    """
    rows: list[asyncpg.Record] = await connection.fetch(_PAGE, diff_id, after, *flow, limit)
    return rows


def _instant(moment: datetime | None) -> Instant | None:
    return None if moment is None else instant_of(moment)


def _stored(row: asyncpg.Record) -> StoredDiff:
    question = Question(row["model_id"], row["against_id"], _instant(row["asked_as_of"]))
    return StoredDiff(
        id=row["id"],
        question=question,
        requested_at=instant_of(row["requested_at"]),
        phase=row["phase"],
        as_of=_instant(row["as_of"]),
        read_through=_instant(row["read_through"]),
        position=UUID(int=row["position"].int),
        customers_done=row["customers_done"],
        customers_of=row["customers_of"],
        flows=msgspec.json.decode(row["flows"], type=tuple[Flow, ...]),
        digest=row["digest"],
    )
