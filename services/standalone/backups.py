"""Backups of a standalone deployment: one private file with all that a new machine needs.

The database is dumped first and the log copied after it. So the log of a backup reaches at least as
far as its database has read, and a restored product goes on reading where the dump had got to; a
newer log that is still there heals an older database the same way.
"""

import asyncio
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeAlias

import asyncpg
import msgspec

from services.standalone.commands import run_to_end
from services.standalone.data_folder import DataFolder, is_held, open_data_folder
from services.standalone.postgres import PostgresAddress, running_address, running_postgres
from services.standalone.postgres_binaries import bundled_major, postgres_program
from services.standalone.secrets import write_private
from shared.clock import Clock
from shared.errors import SetupError
from shared.instants import rfc3339
from shared.log.embedded import open_embedded_log

Say: TypeAlias = Callable[[str], None]

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DUMP: Final = "database.dump"
LOG: Final = "log.sqlite"
PRIVATE: Final = ("secrets.json", "credentials.json")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself; ``log_id`` is None where it holds no log."""

    format: int
    created_at: str
    journeyline: str
    postgresql: int
    log_id: str | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: whether the folder's own, newer log was kept."""

    manifest: Manifest
    kept_log: bool


async def back_up(data: Path, to: Path, *, say: Say, clock: Clock, with_log: bool) -> Manifest:
    """Write a backup of the data folder *data* to the file *to*; the product may be running.

    Raises:
        SetupError: there is no such folder, *to* exists, or the database cannot be dumped.
    """
    folder = _folder_to_back_up(data, to)
    with _staging(to) as staging:
        async with _database(folder, say) as address:
            say("Dumping the database.")
            await _postgres_tool(address, "pg_dump", "--format=custom", f"--file={staging / DUMP}")
        log = folder.log / LOG
        has_log = with_log and log.exists()
        if has_log:
            say("Copying the log.")
            await asyncio.to_thread(_copy_log, log, staging / LOG)
        manifest = Manifest(
            format=FORMAT,
            created_at=rfc3339(clock()),
            journeyline=version("journeyline"),
            postgresql=bundled_major(),
            log_id=_log_id(log) if has_log else None,
        )
        (staging / MANIFEST).write_bytes(msgspec.json.encode(manifest))
        sources = {name: folder.path / name for name in PRIVATE}
        sources |= {name: staging / name for name in (MANIFEST, DUMP, LOG)}
        await asyncio.to_thread(_pack, {n: p for n, p in sources.items() if p.exists()}, to)
    return manifest


async def restore(backup: Path, data: Path, *, say: Say) -> Restored:
    """Put the backup *backup* into the data folder *data*, in place of the database there.

    Raises:
        SetupError: the file is no backup that this version reads, the folder is in use, or the
            database cannot be restored.
    """
    with (
        open_data_folder(data, to_restore=True) as folder,
        tempfile.TemporaryDirectory(prefix=".restore-", dir=folder.path) as made,
    ):
        staging = Path(made)
        manifest = await asyncio.to_thread(_unpack, backup, staging)
        kept_log = await _place_log(folder, staging, manifest)
        folder.restoring.touch()
        for name in PRIVATE:
            if (staging / name).exists():
                write_private(folder.path / name, (staging / name).read_bytes())
        async with running_postgres(folder.postgres, progress=say) as address:
            say("Restoring the database.")
            await _empty(address)
            options = ("--exit-on-error", "--no-owner", "--no-privileges")
            await _postgres_tool(address, "pg_restore", *options, str(staging / DUMP))
        folder.restoring.unlink()
    return Restored(manifest, kept_log)


def _folder_to_back_up(data: Path, to: Path) -> DataFolder:
    folder = DataFolder(data.absolute())
    if not folder.versions.exists():
        raise SetupError(f"{data} is no data folder: there is nothing to back up")
    if to.exists():
        raise SetupError(f"{to} exists: a backup never overwrites another")
    return folder


@contextmanager
def _staging(to: Path) -> Generator[Path]:
    """Yield a private folder on the disk of *to*."""
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=to.absolute().parent) as made:
        yield Path(made)


@asynccontextmanager
async def _database(folder: DataFolder, say: Say) -> AsyncGenerator[PostgresAddress]:
    """Yield where the database answers: the running product's, or one started for this."""
    if is_held(folder.path):
        yield running_address(folder.postgres)
        return
    with open_data_folder(folder.path) as held:
        async with running_postgres(held.postgres, progress=say) as address:
            yield address


async def _postgres_tool(address: PostgresAddress, name: str, *options: str) -> None:
    where = (
        f"--host={address.socket_directory}",
        f"--port={address.port}",
        f"--username={address.user}",
        f"--dbname={address.database}",
    )
    command = [str(postgres_program(name)), *where, "--no-password", *options]
    status, said = await run_to_end(command, secrets={"PGPASSWORD": address.password})
    if status:
        raise SetupError(f"{name} failed: {said[-500:]}")


async def _empty(address: PostgresAddress) -> None:
    """Put an empty database in place of the one that is there."""
    connection = await asyncpg.connect(
        host=str(address.socket_directory),
        port=address.port,
        user=address.user,
        password=address.password,
        database="postgres",
    )
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{address.database}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{address.database}" TEMPLATE template0')
    finally:
        await connection.close()


async def _place_log(folder: DataFolder, staging: Path, manifest: Manifest) -> bool:
    """Use the backup's log unless the folder has the same log, which then reaches further."""
    own, copied = folder.log / LOG, staging / LOG
    if own.exists():
        async with open_embedded_log(own) as log:
            same = log.file.log_id == manifest.log_id
        if same or manifest.log_id is None:
            return True
        raise SetupError(
            f"{own} is another log than the backup's: move {folder.log} away, and restore again"
        )
    if copied.exists():
        folder.log.mkdir(mode=0o700, exist_ok=True)
        copied.replace(own)
    return False


def _copy_log(log: Path, to: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(to)) as target,
    ):
        source.backup(target)


def _log_id(log: Path) -> str:
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as connection:
        return str(connection.execute("SELECT value FROM meta WHERE name = 'log_id'").fetchone()[0])


def _pack(members: dict[str, Path], to: Path) -> None:
    growing = to.with_name(f"{to.name}.new")
    descriptor = os.open(growing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        for name, path in members.items():
            archive.add(path, name, recursive=False)
        file.flush()
        os.fsync(file.fileno())
    growing.replace(to)


def _unpack(backup: Path, to: Path) -> Manifest:
    known = {MANIFEST, DUMP, LOG, *PRIVATE}
    try:
        with tarfile.open(backup) as archive:
            for member in archive:
                if member.name in known and member.isfile():
                    archive.extract(member, to, filter="data")
        manifest = msgspec.json.decode((to / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, tarfile.TarError, msgspec.DecodeError) as error:
        raise SetupError(f"{backup} is no backup of journeyline: {error}") from error
    if manifest.format > FORMAT or manifest.postgresql > bundled_major():
        raise SetupError(
            f"{backup} was made by journeyline {manifest.journeyline}, which is newer: restore it "
            "with that version"
        )
    return manifest
