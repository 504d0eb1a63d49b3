"""Abandonment: customers who stalled until a deadline took them back, and what came just before."""

from typing import Final, TypeAlias

import asyncpg

from services.api.readers.arguments import Arguments
from services.api.reports.drilling import Drills, Part
from services.api.reports.facts import moves
from services.api.reports.flow import MOVE_COLUMNS
from services.api.reports.parameters import AbandonmentDrill, AbandonmentParameters
from services.api.reports.questions import ReportQuestion
from services.api.reports.report import Report
from services.api.reports.stages import rank_in
from services.api.reports.tallies import share, tally
from shared.touchpoints import JsonObject

_BY_DEADLINE: Final = """
m.cause -> 'deadline' IS NOT NULL AND (m.axis = 'activity' OR m.kind = 'regress')
"""
# Deadlines of one instant: activity comes first, so the stage is the one before that instant.
_ABANDONED: Final = """
SELECT f.*,
       CASE WHEN f.axis = 'stage' THEN f.from_stage ELSE (
           SELECT s.to_key FROM transitions s
            WHERE s.customer_id = f.customer_id AND s.model_id = {model} AND s.axis = 'stage'
              AND s.superseded_at IS NULL
              AND (s.at < f.at OR (s.at = f.at AND s.cause -> 'touchpoint' IS NOT NULL))
            ORDER BY s.at DESC, s.cause -> 'touchpoint' IS NULL DESC,
                     (s.cause -> 'touchpoint' ->> 'source') COLLATE "C" DESC,
                     (s.cause -> 'touchpoint' ->> 'event_id') COLLATE "C" DESC,
                     s.kind = 'restart', s.id
            LIMIT 1) END AS stage
  FROM ({moves}) f
"""
_LAST: Final = """
SELECT f.customer_id, f.at, (f.tie || '/' || t.source || '/' || t.event_id) COLLATE "C" AS tie,
       f.axis, f.stage, f.rule, f.to_stage, f.id, t.effective_at AS happened_at,
       t.source, t.event_id, t.channel, t.type
  FROM ({abandoned}) f
 CROSS JOIN LATERAL (
       SELECT own.* FROM identifiers i
        CROSS JOIN LATERAL (
              SELECT effective_at, source, event_id, channel, type FROM touchpoints
               WHERE identifier_id = i.id AND effective_at <= f.at
               ORDER BY effective_at DESC, source DESC, event_id DESC
               LIMIT {last}) own
        WHERE i.customer_id = f.customer_id
        ORDER BY effective_at DESC, source DESC, event_id DESC
        LIMIT {last}) t
"""
_Move: TypeAlias = tuple[str | None, ...]

_MOVES_BEHIND: Final = "count(DISTINCT (customer_id, id)) AS moves"
_MOVE: Final = ("axis", "stage", "rule", "to_stage")


def _abandoned(question: ReportQuestion, arguments: Arguments) -> str:
    return _ABANDONED.format(
        model=arguments.add(question.model_id, "smallint"),
        moves=moves(question, arguments, which=_BY_DEADLINE),
    )


def _last(question: ReportQuestion, arguments: Arguments) -> str:
    return _LAST.format(
        last=arguments.add(question.last, "bigint"), abandoned=_abandoned(question, arguments)
    )


_MOVES: Final = Part(_abandoned, _MOVE, (*MOVE_COLUMNS, "stage"))
_TOUCHPOINTS: Final = Part(
    _last,
    (*_MOVE, "channel", "type"),
    ("happened_at", "source", "event_id", "channel", "type", *_MOVE, "id"),
)


async def _read(
    connection: asyncpg.Connection, question: ReportQuestion, drills: Drills
) -> JsonObject:
    rows = await tally(connection, question, _MOVES)
    numbers = {_move_of(row): row["number"] for row in rows}
    before: dict[_Move, list[JsonObject]] = {move: [] for move in numbers}
    behind = await tally(connection, question, _TOUCHPOINTS, further=(_MOVES_BEHIND,))
    for row in sorted(behind, key=lambda row: -row["number"]):
        before[_move_of(row)].append(_last_touchpoint(row, numbers[_move_of(row)], drills))
    rows.sort(key=lambda row: (row["axis"], rank_in(question.model, row["stage"]), -row["number"]))
    items: list[JsonObject] = [
        {
            "axis": row["axis"],
            "stage": row["stage"],
            "rule": row["rule"],
            "to": row["to_stage"],
            "moves": row["number"],
            "customers": row["customers"],
            "drill": drills.into("moves", **{name: row[name] for name in _MOVE}),
            "last_touchpoints": before[_move_of(row)],
        }
        for row in rows
    ]
    total = sum(numbers.values())
    return {"moves": total, "drill": drills.into("moves"), "last": question.last, "items": items}


def _last_touchpoint(row: asyncpg.Record, moves: int, drills: Drills) -> JsonObject:
    return {
        "channel": row["channel"],
        "type": row["type"],
        "touchpoints": row["number"],
        "moves": row["moves"],
        "share": share(row["moves"], moves),
        "drill": drills.into("touchpoints", **{n: row[n] for n in _TOUCHPOINTS.dimensions}),
    }


def _move_of(row: asyncpg.Record) -> _Move:
    return tuple(row[name] for name in _MOVE)


ABANDONMENT: Final = Report(
    name="abandonment",
    summary="Customers whom a deadline took back a stage, or whose activity ended, by stage and "
    "rule, and the last touchpoints before that.",
    parameters=AbandonmentParameters,
    drill=AbandonmentDrill,
    parts={"moves": _MOVES, "touchpoints": _TOUCHPOINTS},
    read=_read,
)
