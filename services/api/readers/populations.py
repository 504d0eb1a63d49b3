"""Populations: customers listed and counted by the published view of their journeys.

The published view is what the classifier last wrote. Deadlines that have passed since then and are
not published yet are counted, so that an answer can say how many there are.
"""

from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from services.api.readers.arguments import Arguments
from services.api.readers.selections import CustomerFilter, selection
from shared.instants import Instant, datetime_of

COUNTED_EXACTLY: Final = 10_000

_PAGE: Final = """
SELECT c.id, c.profile, j.stage, j.stage_since, j.activity, j.cycle, j.peak_stage, j.next_at,
       (SELECT array_agg(i.kind || ':' || i.value ORDER BY i.first_seen_at, i.kind, i.value)
          FROM identifiers i WHERE i.customer_id = c.id) AS identifiers
{selected}
 ORDER BY c.id
 LIMIT {limit}
"""
_COUNT: Final = "SELECT count(*) FROM (SELECT {selected} LIMIT {limit}) counted"
_ESTIMATE: Final = "EXPLAIN (FORMAT JSON) SELECT {selected}"
_OVERDUE: Final = "SELECT count(*) FROM journeys WHERE next_at <= $1 AND model_id = $2"
_STAGES: Final = """
SELECT stage, count(*) AS customers FROM journeys WHERE model_id = $1 GROUP BY stage
"""


class CustomerMark(msgspec.Struct, frozen=True, array_like=True):
    """The last customer of a page."""

    id: UUID


async def read_customers(
    connection: asyncpg.Connection, wanted: CustomerFilter, after: UUID, limit: int
) -> list[asyncpg.Record]:
    """Return up to *limit* customers with ids behind *after*."""
    arguments = Arguments()
    selected = selection(wanted, arguments, after)
    statement = _PAGE.format(selected=selected, limit=arguments.add(limit, "bigint"))
    rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments.values)
    return rows


async def count_customers(
    connection: asyncpg.Connection, wanted: CustomerFilter
) -> tuple[int, bool]:
    """Return how many customers *wanted* selects, and whether that is an estimate.

    Exact up to ``COUNTED_EXACTLY``; beyond that, what PostgreSQL's planner expects.
    """
    arguments = Arguments()
    selected = selection(wanted, arguments)
    expected = _ESTIMATE.format(selected=selected), tuple(arguments.values)
    most = arguments.add(COUNTED_EXACTLY + 1, "bigint")
    statement = _COUNT.format(selected=selected, limit=most)
    counted: int = await connection.fetchval(statement, *arguments.values)
    if counted <= COUNTED_EXACTLY:
        return counted, False
    plan = msgspec.json.decode(await connection.fetchval(expected[0], *expected[1]))
    return max(int(plan[0]["Plan"]["Plan Rows"]), counted), True


async def count_overdue(connection: asyncpg.Connection, by: Instant, model_id: int) -> int:
    """Return how many journeys have a deadline at or before *by* that is not published yet."""
    overdue: int = await connection.fetchval(_OVERDUE, datetime_of(by), model_id)
    return overdue


async def count_by_stage(connection: asyncpg.Connection, model_id: int) -> dict[str | None, int]:
    """Return how many customers are in each stage of a model; None: in no stage yet."""
    rows = await connection.fetch(_STAGES, model_id)
    return {row["stage"]: row["customers"] for row in rows}
