"""The journey map: in which stage which touchpoints happen, how often, and what they do there."""

from typing import Final

import asyncpg

from services.api.reports.drilling import Drills, Part
from services.api.reports.facts import touches
from services.api.reports.flow import STAGE_MOVES
from services.api.reports.questions import ReportQuestion
from services.api.reports.report import Report
from services.api.reports.stages import rank_in, stage_members
from services.api.reports.tallies import MEDIAN, share, tallies, tally
from shared.touchpoints import JsonObject

_TOUCHPOINTS: Final = Part(
    touches,
    ("stage", "channel", "type"),
    ("source", "event_id", "channel", "type", "stage", "moved", "friction"),
)
_CELL: Final = _TOUCHPOINTS.dimensions
_FURTHER: Final = (
    "count(*) FILTER (WHERE moved) AS moved",
    "count(*) FILTER (WHERE friction) AS friction",
)


async def _read(
    connection: asyncpg.Connection, question: ReportQuestion, drills: Drills
) -> JsonObject:
    sets = (_CELL, ("stage",))
    cells, stages = await tallies(connection, question, _TOUCHPOINTS, sets, further=_FURTHER)
    left = await tally(connection, question, STAGE_MOVES, by=("from_stage",), further=(MEDIAN,))
    totals = {row["stage"]: row for row in stages}
    model = question.model
    cells.sort(key=lambda row: (rank_in(model, row["stage"]), -row["number"], *row[1:3]))
    return {
        "touchpoints": sum(row["number"] for row in cells),
        "drill": drills.into("touchpoints"),
        "stages": _stages(question, totals, {row["from_stage"]: row for row in left}, drills),
        "items": [
            {
                **{name: row[name] for name in _CELL},
                **_counts(row),
                "share": share(row["number"], totals[row["stage"]]["number"]),
                "drill": drills.into("touchpoints", **{name: row[name] for name in _CELL}),
            }
            for row in cells
        ],
    }


def _stages(
    question: ReportQuestion,
    totals: dict[str | None, asyncpg.Record],
    left: dict[str | None, asyncpg.Record],
    drills: Drills,
) -> list[JsonObject]:
    """Return a row for each stage, with what happened there and how long customers stayed."""
    rows: list[JsonObject] = []
    for stage in question.model.stages:
        total, leaving = totals.get(stage.key), left.get(stage.key)
        rows.append(
            {
                **stage_members(stage),
                **_counts(total),
                "drill": drills.into("touchpoints", stage=stage.key),
                "left": 0 if leaving is None else leaving["number"],
                "median_seconds": None if leaving is None else leaving["median_seconds"],
                "left_drill": drills.into("left", from_stage=stage.key),
            }
        )
    return rows


def _counts(row: asyncpg.Record | None) -> JsonObject:
    if row is None:
        return {"touchpoints": 0, "customers": 0, "moved": 0, "friction": 0}
    return {
        "touchpoints": row["number"],
        "customers": row["customers"],
        "moved": row["moved"],
        "friction": row["friction"],
    }


JOURNEY_MAP: Final = Report(
    name="map",
    summary="Touchpoints by the stage that each left its customer in, by channel and type: how "
    "many, whose, which moved somebody there, which are friction.",
    parts={"touchpoints": _TOUCHPOINTS, "left": STAGE_MOVES},
    read=_read,
)
