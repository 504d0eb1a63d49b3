"""Rows of a file as native touchpoints; CSV and NDJSON, gzipped or not."""

import codecs
import csv
import gzip
import hashlib
import io
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeAlias, cast

import msgspec

from shared.errors import Fault, Invalid
from shared.touchpoints import JsonObject, JsonValue

_NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,15})(\.\d{1,15})?", re.ASCII)
_PLAIN: Final = ("event_id", "type", "channel", "occurred_at", "sent_at", "text")
_NESTED: Final = ("customer.", "properties.", "traits.", "context.")
_canonical: Final = msgspec.json.Encoder(order="sorted")
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Row:
    """One touchpoint to send; ``line`` counts from 1 in the file."""

    line: int
    item: JsonObject


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that cannot be sent, and why."""

    line: int
    why: str


FileRow: TypeAlias = Row | BadRow


@contextmanager
def open_rows(path: Path, *, identify: bool = True) -> Generator[Iterator[FileRow]]:
    """Yield the rows of *path* one by one, in the order of the file.

    A file is NDJSON if its first character is ``{``, else CSV with a header. With *identify*, rows
    without an event id get one that follows from their content and from how often the same content
    came before, so sending the file again doubles nothing.

    Raises:
        Invalid: the header of a CSV file names an unknown column.
    """
    with _opened(path) as stream:
        start = stream.read(512).removeprefix(codecs.BOM_UTF8).lstrip()
        stream.seek(0)
        rows = _ndjson(stream) if start.startswith(b"{") else _csv(stream)
        yield _identified(rows) if identify else rows


def count_lines(path: Path) -> int:
    """Return how many lines *path* has, for a progress bar."""
    with _opened(path) as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as probe:
        packed = probe.read(2) == _GZIP
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def _ndjson(stream: IO[bytes]) -> Iterator[FileRow]:
    for number, line in enumerate(stream, start=1):
        text = line.removeprefix(codecs.BOM_UTF8).strip() if number == 1 else line.strip()
        if not text:
            continue
        try:
            yield Row(number, msgspec.json.decode(text, type=dict[str, object]))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield BadRow(number, f"is no JSON object: {error}")


def _csv(stream: IO[bytes]) -> Iterator[FileRow]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    start = text.readline()
    delimiter = max(",;\t|", key=start.count)
    header = [name.strip() for name in next(csv.reader([start], delimiter=delimiter), [])]
    _check_header(header)
    reader = csv.reader(text, delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(reader.line_num + 1, f"is no CSV: {error}")
            continue
        line = reader.line_num + 1
        if len(cells) > len(header):
            yield BadRow(line, f"has {len(cells)} cells, the header has {len(header)}")
        elif any(cells):
            yield Row(line, _item(header, cells))


def _check_header(header: list[str]) -> None:
    unknown = [
        name
        for name in header
        if name not in _PLAIN and not any(name.startswith(prefix) for prefix in _NESTED)
    ]
    if unknown or not header:
        known = ", ".join((*_PLAIN, "customer.KIND, properties.PATH, traits.KEY, context.PATH"))
        raise Invalid(
            f"the first line must name columns, each one of {known}",
            faults=[Fault(name, "unknown_column", "is no known column") for name in unknown],
        )


def _item(header: list[str], cells: list[str]) -> JsonObject:
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


def _identified(rows: Iterator[FileRow]) -> Iterator[FileRow]:
    seen: dict[bytes, int] = {}
    for row in rows:
        if isinstance(row, Row) and not row.item.get("event_id"):
            digest = hashlib.sha256(_canonical.encode(row.item)).digest()[:20]
            seen[digest] = seen.get(digest, -1) + 1
            row.item["event_id"] = f"row-{digest.hex()}-{seen[digest]}"
        yield row
