"""What the errors of SQLite mean for a log."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.errors import JourneylineError, LogUnavailable

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PASSING: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN}
)


@contextmanager
def errors_translated(
    path: Path, *, damage: type[JourneylineError] = LogUnavailable
) -> Iterator[None]:
    """Turn errors of SQLite and the system into sentences that say what is wrong.

    Args:
        path: The file they are about.
        damage: What to raise if the file's structure is broken; else it is ``LogUnavailable``.
    """
    try:
        yield
    except sqlite3.Error as error:
        kind = damage if is_damage(error) else LogUnavailable
        raise kind(sentence_of(path, error)) from error
    except OSError as error:
        raise LogUnavailable(f"{path}: {error.strerror}") from error


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether *error* says that the file's structure is broken."""
    return _primary_code(error) in _DAMAGE


def is_passing(error: sqlite3.Error) -> bool:
    """Return whether *error* says nothing about the file, but about what surrounds it."""
    return _primary_code(error) in _PASSING


def sentence_of(path: Path, error: sqlite3.Error) -> str:
    """Return what *error* of the file *path* means to a person."""
    code = _primary_code(error)
    if code == sqlite3.SQLITE_FULL:
        return f"the disk of {path} is full; the log takes records again once there is room"
    if code == sqlite3.SQLITE_IOERR:
        return f"the disk of {path} does not take or give what it should ({error})"
    if code == sqlite3.SQLITE_BUSY:
        return f"another program keeps {path} locked"
    return f"{path} cannot be used: {error}"


def _primary_code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
