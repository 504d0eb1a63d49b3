"""Columns of files, and which member of a touchpoint each of them becomes; pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from shared.errors import Fault, Invalid
from shared.files.file_times import FileTimes
from shared.touchpoints import JsonObject, JsonValue

Path: TypeAlias = tuple[str, ...]
"""Where a column's cells belong in a touchpoint, from the outside in."""

_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,15})(\.\d{1,15})?", re.ASCII)
_PLAIN: Final = ("event_id", "type", "channel", "occurred_at", "sent_at", "text")
_NESTED: Final = ("customer", "properties", "traits", "context")
_TIMES: Final = ("occurred_at", "sent_at")
_KNOWN: Final = ", ".join((*_PLAIN, "customer.KIND, properties.PATH, traits.KEY, context.PATH"))
_NO_COLUMNS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of a file become touchpoints.

    Attributes:
        columns: Which column becomes which member, such as ``customer.email``. Without any, all
            columns must be named like members; with some, all others are properties.
        type: Of rows that name none.
        channel: Of rows that name none.
        times: How times are written.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: _NO_COLUMNS)
    type: str | None = None
    channel: str | None = None
    times: FileTimes = field(default_factory=FileTimes)

    def completed(self, item: JsonObject) -> JsonObject:
        """Return *item* with what the file as a whole states; the item itself is changed.

        Raises:
            ValueError: A time in it is none.
        """
        for name, stated in (("type", self.type), ("channel", self.channel)):
            if stated is not None and not item.get(name):
                item[name] = stated
        for name in _TIMES:
            text = item.get(name)
            if isinstance(text, str) and text:
                item[name] = self._time(name, text)
        return item

    def placed(self, members: JsonObject) -> JsonObject:
        """Return the members of an object of a file, each where its column belongs."""
        if not self.columns:
            return members
        item: JsonObject = {}
        for name, value in members.items():
            put(item, self._path(name), value)
        return item

    def paths(self, header: Sequence[str]) -> list[Path]:
        """Return where the columns that *header* names belong.

        Raises:
            Invalid: One is named twice, not at all, or as no member is; or a column of the layout
                is not there. ``faults`` name all that is wrong.
        """
        paths = [self._path(name) for name in header]
        faults = [*_faults(header, paths), *self._missing(header)]
        if faults or not header:
            told = "".join(f"; {fault.path} {fault.message}" for fault in faults)
            must = f"the first line must name columns, each one of {_KNOWN}, or of the column map"
            raise Invalid(must + told, code="invalid_columns", faults=faults)
        return paths

    def _path(self, name: str) -> Path:
        field_ = self.columns.get(name, name)
        if _is_member(field_) or (self.columns and field_ in _NESTED):
            return tuple(field_.split("."))
        return ("properties", name) if self.columns and name else (name,)

    def _missing(self, header: Iterable[str]) -> list[Fault]:
        message = "is in the column map, and not in the first line"
        return [
            Fault(name, "missing_column", message) for name in self.columns if name not in header
        ]

    def _time(self, name: str, text: str) -> str:
        try:
            return self.times.read(text)
        except ValueError as error:
            raise ValueError(f"{name} {text[:40]!r} {error}") from None


def item_of(paths: Sequence[Path], cells: Sequence[str]) -> JsonObject:
    """Return the item in a row of cells; those that are empty are absent."""
    item: JsonObject = {}
    for path, cell in zip(paths, cells, strict=False):
        if text := cell.strip():
            put(item, path, text if len(path) == 1 else _value(path, text))
    return item


def put(item: JsonObject, path: Path, value: JsonValue) -> None:
    """Put *value* where it belongs in *item*."""
    *outer, last = path
    inner = item
    for part in outer:
        found = inner.setdefault(part, {})
        if not isinstance(found, dict):
            found = inner[part] = {}
        inner = found
    inner[last] = value


def _is_member(name: str) -> bool:
    kind, *path = name.split(".")
    return name in _PLAIN or (kind in _NESTED and bool(path) and all(path))


def _faults(header: Sequence[str], paths: Sequence[Path]) -> list[Fault]:
    found = (_fault(place, header, paths) for place in range(len(header)))
    return [fault for fault in found if fault is not None]


def _fault(place: int, header: Sequence[str], paths: Sequence[Path]) -> Fault | None:
    name, path = header[place], paths[place]
    if not name:
        return Fault(f"column {place + 1}", "unnamed_column", "has no name")
    if not _is_member(".".join(path)) and path[0] != "properties":
        return Fault(name, "unknown_column", "is no known column")
    if path in paths[:place]:
        return Fault(name, "repeated_column", "is there twice")
    inside = (other for other, its in zip(header, paths, strict=True) if _holds(path, its))
    if (inner := next(inside, None)) is not None:
        return Fault(name, "ambiguous_column", f"cannot be a value and hold {inner}")
    return None


def _holds(path: Path, other: Path) -> bool:
    return len(other) > len(path) and other[: len(path)] == path


def _value(path: Path, text: str) -> JsonValue:
    """Return numbers and truth values as such, but identifiers as text."""
    last = path[-1]
    if path[0] == "customer" or last == "id" or last.endswith("_id"):
        return text
    if text in {"true", "false"}:
        return text == "true"
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text
