"""Rows of a file as native touchpoints; CSV and NDJSON, gzipped or not."""

import gzip
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from shared.errors import Unreadable
from shared.files.columns import Layout
from shared.files.row import FileRow
from shared.files.row_reader import RowReader

_GZIP: Final = b"\x1f\x8b"
_CHUNK: Final = 256 * 1024


@contextmanager
def open_rows(
    path: Path, layout: Layout | None = None, *, identify: bool = True
) -> Generator[Iterator[FileRow]]:
    """Yield the rows of *path* one by one, as ``RowReader`` reads them.

    Raises:
        Invalid: the header of a CSV file names an unknown column.
        Unreadable: the file is compressed, and damaged.
    """
    with _opened(path) as stream:
        yield _rows(stream, RowReader(layout, identify=identify))


def count_lines(path: Path) -> int:
    """Return how many lines *path* has, for a progress bar.

    Raises:
        Unreadable: the file is compressed, and damaged.
    """
    with _opened(path) as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))


def _rows(stream: IO[bytes], reader: RowReader) -> Iterator[FileRow]:
    while chunk := stream.read(_CHUNK):
        yield from reader.feed(chunk)
    yield from reader.finish()


@contextmanager
def _opened(path: Path) -> Generator[IO[bytes]]:
    with path.open("rb") as probe:
        packed = probe.read(2) == _GZIP
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as stream:
            yield cast("IO[bytes]", stream)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Unreadable(f"{path} is no whole gzip file: {error}") from error
