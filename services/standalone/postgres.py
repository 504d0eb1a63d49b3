"""The embedded PostgreSQL of a standalone Journeyline."""

import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import asyncpg

from services.standalone.postgres_account import PostgresAccount, postgres_account
from services.standalone.postgres_cluster import ROLE, PostgresCluster, create_cluster
from services.standalone.postgres_process import postgres_process, stop_leftover
from shared.errors import SetupError

DATABASE: Final = "journeyline"
PORT: Final = 5432
"""Only part of the socket's name; no TCP port is opened."""

TUNING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "listen_addresses": "",
        "max_connections": "60",
        "shared_buffers": "128MB",
        "fsync": "on",
        "synchronous_commit": "on",
        "wal_compression": "on",
        "max_wal_size": "1GB",
        "checkpoint_completion_target": "0.9",
        "max_logical_replication_workers": "0",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # What statements carry is personal data; the caller sees their errors, the log need not.
        "log_min_messages": "log",
        "log_checkpoints": "off",
    }
)
"""Server parameters for one machine that the product shares with others."""

_SOCKET_PREFIX: Final = "journeyline-"
_SOCKET_PATH_BYTES: Final = 103
"""What every system allows for the path of a socket."""


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Where a running PostgreSQL answers, and as whom to ask."""

    socket_directory: Path
    port: int
    user: str
    password: str = field(repr=False)
    database: str

    @property
    def dsn(self) -> str:
        """The address as SQLAlchemy reads it: ``postgresql+asyncpg://…``."""
        host = quote(str(self.socket_directory), safe="/")
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        database = quote(self.database, safe="")
        return f"postgresql+asyncpg://{user}:{password}@/{database}?host={host}&port={self.port}"


@asynccontextmanager
async def running_postgres(
    folder: Path,
    *,
    progress: Callable[[str], None],
    settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncGenerator[PostgresAddress]:
    """Run the embedded PostgreSQL on *folder* until the block ends.

    Creates its files on first use. It listens on a private unix socket only, which lies outside of
    *folder* because the path of a socket may not be long.

    Args:
        folder: Owned by PostgreSQL alone; the caller makes sure that no other process uses it.
        progress: Is told in sentences what takes time.
        settings: Server parameters above ``TUNING``, for throw-away clusters.

    Raises:
        SetupError: The files are damaged or of another version, or the server does not start; the
            message says what to do.
    """
    cluster = PostgresCluster.at(folder)
    account = await postgres_account(cluster.data)
    parameters = {**TUNING, **settings}
    if not cluster.exists:
        progress("Creating the database, once.")
        await create_cluster(cluster, account, durable=parameters["fsync"] == "on")
    cluster.check(account)
    await stop_leftover(cluster, progress)
    with _socket_directory(cluster, account) as directory:
        parameters["unix_socket_directories"] = '"{}"'.format(str(directory).replace('"', '""'))
        progress("Starting PostgreSQL.")
        async with postgres_process(cluster, account, parameters, progress):
            address = PostgresAddress(directory, PORT, ROLE, cluster.password(), DATABASE)
            await _ensure_database(address)
            yield address


def running_address(folder: Path) -> PostgresAddress:
    """Return where the PostgreSQL that another process runs on *folder* answers.

    Raises:
        SetupError: none runs there.
    """
    cluster = PostgresCluster.at(folder)
    try:
        directory = cluster.socket_link.readlink()
    except OSError as error:
        raise SetupError(f"no PostgreSQL runs on {folder}: {error.strerror}") from error
    return PostgresAddress(directory, PORT, ROLE, cluster.password(), DATABASE)


@contextmanager
def _socket_directory(cluster: PostgresCluster, account: PostgresAccount) -> Iterator[Path]:
    """Yield a fresh private directory with a short path, and remove it on the way out.

    A link in the data folder names it, by which the next start clears away what a killed process
    left.
    """
    _clear_socket_directory(cluster, account)
    directory = Path(tempfile.mkdtemp(prefix=_SOCKET_PREFIX, dir=_short_folder()))
    os.chown(directory, account.uid, account.gid)
    cluster.socket_link.symlink_to(directory)
    try:
        yield directory
    finally:
        _clear_socket_directory(cluster, account)


def _clear_socket_directory(cluster: PostgresCluster, account: PostgresAccount) -> None:
    with suppress(OSError):
        directory = cluster.socket_link.readlink()
        ours = directory.name.startswith(_SOCKET_PREFIX) and not directory.is_symlink()
        if ours and directory.stat().st_uid == account.uid:
            shutil.rmtree(directory)
    cluster.socket_link.unlink(missing_ok=True)


def _short_folder() -> Path:
    """Return a folder for temporary files whose path leaves room for that of a socket."""
    room = _SOCKET_PATH_BYTES - len(f"/{_SOCKET_PREFIX}12345678/.s.PGSQL.{PORT}")
    for folder in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/dev/shm")):  # noqa: S108 - made private by mkdtemp
        if len(os.fsencode(folder)) <= room and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise SetupError(
        "PostgreSQL needs a writable folder with a short path for its socket. Set TMPDIR to one of "
        f"at most {room} bytes."
    )


async def _ensure_database(address: PostgresAddress) -> None:
    """Create the product's database in a cluster that lacks it."""
    connection = await asyncpg.connect(
        host=str(address.socket_directory),
        port=address.port,
        user=address.user,
        password=address.password,
        database="postgres",
    )
    try:
        found = await connection.fetchval(
            "SELECT 1 FROM pg_database WHERE datname = $1", address.database
        )
        if found is None:
            await connection.execute(f'CREATE DATABASE "{address.database}"')
    finally:
        await connection.close()
