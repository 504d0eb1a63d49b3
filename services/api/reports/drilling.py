"""Drills: the rows behind a number of a report, page by page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import msgspec

from services.api.moments import moment_text
from services.api.readers.arguments import Arguments
from services.api.reports.questions import ReportQuestion
from shared.errors import Fault, Unreadable
from shared.instants import Instant, datetime_of, instant_of
from shared.touchpoints import JsonObject

NONE: Final = "none"
"""Stands for no stage in a parameter; no stage has that key."""

PATIENCE_SECONDS: Final = 60.0
"""How long one statement of a report may take."""

Cell: TypeAlias = Mapping[str, str]
"""Values by the columns that a table is counted by; NONE is no value."""

Facts: TypeAlias = Callable[[ReportQuestion, Arguments], str]

_NAMES: Final = {
    "from_stage": "from",
    "to_stage": "to",
    "from_channel": "from",
    "to_channel": "to",
}
"""What columns are called in rows."""

_PAGE: Final = """
SELECT customer_id, at, tie, {shown} FROM ({facts}) f
 WHERE {wanted} AND {behind}
 ORDER BY customer_id, at, tie
 LIMIT {limit}
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A table of a report.

    Attributes:
        facts: The rows that it counts.
        dimensions: Columns of these that it counts by; text, or NULL for none.
        shown: Columns of these that a row of a drill shows, beside ``customer_id`` and ``at``.
    """

    facts: Facts
    dimensions: tuple[str, ...]
    shown: tuple[str, ...]


class DrillMark(msgspec.Struct, frozen=True, array_like=True):
    """The key of the last row of a page."""

    customer_id: UUID
    at: Instant
    tie: str


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a drill: those in ``cell``, behind ``after``, up to ``limit``."""

    cell: Cell
    limit: int
    after: DrillMark | None = None


class DrillPage(NamedTuple):
    """Rows of a drill, and the mark to go on from if there are more."""

    items: list[JsonObject]
    mark: DrillMark | None


class Drills:
    """Makes the addresses of drills into one answer.

    Args:
        path: Of the report.
        filters: What was asked of it, as it was asked.
    """

    def __init__(self, path: str, filters: list[tuple[str, str]]) -> None:
        self._path = path
        self._filters = filters

    def into(self, part: str, **cell: str | None) -> str:
        """Return the address of the rows of *part* that are counted in *cell*."""
        place = [
            ("cell", f"{name}:{NONE if value is None else value}") for name, value in cell.items()
        ]
        return f"{self._path}/drill?{urlencode([('of', part), *self._filters, *place])}"


def cell_of(part: Part, written: Sequence[str]) -> Cell:
    """Read the columns that a table is counted by, with their values.

    Args:
        part: The table.
        written: Each as ``NAME:VALUE``.

    Raises:
        Unreadable: one is not of the table; says which there are.
    """
    cell = {}
    for text in written:
        name, _, value = text.partition(":")
        if name not in part.dimensions:
            known = ", ".join(part.dimensions) or "nothing"
            message = f"must be NAME:VALUE, where this table is counted by {known}"
            raise Unreadable(
                f"cell {message}",
                code="bad_parameter",
                faults=[Fault("cell", "bad_parameter", message)],
            )
        cell[name] = value
    return cell


async def read_drill(
    connection: asyncpg.Connection,
    question: ReportQuestion,
    part: Part,
    page: Page,
) -> DrillPage:
    """Return the rows of *part* that *page* wants, by customer and time."""
    arguments = Arguments()
    statement = _PAGE.format(
        shown=", ".join(part.shown),
        facts=part.facts(question, arguments),
        wanted=_in_cell(page.cell, arguments),
        behind=_behind(page.after, arguments),
        limit=arguments.add(page.limit + 1, "bigint"),
    )
    rows = await connection.fetch(statement, *arguments.values, timeout=PATIENCE_SECONDS)
    mark = _mark(rows[page.limit - 1]) if len(rows) > page.limit else None
    return DrillPage([_item(row, part) for row in rows[: page.limit]], mark)


def _in_cell(cell: Cell, arguments: Arguments) -> str:
    """Return the condition that a row is in *cell*, whose names are those of dimensions."""
    parts = [
        f"f.{name} IS NULL" if value == NONE else f"f.{name} = {arguments.add(value, 'text')}"
        for name, value in cell.items()
    ]
    return " AND ".join(parts) or "true"


def _behind(after: DrillMark | None, arguments: Arguments) -> str:
    if after is None:
        return "true"
    place = (
        arguments.add(after.customer_id, "uuid"),
        arguments.add(datetime_of(after.at), "timestamptz"),
        arguments.add(after.tie, "text"),
    )
    return f"(customer_id, at, tie) > ({', '.join(place)})"


def _mark(row: asyncpg.Record) -> DrillMark:
    return DrillMark(UUID(int=row["customer_id"].int), instant_of(row["at"]), row["tie"])


def _item(row: asyncpg.Record, part: Part) -> JsonObject:
    return {
        "customer_id": str(row["customer_id"]),
        "at": moment_text(row["at"]),
        **{_NAMES.get(name, name): _shown(name, row[name]) for name in part.shown},
    }


def _shown(name: str, value: object) -> object:
    if name == "cause":
        return msgspec.Raw(str(value).encode())
    return moment_text(value) if isinstance(value, datetime) else value
