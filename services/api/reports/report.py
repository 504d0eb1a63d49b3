"""What a report is: its tables, and how it is answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg

from services.api.reports.drilling import Drills, Part
from services.api.reports.parameters import ReportDrill, ReportParameters
from services.api.reports.questions import ReportQuestion
from shared.touchpoints import JsonObject

Read: TypeAlias = Callable[[asyncpg.Connection, ReportQuestion, Drills], Awaitable[JsonObject]]
"""Returns the members of an answer; its rows are ``items``."""


@dataclass(frozen=True, slots=True)
class Report:
    """One report.

    Attributes:
        name: In its path.
        summary: What it answers, in a sentence.
        parameters: What may be asked of it.
        drill: What may be asked of the rows behind its numbers.
        parts: Its tables; the first one is what its ``items`` count.
        read: Answers it.
    """

    name: str
    summary: str
    parts: Mapping[str, Part]
    read: Read
    parameters: type[ReportParameters] = ReportParameters
    drill: type[ReportDrill] = ReportDrill
