"""Channels: where customers are met, where they begin, and how they change from one to another."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import asyncpg

from services.api.readers.arguments import Arguments
from services.api.reports.drilling import Drills, Part
from services.api.reports.facts import newcomers, touches
from services.api.reports.parameters import ChannelsDrill, ChannelsParameters
from services.api.reports.questions import (
    ReportQuestion,
    of_customers,
    on_channels,
    within_time,
)
from services.api.reports.report import Report
from services.api.reports.tallies import MEDIAN, share, tally
from shared.instants import EARLIEST
from shared.touchpoints import JsonObject

CUSTOMER_ROLES: Final = frozenset({"use", "retain", "advocate"})
"""Roles of stages whose customers have bought."""

_WON: Final = """
SELECT c.*, CASE WHEN EXISTS (
       SELECT FROM transitions m
        WHERE m.customer_id = c.customer_id AND m.model_id = {model} AND m.axis = 'stage'
          AND m.superseded_at IS NULL AND m.to_key = ANY({stages})) THEN 'yes' ELSE 'no' END AS won
  FROM ({newcomers}) c
 WHERE {channels}
"""
# The touchpoint before the first one in the time asked for may lie outside of it.
_SWITCHES: Final = """
SELECT s.customer_id, s.at, s.tie, s.source, s.event_id, s.type, s.channel AS to_channel,
       s.before AS from_channel, extract(epoch FROM s.at - s.before_at)::float8 AS seconds
  FROM (SELECT c.id AS customer_id, t.effective_at AS at, t.source, t.event_id, t.type, t.channel,
               (t.source || '/' || t.event_id) COLLATE "C" AS tie,
               lag(t.channel) OVER theirs AS before, lag(t.effective_at) OVER theirs AS before_at
          FROM touchpoints t
          JOIN identifiers i ON i.id = t.identifier_id
          JOIN customers c ON c.id = i.customer_id
         WHERE {around} AND {who}
        WINDOW theirs AS (PARTITION BY c.id ORDER BY t.effective_at, t.source, t.event_id)) s
 WHERE s.before <> s.channel AND s.at - s.before_at <= {within} AND {when} AND {channels}
"""


def _won(question: ReportQuestion, arguments: Arguments) -> str:
    stages = [stage.key for stage in question.model.stages if stage.role in CUSTOMER_ROLES]
    begun = replace(question, channels=())
    return _WON.format(
        channels=on_channels(question, arguments, "c.channel"),
        model=arguments.add(question.model_id, "smallint"),
        stages=arguments.add(stages, "text[]"),
        newcomers=newcomers(begun, arguments),
    )


def _switches(question: ReportQuestion, arguments: Arguments) -> str:
    around = replace(question, start=max(EARLIEST, question.start - question.within))
    return _SWITCHES.format(
        around=within_time("t.effective_at", around, arguments),
        who=of_customers(question, arguments),
        within=arguments.add(timedelta(microseconds=question.within), "interval"),
        when=within_time("s.at", question, arguments),
        channels=on_channels(question, arguments, "s.channel", "s.before"),
    )


_TOUCHPOINTS: Final = Part(
    touches, ("channel",), ("source", "event_id", "channel", "type", "stage")
)
_BEGINNINGS: Final = Part(
    _won, ("channel", "won"), ("source", "event_id", "channel", "type", "won")
)
_CHANGES: Final = Part(
    _switches,
    ("from_channel", "to_channel"),
    ("source", "event_id", "type", "from_channel", "to_channel", "seconds"),
)


async def _read(
    connection: asyncpg.Connection, question: ReportQuestion, drills: Drills
) -> JsonObject:
    met = {row["channel"]: row for row in await tally(connection, question, _TOUCHPOINTS)}
    begun: dict[str, int] = {}
    won: dict[str, int] = {}
    for row in await tally(connection, question, _BEGINNINGS):
        channel = row["channel"]
        begun[channel] = begun.get(channel, 0) + row["number"]
        if row["won"] == "yes":
            won[channel] = row["number"]
    changes = await tally(connection, question, _CHANGES, further=(MEDIAN,))
    items = [
        _channel(name, met.get(name), begun.get(name, 0), won.get(name, 0), drills)
        for name in sorted({*met, *begun})
    ]
    return {
        "touchpoints": sum(row["number"] for row in met.values()),
        "drill": drills.into("touchpoints"),
        "items": sorted(items, key=lambda item: -int(str(item["touchpoints"]))),
        "switches": [_switch(row, drills) for row in changes],
    }


def _channel(
    name: str, met: asyncpg.Record | None, begun: int, won: int, drills: Drills
) -> JsonObject:
    return {
        "channel": name,
        "touchpoints": 0 if met is None else met["number"],
        "customers": 0 if met is None else met["customers"],
        "drill": drills.into("touchpoints", channel=name),
        "first_touches": begun,
        "first_touches_drill": drills.into("beginnings", channel=name),
        "won": won,
        "won_share": share(won, begun),
        "won_drill": drills.into("beginnings", channel=name, won="yes"),
    }


def _switch(row: asyncpg.Record, drills: Drills) -> JsonObject:
    cell = {name: row[name] for name in _CHANGES.dimensions}
    return {
        "from": row["from_channel"],
        "to": row["to_channel"],
        "switches": row["number"],
        "customers": row["customers"],
        "median_seconds": row["median_seconds"],
        "drill": drills.into("switches", **cell),
    }


CHANNELS: Final = Report(
    name="channels",
    summary="Touchpoints and customers by channel, where customers began and how many of those "
    "bought, and changes from one channel to another.",
    parameters=ChannelsParameters,
    drill=ChannelsDrill,
    parts={"touchpoints": _TOUCHPOINTS, "beginnings": _BEGINNINGS, "switches": _CHANGES},
    read=_read,
)
