"""Rows of CSV files; a bad line costs itself, never its neighbours."""

import csv
import io
import re
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import IO, Final, TextIO

from services.cli.row import BadRow, FileRow, Row
from shared.errors import Fault, Invalid
from shared.touchpoints import JsonObject, JsonValue

_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,15})(\.\d{1,15})?", re.ASCII)
_PLAIN: Final = ("event_id", "type", "channel", "occurred_at", "sent_at", "text")
_NESTED: Final = ("customer", "properties", "traits", "context")
_KNOWN: Final = ", ".join((*_PLAIN, "customer.KIND, properties.PATH, traits.KEY, context.PATH"))


@contextmanager
def csv_text(stream: IO[bytes]) -> Generator[TextIO]:
    """Yield *stream* as the text that ``csv_rows`` reads; bytes that are no UTF-8 can be told."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield text
    finally:
        text.detach()


def csv_rows(text: TextIO) -> Iterator[FileRow]:
    """Yield the rows of a CSV file whose first line names the columns.

    Columns are parted by what is most frequent in that line of comma, semicolon, tab and bar.

    Raises:
        Invalid: the first line names an unknown column, one twice, or none.
    """
    start = text.readline()
    delimiter = max(",;\t|", key=start.count)
    lines = _Lines(chain([start], text))
    records = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        line = lines.begin()
        try:
            cells = next(records)
        except StopIteration:
            break
        except csv.Error as error:
            if header is None:
                raise Invalid(f"the first line is no CSV: {error}") from error
            lines.take_back()
            yield BadRow(line, f"is no CSV: {error}")
            continue
        if header is None:
            header = [name.strip() for name in cells]
            _check_header(header)
        elif any(map(str.strip, cells)):
            yield _row(line, header, cells)
    if header is None:
        _check_header([])


class _Lines:
    """Lines that can be taken back: a quote that is never closed swallows all that follow it."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._settled = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._taken.append(line)
        return line

    def begin(self) -> int:
        """Begin a record; return the number of its first line."""
        self._settled += len(self._taken)
        self._taken.clear()
        return self._settled + 1

    def take_back(self) -> None:
        """Put all lines since ``begin`` back, except the first."""
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]


def _check_header(header: Sequence[str]) -> None:
    faults = [fault for place, name in enumerate(header) if (fault := _fault(place, name, header))]
    if faults or not header:
        raise Invalid(f"the first line must name columns, each one of {_KNOWN}", faults=faults)


def _fault(place: int, name: str, header: Sequence[str]) -> Fault | None:
    kind, *path = name.split(".")
    if not name:
        return Fault(f"column {place + 1}", "unnamed_column", "has no name")
    if name not in _PLAIN and not (kind in _NESTED and path and all(path)):
        return Fault(name, "unknown_column", "is no known column")
    if name in header[:place]:
        return Fault(name, "repeated_column", "is there twice")
    inner = next((other for other in header if other.startswith(f"{name}.")), None)
    if inner is not None:
        return Fault(name, "ambiguous_column", f"cannot be a value and hold {inner}")
    return None


def _row(line: int, header: Sequence[str], cells: Sequence[str]) -> FileRow:
    if len(cells) > len(header):
        return BadRow(line, f"has {len(cells)} cells, the header has {len(header)}")
    if not all(map(_is_utf8, cells)):
        return BadRow(line, "is not UTF-8: save the file as UTF-8")
    return Row(line, _item(header, cells))


def _is_utf8(cell: str) -> bool:
    """Whether the bytes of *cell* were UTF-8; others were read as lone surrogates."""
    if cell.isascii():
        return True
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _item(header: Sequence[str], cells: Sequence[str]) -> JsonObject:
    item: JsonObject = {}
    for name, cell in zip(header, cells, strict=False):
        if not (text := cell.strip()):
            continue
        if name in _PLAIN:
            item[name] = text
        else:
            _put(item, name, _value(name, text))
    return item


def _put(item: JsonObject, name: str, value: JsonValue) -> None:
    *outer, last = name.split(".")
    inner = item
    for part in outer:
        found = inner.setdefault(part, {})
        if not isinstance(found, dict):
            found = inner[part] = {}
        inner = found
    inner[last] = value


def _value(name: str, text: str) -> JsonValue:
    """Return numbers and truth values as such, but identifiers as text."""
    last = name.rpartition(".")[2]
    if name.startswith("customer.") or last == "id" or last.endswith("_id"):
        return text
    if text in {"true", "false"}:
        return text == "true"
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text
