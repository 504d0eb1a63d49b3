"""Which ways customers take: moves from stage to stage, and how long they had stayed."""

from typing import Final

import asyncpg

from services.api.readers.arguments import Arguments
from services.api.reports.drilling import Drills, Part
from services.api.reports.facts import moves
from services.api.reports.questions import ReportQuestion
from services.api.reports.report import Report
from services.api.reports.stages import rank_in
from services.api.reports.tallies import MEDIAN, share, tally
from shared.touchpoints import JsonObject

MOVE_COLUMNS: Final = (
    "id",
    "axis",
    "move",
    "from_stage",
    "to_stage",
    "rule",
    "cycle",
    "seconds",
    "cause",
)


def _stage_moves(question: ReportQuestion, arguments: Arguments) -> str:
    return moves(question, arguments, which="m.axis = 'stage'")


STAGE_MOVES: Final = Part(_stage_moves, ("from_stage", "to_stage", "move"), MOVE_COLUMNS)


async def _read(
    connection: asyncpg.Connection, question: ReportQuestion, drills: Drills
) -> JsonObject:
    rows = await tally(connection, question, STAGE_MOVES, further=(MEDIAN,))
    left: dict[str | None, int] = {}
    for row in rows:
        left[row["from_stage"]] = left.get(row["from_stage"], 0) + row["number"]
    model = question.model
    rows.sort(key=lambda row: (rank_in(model, row["from_stage"]), rank_in(model, row["to_stage"])))
    items: list[JsonObject] = [
        {
            "from": row["from_stage"],
            "to": row["to_stage"],
            "move": row["move"],
            "moves": row["number"],
            "customers": row["customers"],
            "share": share(row["number"], left[row["from_stage"]]),
            "median_seconds": row["median_seconds"],
            "drill": drills.into(
                "moves",
                from_stage=row["from_stage"],
                to_stage=row["to_stage"],
                move=row["move"],
            ),
        }
        for row in rows
    ]
    return {"moves": sum(left.values()), "drill": drills.into("moves"), "items": items}


FLOW: Final = Report(
    name="flow",
    summary="Moves from stage to stage in a time, with their share of all that left, and how long "
    "the customers had stayed.",
    parts={"moves": STAGE_MOVES},
    read=_read,
)
