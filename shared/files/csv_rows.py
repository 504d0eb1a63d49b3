"""Rows of CSV files; a bad line costs itself, never its neighbours."""

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from shared.errors import Invalid
from shared.files.columns import Layout, Path, item_of
from shared.files.row import BadRow, FileRow, Row

_LONGEST_RECORD: Final = 128 * 1024
"""Characters of a record; a quote that is not closed by then is one that never is."""


class CsvRows:
    """Reads the rows of a CSV file whose first line names the columns.

    Columns are parted by what is most frequent in that line of comma, semicolon, tab and bar.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lines = _Lines()
        self._paths: list[Path] | None = None
        self._records = csv.reader(self._lines)

    def read(self, lines: Iterable[bytes], *, last: bool) -> Iterator[FileRow]:
        """Yield the rows that *lines*, which go on where the ones before ended, bring to an end.

        Args:
            lines: Each with its end.
            last: Whether none come after them.

        Raises:
            Invalid: The first line names an unknown column, one twice, or none.
        """
        self._lines.add(lines)
        if self._paths is None and self._lines:
            delimiter = max(",;\t|", key=self._lines.first.count)
            self._records = csv.reader(self._lines, delimiter=delimiter, strict=True)
        while self._lines:
            line = self._lines.begin()
            try:
                cells = next(self._records)
            except csv.Error as error:
                if self._lines.ran_out and not last:
                    self._lines.take_back()
                    break
                self._lines.take_back(behind_first=True)
                yield self._bad(line, f"is no CSV: {error}")
                continue
            if (row := self._row(line, cells)) is not None:
                yield row
        if last and self._paths is None:
            self._layout.paths([])

    def _row(self, line: int, cells: Sequence[str]) -> FileRow | None:
        if self._paths is None:
            self._paths = self._layout.paths([name.strip() for name in cells])
            return None
        if not any(map(str.strip, cells)):
            return None
        if len(cells) > len(self._paths):
            return self._bad(line, f"has {len(cells)} cells, the header has {len(self._paths)}")
        if not all(map(_is_utf8, cells)):
            return self._bad(line, "is not UTF-8: save the file as UTF-8")
        try:
            return Row(line, self._layout.completed(item_of(self._paths, cells)))
        except ValueError as error:
            return self._bad(line, str(error))

    def _bad(self, line: int, why: str) -> BadRow:
        if self._paths is None:
            raise Invalid(f"the first line {why}", code="invalid_columns")
        return BadRow(line, why, self._lines.taken)


class _Lines:
    """Lines that can be taken back: a quote that is never closed swallows all that follow it."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._taken: list[str] = []
        self._size = 0
        self._settled = 0
        self.ran_out = False
        """Whether the record that was begun last wanted more lines than there were."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self._waiting or self._size > _LONGEST_RECORD:
            self.ran_out = not self._waiting
            raise StopIteration
        line = self._waiting.popleft()
        self._taken.append(line)
        self._size += len(line)
        return line

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def first(self) -> str:
        """The first of the lines that wait."""
        return self._waiting[0]

    @property
    def taken(self) -> bytes:
        """What was taken since ``begin``, as it stands in the file."""
        return "".join(self._taken).encode("utf-8", "surrogateescape")

    def add(self, lines: Iterable[bytes]) -> None:
        """Append lines; bytes that are no UTF-8 can be told."""
        self._waiting.extend(line.decode("utf-8", "surrogateescape") for line in lines)

    def begin(self) -> int:
        """Begin a record; return the number of its first line."""
        self._settled += len(self._taken)
        self._taken.clear()
        self._size = 0
        self.ran_out = False
        return self._settled + 1

    def take_back(self, *, behind_first: bool = False) -> None:
        """Put all lines since ``begin`` back, or all except the first."""
        kept = 1 if behind_first else 0
        self._waiting.extendleft(reversed(self._taken[kept:]))
        del self._taken[kept:]


def _is_utf8(cell: str) -> bool:
    """Whether the bytes of *cell* were UTF-8; others were read as lone surrogates."""
    if cell.isascii():
        return True
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True
