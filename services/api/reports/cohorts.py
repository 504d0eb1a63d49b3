"""Cohorts: customers by when they began, how many of them came again, and how far they got."""

from typing import Final

import asyncpg

from services.api.readers.arguments import Arguments
from services.api.readers.conditions import condition_of
from services.api.reports.drilling import Drills, Part
from services.api.reports.facts import TOUCHPOINT, newcomers
from services.api.reports.funnel import reached
from services.api.reports.parameters import CohortsDrill, CohortsParameters
from services.api.reports.questions import ReportQuestion
from services.api.reports.report import Report
from services.api.reports.tallies import share, tally
from shared.errors import Unreadable
from shared.touchpoints import JsonObject

MOST_COHORTS: Final = 400

_BEGAN: Final = """
SELECT c.*, to_char(date_trunc({by}, c.at, 'UTC') AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS cohort
  FROM ({newcomers}) c
"""
_REACHED: Final = """
SELECT f.*, to_char(date_trunc({by}, f.began, 'UTC') AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS cohort
  FROM ({reached}) f
"""
# A period is as long as what cohorts begin within, and counted from the beginning of the cohort.
_CAME: Final = """
SELECT b.customer_id, t.effective_at AS at, (t.source || '/' || t.event_id) COLLATE "C" AS tie,
       t.source, t.event_id, t.channel, t.type, b.cohort,
       CASE {by}
       WHEN 'month' THEN (12 * (extract(year FROM t.effective_at AT TIME ZONE 'UTC')
                                - extract(year FROM b.cohort::date))
                          + extract(month FROM t.effective_at AT TIME ZONE 'UTC')
                          - extract(month FROM b.cohort::date))::int
       ELSE ((t.effective_at AT TIME ZONE 'UTC')::date - b.cohort::date)
            / CASE {by} WHEN 'week' THEN 7 ELSE 1 END END::text AS period
  FROM ({began}) b
  JOIN identifiers i ON i.customer_id = b.customer_id
  JOIN touchpoints t ON t.identifier_id = i.id
  JOIN customers c ON c.id = b.customer_id
 WHERE {alive}
"""


def _began(question: ReportQuestion, arguments: Arguments) -> str:
    return _BEGAN.format(
        by=arguments.add(question.by, "text"), newcomers=newcomers(question, arguments)
    )


def _came(question: ReportQuestion, arguments: Arguments) -> str:
    """Return the signs of life of newcomers; tests on traits look at the present ones."""
    ignored = question.model.activity.ignore
    alive = "true"
    if ignored is not None:
        alive = f"NOT {condition_of(ignored, TOUCHPOINT, arguments)}"
    return _CAME.format(
        by=arguments.add(question.by, "text"), began=_began(question, arguments), alive=alive
    )


def _reached(question: ReportQuestion, arguments: Arguments) -> str:
    return _REACHED.format(
        by=arguments.add(question.by, "text"), reached=reached(question, arguments)
    )


_CUSTOMERS: Final = Part(_began, ("cohort",), ("cohort", "channel", "source", "event_id", "type"))
_RETURNS: Final = Part(
    _came, ("cohort", "period"), ("cohort", "period", "source", "event_id", "channel", "type")
)
_STAGES: Final = Part(_reached, ("cohort", "stage"), ("cohort", "stage", "entered", "seconds"))


async def _read(
    connection: asyncpg.Connection, question: ReportQuestion, drills: Drills
) -> JsonObject:
    cohorts = await tally(connection, question, _CUSTOMERS)
    if len(cohorts) > MOST_COHORTS:
        raise Unreadable(
            f"there are {len(cohorts)} cohorts, and at most {MOST_COHORTS} are shown: ask for "
            "longer ones (by), or for less time (from, to)",
            code="too_many_cohorts",
        )
    sizes = {row["cohort"]: row["number"] for row in cohorts}
    periods: dict[str, list[JsonObject]] = {cohort: [] for cohort in sizes}
    for row in await tally(connection, question, _RETURNS):
        periods[row["cohort"]].append(_period(row, sizes[row["cohort"]], drills))
    stages: dict[str, list[JsonObject]] = {cohort: [] for cohort in sizes}
    ranks = {stage.key: stage.rank for stage in question.model.stages}
    for row in sorted(
        await tally(connection, question, _STAGES), key=lambda row: ranks[row["stage"]]
    ):
        stages[row["cohort"]].append(_stage(row, sizes[row["cohort"]], drills))
    return {
        "by": question.by,
        "customers": sum(sizes.values()),
        "drill": drills.into("customers"),
        "items": [
            {
                "cohort": cohort,
                "customers": size,
                "drill": drills.into("customers", cohort=cohort),
                "periods": sorted(periods[cohort], key=lambda period: int(str(period["period"]))),
                "stages": stages[cohort],
            }
            for cohort, size in sizes.items()
        ],
    }


def _period(row: asyncpg.Record, size: int, drills: Drills) -> JsonObject:
    return {
        "period": int(row["period"]),
        "customers": row["customers"],
        "touchpoints": row["number"],
        "share": share(row["customers"], size),
        "drill": drills.into("returns", cohort=row["cohort"], period=row["period"]),
    }


def _stage(row: asyncpg.Record, size: int, drills: Drills) -> JsonObject:
    return {
        "stage": row["stage"],
        "customers": row["customers"],
        "share": share(row["customers"], size),
        "drill": drills.into("stages", cohort=row["cohort"], stage=row["stage"]),
    }


COHORTS: Final = Report(
    name="cohorts",
    summary="Customers by the day, week or month they began in: how many came again in each one "
    "after it, and how far they got.",
    parameters=CohortsParameters,
    drill=CohortsDrill,
    parts={"customers": _CUSTOMERS, "returns": _RETURNS, "stages": _STAGES},
    read=_read,
)
