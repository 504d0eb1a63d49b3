"""The file of the embedded log: its format, and what makes one sound.

One row per record, under ``partition << 48 | offset``, holding a frame (``frames.py``). Offsets of
a partition have no gaps: ``partitions`` tells from where to where records are held, and a missing
one in between is damage.
"""

import os
import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import SetupError
from shared.log.bounds import Bounds
from shared.log.frames import PAGE_BYTES
from shared.log.sqlite_errors import is_passing, sentence_of

FORMAT: Final = "1"
OFFSET_BITS: Final = 48
MOST_PARTITIONS: Final = 1_024

_BUSY_SECONDS: Final = 2.0
_WRITER_CACHE_KIB: Final = 8_192
_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE partitions (
    partition INTEGER PRIMARY KEY,
    first_offset INTEGER NOT NULL,
    next_offset INTEGER NOT NULL
) STRICT;
CREATE TABLE records (id INTEGER PRIMARY KEY, frame BLOB NOT NULL) STRICT;
"""
_TABLES: Final = {"meta", "partitions", "records"}
_BOUNDS = "SELECT partition, first_offset, next_offset FROM partitions ORDER BY partition"
_LOWEST = "SELECT min(id) FROM records WHERE id >= ? AND id < ?"
_HIGHEST = "SELECT max(id) FROM records WHERE id >= ? AND id < ?"


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file that is known to be sound as a whole, and what it says about itself."""

    path: Path
    topic: str
    log_id: str
    partitions: int


def row_id(partition: int, offset: int) -> int:
    """Return the key of the row that holds *offset* of *partition*."""
    return partition << OFFSET_BITS | offset


def write_connection(path: Path) -> sqlite3.Connection:
    """Return a connection whose commits are on the disk when they return.

    Raises:
        SetupError: the folder's file system cannot keep a write-ahead log.
        sqlite3.Error: the file cannot be opened.
    """
    connection = _connect(path)
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # counts for a new file only
    if connection.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise SetupError(f"{path}: this file system cannot hold the log; choose a local folder")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer decides when
    connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    return connection


def read_connection(path: Path) -> sqlite3.Connection:
    """Return a connection that can only read.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    connection.text_factory = bytes  # only a damaged file holds text where frames are
    return connection


def read_bounds(connection: sqlite3.Connection) -> dict[int, Bounds]:
    """Return what each partition holds."""
    return {
        partition: Bounds(first, following)
        for partition, first, following in connection.execute(_BOUNDS)
    }


def open_file(path: Path, *, topic: str, partitions: int) -> LogFile:
    """Make the log file *path*, or check the one that is there; the lock must be held.

    Args:
        path: Where it is; its folder exists.
        topic: The name that positions carry; what the file was made with.
        partitions: How many a new file gets; one that is there keeps its own number.

    Raises:
        SetupError: the file is damaged, not a log, of another format or topic, or cannot be
            opened; the message says what to do.
    """
    if not 1 <= partitions <= MOST_PARTITIONS:
        raise SetupError(f"a log has 1-{MOST_PARTITIONS} partitions, not {partitions}")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        is_new = _is_new(path)
        with closing(write_connection(path)) as connection:
            if is_new:
                _create(connection, topic, partitions)
                sync_folder(path.parent)
            file = _verified(connection, path, topic)
        path.chmod(0o600)  # also of one that was copied here; SQLite's own files follow it
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}; choose another file for the log") from error
    except sqlite3.Error as error:
        if is_passing(error):
            raise SetupError(sentence_of(path, error)) from error
        raise _damaged(path, str(error)) from error
    return file


def _connect(path: Path) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=_BUSY_SECONDS)


def _is_new(path: Path) -> bool:
    # Asked before anything is set, so that a file of somebody else stays as it is.
    with closing(_connect(path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if names and not names >= _TABLES:
        raise SetupError(f"{path} is an SQLite file, but not a log; choose another file")
    return not names


def _create(connection: sqlite3.Connection, topic: str, partitions: int) -> None:
    meta = {
        "format": FORMAT,
        "log_id": secrets.token_hex(16),
        "topic": topic,
        "partitions": str(partitions),
    }
    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA}")
    connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    connection.executemany(
        "INSERT INTO partitions VALUES (?, 0, 0)", [(number,) for number in range(partitions)]
    )
    connection.execute("COMMIT")


def sync_folder(folder: Path) -> None:
    """Let the names in *folder* survive a power cut.

    Raises:
        OSError: the disk did not confirm.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _verified(connection: sqlite3.Connection, path: Path, topic: str) -> LogFile:
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    if meta.get("format") != FORMAT:
        raise SetupError(
            f"{path} is a log of format {meta.get('format')}, this version reads format {FORMAT}; "
            "start the version that wrote it, or choose another file"
        )
    if meta.get("topic") != topic:
        raise SetupError(
            f"{path} holds the topic {meta.get('topic')}, not {topic}; "
            "name that topic, or choose another file"
        )
    page_bytes = connection.execute("PRAGMA page_size").fetchone()
    bounds = read_bounds(connection)
    numbers = [number for held in bounds.values() for number in (held.first, held.next)]
    if (
        page_bytes != (PAGE_BYTES,)
        or "log_id" not in meta
        or meta.get("partitions") != str(len(bounds))
        or list(bounds) != list(range(len(bounds)))
        or not all(isinstance(number, int) for number in numbers)
    ):
        raise _damaged(path, "its tables are incomplete")
    for partition, held in bounds.items():
        if not _ends_are_there(connection, partition, held):
            raise _damaged(path, f"records at the ends of partition {partition} are missing")
    return LogFile(path, topic, meta["log_id"], len(bounds))


def _ends_are_there(connection: sqlite3.Connection, partition: int, held: Bounds) -> bool:
    span = (row_id(partition, 0), row_id(partition + 1, 0))
    (lowest,) = connection.execute(_LOWEST, span).fetchone()
    (highest,) = connection.execute(_HIGHEST, span).fetchone()
    if held.first == held.next:
        return lowest is None
    return bool(
        lowest == row_id(partition, held.first) and highest == row_id(partition, held.next - 1)
    )


def _damaged(path: Path, detail: str) -> SetupError:
    return SetupError(
        f"{path} is damaged or no log ({detail}); put a copy of it back, or move it away to "
        "start with an empty log: what it holds is then not classified"
    )
