"""Files that come in pieces, read row by row; pure."""

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import msgspec

from shared.errors import Invalid
from shared.files.columns import Layout
from shared.files.csv_rows import CsvRows
from shared.files.line_cutter import LONGEST_LINE, LineCutter
from shared.files.row import BadRow, FileRow, Row
from shared.touchpoints import JsonObject

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST_START: Final = 64 * 1024
"""Bytes of white space that a file may begin with."""
_END: Final = b"   "
"""White space that is longer than any byte order mark, which tells more than its first byte."""

_canonical: Final = msgspec.json.Encoder(order="sorted")
_object: Final = msgspec.json.Decoder(dict[str, object])


class _Rows(Protocol):
    """Reads the rows of one kind of file."""

    def read(self, lines: Iterable[bytes], *, last: bool) -> Iterator[FileRow]:
        """Yield the rows that *lines* bring to an end."""
        ...


class RowReader:
    """Reads the rows of a file, in its order.

    A file is NDJSON if its first character is ``{``, else CSV with a header. Rows without an event
    id get one that follows from their content and from how often the same content came before, so
    that sending the file again doubles nothing.

    Args:
        layout: How rows become touchpoints.
        identify: Whether rows get ids.
    """

    def __init__(self, layout: Layout | None = None, *, identify: bool = True) -> None:
        self._layout = layout or Layout()
        self._identify = identify
        self._cutter = LineCutter()
        self._start = b""
        self._rows: _Rows | None = None
        self._seen: dict[int, int] = {}

    @property
    def format(self) -> str | None:
        """``csv`` or ``ndjson``; None as long as nothing has come that tells."""
        if self._rows is None:
            return None
        return "csv" if isinstance(self._rows, CsvRows) else "ndjson"

    @property
    def remembered(self) -> int:
        """How many rows are remembered, of those that came without an id."""
        return len(self._seen)

    def feed(self, chunk: bytes) -> Iterator[FileRow]:
        """Yield the rows that *chunk* brings to their end.

        Raises:
            Invalid: The file is of another kind, or its header names an unknown column.
        """
        if self._rows is None:
            self._start += chunk
            self._rows = self._told_by(self._start)
            if self._rows is None:
                return
            chunk = self._start.removeprefix(codecs.BOM_UTF8)
        yield from self._told(self._cutter.feed(chunk), self._rows, last=False)

    def finish(self) -> Iterator[FileRow]:
        """Yield the rows that are left when nothing more comes.

        Raises:
            Invalid: There was no header.
        """
        lines: list[bytes] = []
        if self._rows is None:
            self._rows = self._told_by(self._start + _END) or CsvRows(self._layout)
            lines = self._cutter.feed(self._start.removeprefix(codecs.BOM_UTF8))
        lines += self._cutter.finish()
        yield from self._told(lines, self._rows, last=True)

    def _told_by(self, start: bytes) -> _Rows | None:
        """Return what reads a file with this *start*; None if it does not tell yet."""
        if len(start) < len(_END):
            return None
        if start.startswith(_UTF_16):
            raise Invalid("the file is UTF-16: save it as UTF-8", code="not_utf8")
        first = start.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        if first == b"[":
            raise Invalid(
                "the file is a JSON array: write one object a line, as `jq -c .[]` does",
                code="json_array",
            )
        if first == b"{":
            return _NdjsonRows(self._layout)
        if first or len(start) > _LONGEST_START:
            return CsvRows(self._layout)
        return None

    def _told(self, lines: Iterable[bytes], rows: _Rows, *, last: bool) -> Iterator[FileRow]:
        for row in rows.read(lines, last=last):
            if self._identify and isinstance(row, Row) and not row.item.get("event_id"):
                row.item["event_id"] = self._id_of(row.item)
            yield row

    def _id_of(self, item: JsonObject) -> str:
        digest = hashlib.sha256(_canonical.encode(item)).digest()[:20]
        short = int.from_bytes(digest[:8])  # two that are equal by chance only number on
        ordinal = self._seen[short] = self._seen.get(short, -1) + 1
        return f"row-{digest.hex()}-{ordinal}"


class _NdjsonRows:
    """Reads a touchpoint from each line."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._line = 0

    def read(self, lines: Iterable[bytes], *, last: bool) -> Iterator[FileRow]:
        """Yield the rows in *lines*; empty lines are none."""
        del last
        for line in lines:
            self._line += 1
            if text := line.strip():
                yield self._row(text)

    def _row(self, text: bytes) -> FileRow:
        if len(text) > LONGEST_LINE:
            return BadRow(self._line, f"is longer than {LONGEST_LINE:,} bytes", text)
        try:
            item = self._layout.placed(_object.decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return BadRow(self._line, f"is no JSON object: {error}", text)
        except RecursionError:
            return BadRow(self._line, "is nested too deeply", text)
        try:
            return Row(self._line, self._layout.completed(item))
        except ValueError as error:
            return BadRow(self._line, str(error), text)
