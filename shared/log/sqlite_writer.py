"""The writing side of a log file: everything here runs in the one thread that writes."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from shared.clock import Clock
from shared.errors import LogUnavailable
from shared.instants import Instant
from shared.log.frames import LEAD_BYTES, PAGE_BYTES, appended_at_of, pack
from shared.log.partitioning import partition_of
from shared.log.port import Entry, Position
from shared.log.sqlite_errors import errors_translated
from shared.log.sqlite_file import (
    LogFile,
    read_bounds,
    row_id,
    write_connection,
)

MIB: Final = 1 << 20

_CHECKPOINT_BYTES: Final = 4 * MIB
"""How much is written before the write-ahead log goes into the file, whence it starts anew."""
_TRIM_RECORDS: Final = 1_000
_TRIM_BYTES: Final = 2 * MIB

_INSERT = "INSERT INTO records VALUES (?, ?)"
_ADVANCE = "UPDATE partitions SET next_offset = ? WHERE partition = ?"
_REPLACE = "UPDATE records SET frame = ? WHERE id = ?"
_HELD = "SELECT length(frame), substr(frame, 1, ?) FROM records WHERE id = ?"
_OLDEST = """
SELECT length(frame), substr(frame, 1, ?) FROM records
 WHERE id >= ? AND id < ? ORDER BY id LIMIT ?
"""
_DELETE = "DELETE FROM records WHERE id >= ? AND id < ?"
_BEGIN_AT = "UPDATE partitions SET first_offset = ? WHERE partition = ?"
# Something new each time, since SQLite does not write what stays the same.
_PROBE = "INSERT OR REPLACE INTO meta VALUES ('probe', hex(randomblob(500)))"


DiskRoom: TypeAlias = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Return how many bytes the disk of *folder* has free for this process."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


class SqliteWriter:
    """Writes one log file; made, used and closed in one thread.

    Args:
        file: The file, locked by this process.
        clock: Gives the time that records carry.
        reserve_bytes: Below this much room, appends are refused.
        disk_room: Returns how many bytes the disk of a folder has free.

    Raises:
        LogUnavailable: the file cannot be opened; every method likewise when it cannot be written.
    """

    def __init__(
        self, file: LogFile, *, clock: Clock, reserve_bytes: int, disk_room: DiskRoom
    ) -> None:
        self._file = file
        self._disk_room = disk_room
        self._clock = clock
        self._reserve_bytes = reserve_bytes
        self._uncopied_bytes = 0
        self._failed = False
        with errors_translated(file.path):
            self._connection = write_connection(file.path)

    def append(self, entries: Sequence[Entry]) -> list[Position]:
        """Write *entries* in one transaction and return when they are durable: all or none."""
        self._check_room()
        self._checkpoint_when_due()
        try:
            with errors_translated(self._file.path):
                return self._insert(entries)
        except LogUnavailable:
            self._failed = True
            raise

    def probe(self) -> None:
        """Return if an append would be taken; after a failed one, write to find out."""
        self._check_room()
        if self._failed:
            with errors_translated(self._file.path), self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute(_PROBE)
            self._failed = False

    def trim(self, partition: int, before: int, older_than: Instant) -> int:
        """Delete some of the oldest records of *partition*, so few that it takes no time.

        Only records before the offset *before* that were appended before *older_than* go.

        Returns:
            How many were deleted; 0 when there are no more.
        """
        with errors_translated(self._file.path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            first = read_bounds(self._connection)[partition].first
            following = self._first_kept(partition, first, before, older_than)
            self._connection.execute(
                _DELETE, (row_id(partition, first), row_id(partition, following))
            )
            self._connection.execute(_BEGIN_AT, (following, partition))
        self._checkpoint_when_due()
        return following - first

    def overwrite(self, partition: int, offset: int, key: bytes, value: bytes) -> bool:
        """Put another key and value in place of a record's, which keeps its time.

        Returns:
            False if the log does not hold that record any more.
        """
        row = row_id(partition, offset)
        with errors_translated(self._file.path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            held = self._connection.execute(_HELD, (LEAD_BYTES, row)).fetchone()
            if held is None:
                return False
            old_bytes, lead = held
            frame = pack(partition, offset, key, value, appended_at_of(lead))
            self._connection.execute(_REPLACE, (frame, row))
        self._uncopied_bytes += old_bytes + len(frame)
        return True

    def checkpoint(self) -> None:
        """Bring all into the file and leave nothing in the write-ahead log.

        Raises:
            LogUnavailable: a reader did not let go of the write-ahead log, or the disk failed.
        """
        with errors_translated(self._file.path):
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise LogUnavailable(f"a reader holds on to old records of {self._file.path}")
        self._uncopied_bytes = 0

    def close(self) -> None:
        """Close the file; all of it was durable before."""
        with errors_translated(self._file.path):
            self._connection.close()

    def _insert(self, entries: Sequence[Entry]) -> list[Position]:
        topic, partitions = self._file.topic, self._file.partitions
        appended_at = self._clock()
        positions: list[Position] = []
        rows: list[tuple[int, bytes]] = []
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            following = {
                number: held.next for number, held in read_bounds(self._connection).items()
            }
            for key, value in entries:
                partition = partition_of(key, partitions)
                offset = following[partition]
                following[partition] = offset + 1
                positions.append(Position(topic, partition, offset))
                rows.append(
                    (row_id(partition, offset), pack(partition, offset, key, value, appended_at))
                )
            self._connection.executemany(_INSERT, rows)
            self._connection.executemany(
                _ADVANCE, [(offset, partition) for partition, offset in following.items()]
            )
        self._uncopied_bytes += sum(len(frame) for _, frame in rows)
        self._failed = False
        return positions

    def _first_kept(self, partition: int, first: int, before: int, older_than: Instant) -> int:
        following = first
        bytes_seen = 0
        oldest = (
            LEAD_BYTES,
            row_id(partition, first),
            row_id(partition, max(first, before)),
            _TRIM_RECORDS,
        )
        with contextlib.closing(self._connection.execute(_OLDEST, oldest)) as rows:
            for frame_bytes, lead in rows:
                if appended_at_of(lead) >= older_than or bytes_seen >= _TRIM_BYTES:
                    break
                bytes_seen += frame_bytes
                following += 1
        self._uncopied_bytes += bytes_seen  # zeroed pages are written like others
        return following

    def _check_room(self) -> None:
        with errors_translated(self._file.path):
            room = self._disk_room(self._file.path.parent)
            if room >= self._reserve_bytes:
                return
            # Trimming gives pages back to the file, not to the disk; the next records fill them.
            (free_pages,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        room += free_pages * PAGE_BYTES
        if room < self._reserve_bytes:
            raise LogUnavailable(
                f"{room // MIB} MiB are free for {self._file.path}, and "
                f"{self._reserve_bytes // MIB} MiB must stay free; make room on the disk"
            )

    def _checkpoint_when_due(self) -> None:
        if self._uncopied_bytes < _CHECKPOINT_BYTES:
            return
        self._uncopied_bytes = 0
        # All is durable in the write-ahead log: where this fails, a later one does it.
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
