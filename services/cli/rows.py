"""Rows of a file as native touchpoints; CSV and NDJSON, gzipped or not."""

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

import msgspec

from services.cli.csv_rows import csv_rows, csv_text
from services.cli.row import BadRow, FileRow, Row
from shared.errors import Invalid, Unreadable

_GZIP: Final = b"\x1f\x8b"
_canonical: Final = msgspec.json.Encoder(order="sorted")


@contextmanager
def open_rows(path: Path, *, identify: bool = True) -> Generator[Iterator[FileRow]]:
    """Yield the rows of *path* one by one, in the order of the file.

    A file is NDJSON if its first character is ``{``, else CSV with a header. With *identify*, rows
    without an event id get one that follows from their content and from how often the same content
    came before, so sending the file again doubles nothing.

    Raises:
        Invalid: the header of a CSV file names an unknown column.
        Unreadable: the file is compressed, and damaged.
    """
    with _opened(path) as stream:
        start = stream.read(512).removeprefix(codecs.BOM_UTF8).lstrip()
        stream.seek(0)
        if start.startswith(b"["):
            raise Invalid(f"{path} is a JSON array: write one object a line, as `jq -c .[]` does")
        if start.startswith(b"{"):
            yield _identified(_ndjson(stream), needed=identify)
        else:
            with csv_text(stream) as text:
                yield _identified(csv_rows(text), needed=identify)


def count_lines(path: Path) -> int:
    """Return how many lines *path* has, for a progress bar.

    Raises:
        Unreadable: the file is compressed, and damaged.
    """
    with _opened(path) as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))


@contextmanager
def _opened(path: Path) -> Generator[IO[bytes]]:
    with path.open("rb") as probe:
        packed = probe.read(2) == _GZIP
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as stream:
            yield cast("IO[bytes]", stream)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Unreadable(f"{path} is no whole gzip file: {error}") from error


def _ndjson(stream: IO[bytes]) -> Iterator[FileRow]:
    for number, line in enumerate(stream, start=1):
        text = line.removeprefix(codecs.BOM_UTF8).strip() if number == 1 else line.strip()
        if not text:
            continue
        try:
            yield Row(number, msgspec.json.decode(text, type=dict[str, object]))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield BadRow(number, f"is no JSON object: {error}")
        except RecursionError:
            yield BadRow(number, "is nested too deeply")


def _identified(rows: Iterator[FileRow], *, needed: bool) -> Iterator[FileRow]:
    seen: dict[bytes, int] = {}
    for row in rows:
        if needed and isinstance(row, Row) and not row.item.get("event_id"):
            digest = hashlib.sha256(_canonical.encode(row.item)).digest()[:20]
            seen[digest] = seen.get(digest, -1) + 1
            row.item["event_id"] = f"row-{digest.hex()}-{seen[digest]}"
        yield row
