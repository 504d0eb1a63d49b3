"""Answering reports: few at a time, each of one state of the database, none without an end."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import asyncpg

from services.api.freshness import Freshness, freshness
from services.api.readers.populations import count_overdue
from services.api.readers.stage_models import find_published_model
from services.api.reports.drilling import (
    PATIENCE_SECONDS,
    DrillMark,
    Drills,
    Page,
    Part,
    cell_of,
    read_drill,
)
from services.api.reports.parameters import (
    AbandonmentParameters,
    ChannelsParameters,
    CohortsParameters,
    ReportDrill,
    ReportParameters,
)
from services.api.reports.questions import ReportQuestion
from services.api.reports.report import Report
from services.api.resources import Resources
from shared.errors import Fault, Overloaded, Unreadable
from shared.instants import EARLIEST, LATEST, rfc3339
from shared.storage.personas import match_of_persona
from shared.storage.watermark import load_watermark
from shared.touchpoints import JsonObject

_SETTINGS: Final = f"""
SET LOCAL statement_timeout = '{PATIENCE_SECONDS:.0f}s';
SET LOCAL work_mem = '64MB';
SET LOCAL jit = off
"""


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """The members of an answer, and how fresh they are."""

    content: JsonObject
    freshness: Freshness


async def answer_report(
    resources: Resources, report: Report, asked: ReportParameters, drills: Drills
) -> ReportAnswer:
    """Count what *asked* wants of *report*.

    Raises:
        NotFound: there is no such model or persona.
        Overloaded: it takes too long, or others come first.
    """
    async with _counting(resources) as connection:
        question = await _question(connection, resources, asked)
        members = await report.read(connection, question, drills)
        fresh = await _freshness(connection, resources, question)
    return ReportAnswer({"report": report.name, **_scope(question), **members}, fresh)


async def answer_drill(
    resources: Resources, report: Report, asked: ReportDrill
) -> tuple[ReportAnswer, str | None]:
    """Return the rows behind a number of *report*, and the cursor of the next page.

    Raises:
        NotFound: there is no such model or persona.
        Unreadable: there is no such table, column or cursor.
        Overloaded: it takes too long, or others come first.
    """
    filters = asked.model_dump(mode="json", exclude={"limit", "cursor", "form"})
    about: list[object] = ["drill", report.name, filters]
    after = None
    if asked.cursor is not None:
        after = resources.cursors.open(asked.cursor, about, DrillMark)
    part = _part_of(report, asked.of)
    page = Page(cell_of(part, asked.cell), asked.limit, after)
    async with _counting(resources) as connection:
        question = await _question(connection, resources, asked)
        found = await read_drill(connection, question, part, page)
        fresh = await _freshness(connection, resources, question)
    cursor = None if found.mark is None else resources.cursors.seal(found.mark, about)
    content: JsonObject = {**_scope(question), "items": found.items, "next": cursor}
    return ReportAnswer(content, fresh), cursor


def _part_of(report: Report, name: str | None) -> Part:
    if name is None:
        return next(iter(report.parts.values()))
    if name not in report.parts:
        message = f"must be a table of this report: {', '.join(report.parts)}"
        fault = Fault("of", "bad_parameter", message)
        raise Unreadable(f"of {message}", code="bad_parameter", faults=[fault])
    return report.parts[name]


@asynccontextmanager
async def _counting(resources: Resources) -> AsyncGenerator[asyncpg.Connection]:
    async with resources.report_turns.turn(), resources.databases.reading() as connection:
        await connection.execute(_SETTINGS)
        try:
            yield connection
        except asyncpg.QueryCanceledError as error:
            raise Overloaded(
                f"this takes longer than {PATIENCE_SECONDS:.0f} seconds to count: ask for less "
                "time (from, to) or fewer customers (first_channel, persona)"
            ) from error


async def _question(
    connection: asyncpg.Connection, resources: Resources, asked: ReportParameters
) -> ReportQuestion:
    row = await find_published_model(connection, asked.model)
    persona = await match_of_persona(connection, asked.persona)
    question = ReportQuestion(
        model_id=row.id,
        model=(await resources.programs.load(connection, row)).model,
        start=EARLIEST if asked.start is None else asked.start,
        end=LATEST if asked.end is None else asked.end,
        channels=tuple(asked.channel),
        first_channel=asked.first_channel,
        persona=persona,
    )
    match asked:
        case CohortsParameters():
            return replace(question, by=asked.by)
        case AbandonmentParameters():
            return replace(question, last=asked.last)
        case ChannelsParameters():
            return replace(question, within=asked.within)
        case _:
            return question


async def _freshness(
    connection: asyncpg.Connection, resources: Resources, question: ReportQuestion
) -> Freshness:
    fresh = freshness(resources.clock(), await load_watermark(connection))
    overdue = 0
    if fresh.as_of is not None:
        overdue = await count_overdue(connection, fresh.as_of, question.model_id)
    return fresh.with_overdue(overdue)


def _scope(question: ReportQuestion) -> JsonObject:
    return {
        "model": question.model.key,
        "version": question.model.version,
        "from": None if question.start == EARLIEST else rfc3339(question.start),
        "to": None if question.end == LATEST else rfc3339(question.end),
    }
