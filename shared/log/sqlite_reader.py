"""The reading side of a log file: everything here runs in the thread of one reader."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Final

from shared.errors import LogDamaged
from shared.log.bounds import Bounds, check_held
from shared.log.frames import unpack
from shared.log.port import LogRecord
from shared.log.sqlite_errors import errors_translated, is_damage
from shared.log.sqlite_file import (
    OFFSET_BITS,
    LogFile,
    read_bounds,
    read_connection,
    row_id,
)

_NEXT = "SELECT id, frame FROM records WHERE id >= ? AND id < ? ORDER BY id"
_OFFSET_MASK: Final = (1 << OFFSET_BITS) - 1


class SqliteReader:
    """Reads one log file; made, used and closed in one thread.

    Args:
        file: The file, locked by this process.
        max_bytes: No further record is read once a fetch holds this much.

    Raises:
        LogUnavailable: the file cannot be opened; every method likewise when it cannot be read.
        LogDamaged: by every method when the file's structure is broken.
    """

    def __init__(self, file: LogFile, *, max_bytes: int) -> None:
        self._file = file
        self._max_bytes = max_bytes
        with errors_translated(file.path, damage=LogDamaged):
            self._connection = read_connection(file.path)

    def bounds(self) -> dict[int, Bounds]:
        """Return what each partition holds."""
        with errors_translated(self._file.path, damage=LogDamaged):
            return read_bounds(self._connection)

    def fetch(
        self, positions: Mapping[int, int], max_records: int
    ) -> dict[int, Sequence[LogRecord]]:
        """Return the records at *positions* (partition to offset) and after, at one moment.

        Each partition gets an equal share of *max_records*, later ones also what earlier ones
        leave. What lies before damage is returned; the damage itself is raised by the fetch that
        begins at it.

        Raises:
            OffsetOutOfRange: an offset is not held any more.
            LogDamaged: a record is missing, or does not match its checksum.
        """
        with errors_translated(self._file.path, damage=LogDamaged), self._connection:
            self._connection.execute("BEGIN")
            bounds = read_bounds(self._connection)
            for partition, offset in positions.items():
                check_held(partition, offset, bounds)
            spans = [
                (partition, offset, bounds[partition].next)
                for partition, offset in positions.items()
                if offset < bounds[partition].next
            ]
            return self._shared_out(spans, max_records)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _shared_out(
        self, spans: Sequence[tuple[int, int, int]], records_left: int
    ) -> dict[int, Sequence[LogRecord]]:
        fetched: dict[int, Sequence[LogRecord]] = {}
        bytes_left = self._max_bytes
        for turn, (partition, offset, following) in enumerate(spans):
            if records_left <= 0 or bytes_left <= 0:
                break
            share = max(1, records_left // (len(spans) - turn))
            records = self._read(partition, offset, min(offset + share, following), bytes_left)
            fetched[partition] = records
            records_left -= len(records)
            bytes_left -= sum(len(record.key) + len(record.value) for record in records)
        return fetched

    def _read(self, partition: int, offset: int, end: int, max_bytes: int) -> list[LogRecord]:
        records: list[LogRecord] = []
        held_bytes = 0
        span = (row_id(partition, offset), row_id(partition, end))
        with closing(self._connection.execute(_NEXT, span)) as rows:
            while offset + len(records) < end and held_bytes < max_bytes:
                try:
                    record = _record_at(partition, offset + len(records), rows)
                except LogDamaged:
                    if records:
                        break
                    raise
                records.append(record)
                held_bytes += len(record.key) + len(record.value)
        return records


def _record_at(partition: int, offset: int, rows: sqlite3.Cursor) -> LogRecord:
    try:
        row = rows.fetchone()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        what = f"partition {partition}, offset {offset}: {error}"
        raise LogDamaged(what, partition=partition) from error
    if row is None or row[0] & _OFFSET_MASK != offset:
        what = f"partition {partition}, offset {offset}: the record is missing"
        raise LogDamaged(what, partition=partition)
    return unpack(partition, offset, row[1])
