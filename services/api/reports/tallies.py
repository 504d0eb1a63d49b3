"""Tallies: facts counted by their dimensions."""

from collections.abc import Sequence
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
    named = part.dimensions if by is None else by
    [rows] = await tallies(connection, question, part, (named,), further=further)
    return rows


async def tallies(
    connection: asyncpg.Connection,
    question: ReportQuestion,
    part: Part,
    sets: Sequence[tuple[str, ...]],
    *,
    further: tuple[str, ...] = (),
) -> list[list[asyncpg.Record]]:
    """Return what ``tally`` returns for several sets of dimensions, counted in one go.

    Rows of all sets have the columns of the first one, which holds the dimensions of all others.
    """
    arguments = Arguments()
    named = sets[0]
    groups = ", ".join(f"({', '.join(each)})" for each in sets)
    level = f"grouping({', '.join(named)})" if named else "0"
    statement = _TALLY.format(
        columns=", ".join((*named, *_NUMBERS, *further, f"{level} AS level")),
        facts=part.facts(question, arguments),
        grouped=f"GROUP BY GROUPING SETS ({groups}) ORDER BY {', '.join((*named, 'level'))}",
    )
    rows = await connection.fetch(statement, *arguments.values, timeout=PATIENCE_SECONDS)
    return [[row for row in rows if row["level"] == _level(named, each)] for each in sets]


def _level(named: tuple[str, ...], given: tuple[str, ...]) -> int:
    """Return what ``grouping`` says of rows by *given*: a bit for each of *named* that is not."""
    return sum(1 << place for place, name in enumerate(reversed(named)) if name not in given)


def share(part: int, whole: int) -> float | None:
    """Return *part* of *whole*, rounded to four decimals; None of nothing."""
    return round(part / whole, 4) if whole else None


MEDIAN: Final = "percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median_seconds"
"""Of the column ``seconds``, without rows that have none."""
