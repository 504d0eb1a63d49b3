"""The files of the embedded PostgreSQL: created whole or not at all, checked before each start.

::

    postgres/            mode 0700
      cluster/           PostgreSQL's data directory, owned by the user it runs as
      password           mode 0600, of the one role
      server.log         what PostgreSQL said since its last start
      server.previous.log
      socket             a link to the socket's directory, while the server runs
"""

import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from services.standalone.commands import run_to_end
from services.standalone.postgres_account import PostgresAccount
from services.standalone.postgres_binaries import bundled_major, postgres_program
from shared.errors import SetupError

ROLE: Final = "journeyline"


@dataclass(frozen=True, slots=True)
class PostgresCluster:
    """Where the embedded PostgreSQL keeps its files; *folder* is absolute and free of links."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Self:
        return cls(folder.resolve())

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def socket_link(self) -> Path:
        """Points to the socket's directory while a server runs."""
        return self.folder / "socket"

    @property
    def exists(self) -> bool:
        """Whether anything is there, be it sound or not."""
        return self.folder.exists() and any(self.folder.iterdir())

    def open_log(self) -> BinaryIO:
        """Begin a new log, for the server to write to; the last one is kept beside it."""
        with suppress(FileNotFoundError):
            self.log.replace(self.log.with_name("server.previous.log"))
        self.log.touch(mode=0o600)
        return self.log.open("ab")

    def password(self) -> str:
        """Return the role's password.

        Raises:
            SetupError: The file that holds it is missing, empty or closed to this user.
        """
        file = self.folder / "password"
        try:
            password = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(self.folder, f"cannot read {file}: {error}") from error
        if not password:
            raise _damaged(self.folder, f"{file} is empty")
        return password

    def check(self, account: PostgresAccount) -> None:
        """Make sure that the bundled PostgreSQL can run on these files as *account*.

        Raises:
            SetupError: They are damaged, of another PostgreSQL version, or another user's.
        """
        self.password()
        try:
            found = (self.data / "PG_VERSION").read_text("ascii").strip()
            owner = self.data.stat().st_uid
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(
                self.folder, f"cannot read {self.data / 'PG_VERSION'}: {error}"
            ) from error
        if found != str(bundled_major()):
            raise other_major(self.folder, found)
        if owner != account.uid:
            raise SetupError(
                f"{self.data} belongs to user id {owner}, but PostgreSQL would run as user id "
                f"{account.uid}. Start journeyline as the user who created the data folder."
            )


def other_major(folder: Path, found: str) -> SetupError:
    """Return the refusal of files that PostgreSQL major *found* wrote."""
    ours = bundled_major()
    return SetupError(
        f"{folder} was written by PostgreSQL {found}, but this journeyline brings PostgreSQL "
        f"{ours}, which cannot read it. Start it with the journeyline that wrote it, or convert "
        f"it with pg_upgrade, or choose another data folder."
    )


def _damaged(folder: Path, what: str) -> SetupError:
    return SetupError(
        f"The database in {folder} is damaged: {what}. Restore the data folder from a backup, or "
        "move it away to start with an empty one."
    )


async def create_cluster(
    cluster: PostgresCluster, account: PostgresAccount, *, durable: bool = True
) -> None:
    """Make an empty PostgreSQL cluster with a generated password.

    It grows under another name and is renamed when it is complete, so an interrupted first start
    leaves nothing that a second one would have to repair.

    Args:
        cluster: Must not exist yet; an empty folder is taken over.
        account: Will own the data directory.
        durable: Wait until the disk holds it; false only for throw-away clusters.

    Raises:
        SetupError: ``initdb`` failed; the message carries what it said.
    """
    growing = PostgresCluster(cluster.folder.with_name(f"{cluster.folder.name}.new"))
    shutil.rmtree(growing.folder, ignore_errors=True)
    growing.folder.mkdir(mode=0o700, parents=True)
    password_file = growing.folder / "password"
    password_file.touch(mode=0o600, exist_ok=False)
    password_file.write_text(secrets.token_urlsafe(24) + "\n", "utf-8")
    command = [
        *account.command_prefix,
        str(postgres_program("initdb")),
        f"--pgdata={growing.data}",
        f"--username={ROLE}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--encoding=UTF8",
        "--no-instructions",
        *([] if durable else ["--no-sync"]),
    ]
    status, said = await run_to_end(command)
    if status != 0:
        raise SetupError(f"Cannot create the database in {cluster.folder}. initdb said:\n{said}")
    growing.folder.replace(cluster.folder)
