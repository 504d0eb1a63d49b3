"""Friction: touchpoints that hurt, where they happen, and what came of them.

Which touchpoints are friction, the catalogue says: some types always (a complaint, a return),
some by what they tell (a review of one star).
"""

from typing import Final

import asyncpg

from services.api.readers.arguments import Arguments
from services.api.reports.drilling import Drills, Part
from services.api.reports.facts import touches
from services.api.reports.questions import ReportQuestion
from services.api.reports.report import Report
from services.api.reports.stages import rank_in
from services.api.reports.tallies import share, tally
from shared.touchpoints import JsonObject

# What comes next on either axis: a loss is a step back by a deadline, or falling asleep.
_JUDGED: Final = """
SELECT f.*, coalesce((
       SELECT CASE WHEN m.cause -> 'deadline' IS NULL THEN 'went_on'
                   WHEN m.axis = 'activity' OR m.kind = 'regress' THEN 'lost'
                   ELSE 'went_on' END
         FROM transitions m
        WHERE m.customer_id = f.customer_id AND m.model_id = {model}
          AND m.superseded_at IS NULL AND m.at >= f.at
          AND (m.at > f.at OR m.cause -> 'touchpoint' IS NULL
               OR ((m.cause -> 'touchpoint' ->> 'source') COLLATE "C",
                   (m.cause -> 'touchpoint' ->> 'event_id') COLLATE "C") > (f.source, f.event_id))
        ORDER BY m.at, m.cause -> 'touchpoint' IS NULL,
                 (m.cause -> 'touchpoint' ->> 'source') COLLATE "C",
                 (m.cause -> 'touchpoint' ->> 'event_id') COLLATE "C", m.axis, m.id
        LIMIT 1), 'open') AS outcome
  FROM ({touches}) f
 WHERE f.friction
"""


def _frictions(question: ReportQuestion, arguments: Arguments) -> str:
    return _JUDGED.format(
        model=arguments.add(question.model_id, "smallint"),
        touches=touches(question, arguments),
    )


_FRICTIONS: Final = Part(
    _frictions,
    ("stage", "channel", "type", "outcome"),
    ("source", "event_id", "channel", "type", "stage", "outcome"),
)
_ALL: Final = Part(touches, ("stage",), ("source", "event_id", "channel", "type", "stage"))
_CELL: Final = ("stage", "channel", "type")
_LOST: Final = "count(*) FILTER (WHERE outcome = 'lost') AS lost"


async def _read(
    connection: asyncpg.Connection, question: ReportQuestion, drills: Drills
) -> JsonObject:
    rows = await tally(connection, question, _FRICTIONS, by=_CELL, further=(_LOST,))
    everything = await tally(connection, question, _ALL)
    of = {row["stage"]: row["number"] for row in everything}
    # The weakest first: what cost most customers, then what hurt most often.
    rows.sort(
        key=lambda row: (
            -row["lost"],
            -row["number"],
            rank_in(question.model, row["stage"]),
            *row[1:3],
        )
    )
    items: list[JsonObject] = [
        {
            **{name: row[name] for name in _CELL},
            "touchpoints": row["number"],
            "customers": row["customers"],
            "of": of[row["stage"]],
            "rate": share(row["number"], of[row["stage"]]),
            "lost": row["lost"],
            "lost_share": share(row["lost"], row["number"]),
            "drill": drills.into("frictions", **{name: row[name] for name in _CELL}),
            "of_drill": drills.into("touchpoints", stage=row["stage"]),
        }
        for row in rows
    ]
    total = sum(row["number"] for row in rows)
    return {"touchpoints": total, "drill": drills.into("frictions"), "items": items}


FRICTION: Final = Report(
    name="friction",
    summary="Touchpoints that hurt, by stage, channel and type: how many of all there, and after "
    "how many the customer was lost; the worst first.",
    parts={"frictions": _FRICTIONS, "touchpoints": _ALL},
    read=_read,
)
