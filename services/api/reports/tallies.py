"""Tallies: facts counted by their dimensions."""

from typing import Final

import asyncpg

from services.api.readers.arguments import Arguments
from services.api.reports.drilling import PATIENCE_SECONDS, Part
from services.api.reports.questions import ReportQuestion

_TALLY: Final = "SELECT {columns} FROM ({facts}) f {grouped}"
_NUMBERS: Final = ("count(*) AS number", "count(DISTINCT customer_id) AS customers")


async def tally(
    connection: asyncpg.Connection,
    question: ReportQuestion,
    part: Part,
    *,
    by: tuple[str, ...] | None = None,
    further: tuple[str, ...] = (),
) -> list[asyncpg.Record]:
    """Return for each combination of dimensions the ``number`` of facts and of ``customers``.

    Args:
        connection: In the report's transaction.
        question: What is asked.
        part: What is counted.
        by: Which dimensions; all of the part's if None.
        further: More aggregates of ours, each with its name.
    """
    arguments = Arguments()
    named = part.dimensions if by is None else by
    groups = ", ".join(named)
    statement = _TALLY.format(
        columns=", ".join((*named, *_NUMBERS, *further)),
        facts=part.facts(question, arguments),
        grouped=f"GROUP BY {groups} ORDER BY {groups}" if named else "",
    )
    rows: list[asyncpg.Record] = await connection.fetch(
        statement, *arguments.values, timeout=PATIENCE_SECONDS
    )
    return rows


def share(part: int, whole: int) -> float | None:
    """Return *part* of *whole*, rounded to four decimals; None of nothing."""
    return round(part / whole, 4) if whole else None


MEDIAN: Final = (
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds::double precision) AS median_seconds"
)
"""Of the column ``seconds``, without rows that have none."""
