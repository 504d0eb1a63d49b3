"""The data folder of a standalone Journeyline: one process at a time, versions on record.

::

    data/                mode 0700
      lock               held while a process uses the folder; names that process
      versions.json      what wrote the folder
      restoring          there while a backup is restored
      credentials.json   mode 0600, the first keys
      postgres/          the embedded PostgreSQL
      log/               the embedded log
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from services.standalone.postgres_cluster import PostgresCluster
from shared.errors import SetupError

DATA_FORMAT: Final = 1
"""Counts the layouts of the folder; an older one is brought up to this, a newer one refused."""


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """What last wrote a data folder; *postgresql* is a major version, None before there is one."""

    data_format: int
    journeyline: str
    postgresql: int | None = None


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The places in a data folder that this process holds; *path* is absolute.

    Whoever uses a place makes it. ``postgres`` is for ``running_postgres``.
    """

    path: Path

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def credentials(self) -> Path:
        return self.path / "credentials.json"

    @property
    def versions(self) -> Path:
        return self.path / "versions.json"

    @property
    def restoring(self) -> Path:
        return self.path / "restoring"

    @property
    def lock(self) -> Path:
        return self.path / "lock"


@contextmanager
def open_data_folder(path: Path, *, to_restore: bool = False) -> Generator[DataFolder]:
    """Hold the data folder at *path* until the block ends; make it where it is missing.

    The system gives it free when this process dies, however that happens. One in which a restore
    was broken off holds a part of a database, and is opened only *to_restore* it again.

    Raises:
        SetupError: It cannot be made or written, another process holds it, another version wrote
            it, or it is damaged; the message names the path and says what to do.
    """
    folder = DataFolder(path.absolute())
    with _held(folder):
        if folder.restoring.exists() and not to_restore:
            raise SetupError(
                f"A restore into {folder.path} was broken off, and its database is not whole: "
                f"repeat journeyline restore FILE --data {path}"
            )
        _check(folder, _read_versions(folder))
        _write_versions(folder)
        try:
            yield folder
        finally:
            with suppress(SetupError):  # the next start records it as well
                _write_versions(folder)


def is_held(path: Path) -> bool:
    """Tell whether a process uses the data folder at *path* now."""
    try:
        with DataFolder(path.absolute()).lock.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def _held(folder: DataFolder) -> Generator[None]:
    try:
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = folder.lock.open("a+", encoding="ascii", errors="replace")
    except OSError as error:
        raise _unusable(folder, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read(20).strip() or "of unknown number"
            raise SetupError(
                f"The data folder {folder.path} is in use by process {holder}. Stop that one "
                "first, or choose another folder with --data DIR."
            ) from None
        except OSError as error:
            raise _unusable(folder, error) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _read_versions(folder: DataFolder) -> Versions | None:
    """Return what is on record, or None in a folder that is new."""
    try:
        return msgspec.json.decode(folder.versions.read_bytes(), type=Versions)
    except FileNotFoundError:
        used = [place for place in (folder.postgres, folder.log) if place.exists()]
        if used:
            raise _damaged(folder, f"{folder.versions} is missing beside {used[0]}") from None
        return None
    except msgspec.DecodeError as error:
        raise _damaged(folder, f"{folder.versions} cannot be read: {error}") from error
    except OSError as error:
        raise _unusable(folder, error) from error


def _check(folder: DataFolder, found: Versions | None) -> None:
    if found is not None and found.data_format > DATA_FORMAT:
        raise SetupError(
            f"The data folder {folder.path} was written by a newer journeyline "
            f"({found.journeyline}, data format {found.data_format}; this one knows up to "
            f"{DATA_FORMAT}). Start that version, or choose another folder with --data DIR."
        )
    cluster = PostgresCluster(folder.postgres)
    if cluster.exists:
        cluster.check_version()
    if found is not None and found.postgresql not in {None, _major(cluster)}:
        raise _damaged(
            folder,
            f"{folder.versions} tells of a database of PostgreSQL {found.postgresql}, which "
            f"{folder.postgres} does not hold",
        )


def _major(cluster: PostgresCluster) -> int | None:
    return cluster.major() if cluster.exists else None


def _write_versions(folder: DataFolder) -> None:
    """Put the present versions on record, whole or not at all."""
    present = Versions(
        data_format=DATA_FORMAT,
        journeyline=version("journeyline"),
        postgresql=_major(PostgresCluster(folder.postgres)),
    )
    growing = folder.versions.with_name("versions.json.new")
    try:
        growing.write_bytes(msgspec.json.encode(present) + b"\n")
        growing.replace(folder.versions)
    except OSError as error:
        raise _unusable(folder, error) from error


def _unusable(folder: DataFolder, error: OSError) -> SetupError:
    return SetupError(
        f"Cannot use {folder.path} as the data folder: {error.strerror}. Make it a folder that "
        f"user id {os.geteuid()} may write, or choose another with --data DIR."
    )


def _damaged(folder: DataFolder, what: str) -> SetupError:
    return SetupError(
        f"The data folder {folder.path} is damaged: {what}. Restore it from a backup, or choose an "
        "empty folder with --data DIR to start anew."
    )
