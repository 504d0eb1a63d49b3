"""How far customers have come: of those who began in a time, how many reached each stage."""

from typing import Final

import asyncpg

from services.api.readers.arguments import Arguments
from services.api.reports.drilling import Drills, Part
from services.api.reports.facts import newcomers
from services.api.reports.questions import ReportQuestion
from services.api.reports.report import Report
from services.api.reports.stages import stage_members
from services.api.reports.tallies import MEDIAN, share, tally
from shared.journey.model import Stage, StageModel
from shared.touchpoints import JsonObject

# A stage counts as reached if it was entered, or one of higher rank was: many skip some.
_REACHED: Final = """
SELECT c.customer_id, min(m.at) AS at, '' AS tie, s.key AS stage,
       CASE WHEN bool_or(m.to_key = s.key) THEN 'yes' ELSE 'no' END AS entered,
       extract(epoch FROM min(m.at) - min(c.at))::float8 AS seconds, min(c.at) AS began
  FROM ({newcomers}) c
  JOIN transitions m ON m.customer_id = c.customer_id AND m.model_id = {model}
                    AND m.axis = 'stage' AND m.superseded_at IS NULL
  JOIN unnest({reached}, {by}) AS s (key, entered) ON s.entered = m.to_key
 GROUP BY c.customer_id, s.key
"""


def reached(question: ReportQuestion, arguments: Arguments) -> str:
    """Return for each newcomer and each stage reached when that was; ``entered`` is yes or no."""
    pairs = list(_pairs(question.model))
    return _REACHED.format(
        newcomers=newcomers(question, arguments),
        model=arguments.add(question.model_id, "smallint"),
        reached=arguments.add([stage for stage, _ in pairs], "text[]"),
        by=arguments.add([entered for _, entered in pairs], "text[]"),
    )


def _pairs(model: StageModel) -> list[tuple[str, str]]:
    """Return each stage with every stage whose entering means that it was reached."""
    return [
        (stage.key, entered.key)
        for stage in model.stages
        for entered in model.stages
        if stage.key == entered.key
        or (_leads_on(stage) and _leads_on(entered) and entered.rank > stage.rank)
    ]


def _leads_on(stage: Stage) -> bool:
    """Tell whether a stage is on the way; being lost is none."""
    return stage.role != "lost"


_STAGES: Final = Part(reached, ("stage", "entered"), ("stage", "entered", "seconds"))
_CUSTOMERS: Final = Part(newcomers, (), ("channel", "source", "event_id", "type"))


async def _read(
    connection: asyncpg.Connection, question: ReportQuestion, drills: Drills
) -> JsonObject:
    medians = await tally(connection, question, _STAGES, by=("stage",), further=(MEDIAN,))
    entered = await tally(connection, question, _STAGES)
    [everybody] = await tally(connection, question, _CUSTOMERS)
    customers = everybody["customers"]
    counts = {row["stage"]: row for row in medians}
    entries = {row["stage"]: row["number"] for row in entered if row["entered"] == "yes"}
    items: list[JsonObject] = []
    before = customers
    for stage in question.model.stages:
        row = counts.get(stage.key)
        number = 0 if row is None else row["number"]
        items.append(
            {
                **stage_members(stage),
                "reached": number,
                "entered": entries.get(stage.key, 0),
                "share": share(number, customers),
                "from_previous": share(number, before),
                "median_seconds": None if row is None else row["median_seconds"],
                "drill": drills.into("stages", stage=stage.key),
            }
        )
        before = number if _leads_on(stage) else before
    return {"customers": customers, "drill": drills.into("customers"), "items": items}


FUNNEL: Final = Report(
    name="funnel",
    summary="Of the customers who began in a time, how many reached each stage.",
    parts={"stages": _STAGES, "customers": _CUSTOMERS},
    read=_read,
)
