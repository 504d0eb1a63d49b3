"""Populations: customers listed and counted by the published view of their journeys.

The published view is what the classifier last wrote. Deadlines that have passed since then and are
not published yet are counted, so that an answer can say how many there are.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from services.api.readers.arguments import Arguments
from services.api.readers.personas import persona_condition
from shared.instants import Instant, datetime_of
from shared.journey.matchers import Matcher

COUNTED_EXACTLY: Final = 10_000

_SELECTED: Final = """
  FROM customers c
  LEFT JOIN journeys j ON j.customer_id = c.id AND j.model_id = $1
 WHERE ($2::text[] IS NULL OR j.stage = ANY($2))
   AND ($3::text IS NULL OR j.activity = $3)
   AND ($4::text IS NULL OR c.profile -> 'by_channel' -> $4 IS NOT NULL)
   AND ($5::text IS NULL OR c.first_channel = $5)
   AND ($6::timestamptz IS NULL OR c.last_at >= $6)
   AND ($8::text IS NULL OR c.id IN (
        SELECT i.customer_id FROM identifiers i
         WHERE ($7::text IS NULL OR i.kind = $7)
           AND i.value >= $8 AND i.value < $8 || U&'\\+10FFFF'))
   AND {persona}
"""
_PAGE: Final = """
SELECT c.id, c.profile, j.stage, j.stage_since, j.activity, j.cycle, j.peak_stage, j.next_at,
       (SELECT array_agg(i.kind || ':' || i.value ORDER BY i.first_seen_at, i.kind, i.value)
          FROM identifiers i WHERE i.customer_id = c.id) AS identifiers
{selected} AND c.id > $9
 ORDER BY c.id
 LIMIT $10
"""
_COUNT: Final = "SELECT count(*) FROM (SELECT {selected} LIMIT $9) counted"
_ESTIMATE: Final = "EXPLAIN (FORMAT JSON) SELECT {selected}"
_OVERDUE: Final = "SELECT count(*) FROM journeys WHERE next_at <= $1 AND model_id = $2"
_STAGES: Final = """
SELECT stage, count(*) AS customers FROM journeys WHERE model_id = $1 GROUP BY stage
"""


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """Which customers, by the journeys of one model; None means any.

    ``prefix`` is what an identifier's value begins with, of ``prefix_kind`` where that is given.
    ``persona`` is what a persona matches customers by.
    """

    model_id: int
    stages: tuple[str, ...] | None = None
    activity: str | None = None
    channel: str | None = None
    first_channel: str | None = None
    seen_since: Instant | None = None
    prefix_kind: str | None = None
    prefix: str | None = None
    persona: Matcher | None = None

    def arguments(self) -> tuple[object, ...]:
        """Return what the statements take first, the persona apart."""
        return (
            self.model_id,
            self.stages,
            self.activity,
            self.channel,
            self.first_channel,
            None if self.seen_since is None else datetime_of(self.seen_since),
            self.prefix_kind,
            self.prefix,
        )


class CustomerMark(msgspec.Struct, frozen=True, array_like=True):
    """The last customer of a page."""

    id: UUID


async def read_customers(
    connection: asyncpg.Connection, wanted: CustomerFilter, after: UUID, limit: int
) -> list[asyncpg.Record]:
    """Return up to *limit* customers with ids behind *after*."""
    statement, arguments = _asked(_PAGE, wanted, after, limit)
    rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
    return rows


async def count_customers(
    connection: asyncpg.Connection, wanted: CustomerFilter
) -> tuple[int, bool]:
    """Return how many customers *wanted* selects, and whether that is an estimate.

    Exact up to ``COUNTED_EXACTLY``; beyond that, what PostgreSQL's planner expects.
    """
    statement, arguments = _asked(_COUNT, wanted, COUNTED_EXACTLY + 1)
    counted: int = await connection.fetchval(statement, *arguments)
    if counted <= COUNTED_EXACTLY:
        return counted, False
    statement, arguments = _asked(_ESTIMATE, wanted)
    plan = msgspec.json.decode(await connection.fetchval(statement, *arguments))
    return max(int(plan[0]["Plan"]["Plan Rows"]), counted), True


def _asked(
    statement: str, wanted: CustomerFilter, *further: object
) -> tuple[str, tuple[object, ...]]:
    """Return *statement* with what *wanted* asks for in it, and all its arguments."""
    first = (*wanted.arguments(), *further)
    of_persona = Arguments(len(first))
    selected = _SELECTED.format(persona=persona_condition(wanted.persona, of_persona))
    return statement.format(selected=selected), (*first, *of_persona.values)


async def count_overdue(connection: asyncpg.Connection, by: Instant, model_id: int) -> int:
    """Return how many journeys have a deadline at or before *by* that is not published yet."""
    overdue: int = await connection.fetchval(_OVERDUE, datetime_of(by), model_id)
    return overdue


async def count_by_stage(connection: asyncpg.Connection, model_id: int) -> dict[str | None, int]:
    """Return how many customers are in each stage of a model; None: in no stage yet."""
    rows = await connection.fetch(_STAGES, model_id)
    return {row["stage"]: row["customers"] for row in rows}
