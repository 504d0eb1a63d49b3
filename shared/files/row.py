"""Rows of files: touchpoints to send, and lines that cannot be sent."""

from dataclasses import dataclass, field
from typing import TypeAlias

from shared.touchpoints import JsonObject


@dataclass(frozen=True, slots=True)
class Row:
    """One touchpoint to send; ``line`` counts from 1 in the file and is where the row begins."""

    line: int
    item: JsonObject


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that cannot be sent, and why; ``raw`` is the line as it stands in the file."""

    line: int
    why: str
    raw: bytes = field(default=b"", compare=False, repr=False)


FileRow: TypeAlias = Row | BadRow
