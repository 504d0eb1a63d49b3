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
import shlex
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

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
        try:
            return any(self.folder.iterdir())
        except FileNotFoundError:
            return False
        except OSError:
            return True  # closed to us, or no folder at all: reading it will say so

    def begin_log(self) -> None:
        """Begin a new log for the server to write to; the last one is kept beside it."""
        with suppress(FileNotFoundError):
            self.log.replace(self.log.with_name("server.previous.log"))
        self.log.touch(mode=0o600)

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    def prepare(self) -> None:
        """Make the folder anew, with nothing in it but a generated password."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        self.password_file.touch(mode=0o600, exist_ok=False)
        self.password_file.write_text(secrets.token_urlsafe(24) + "\n", "utf-8")

    def password(self) -> str:
        """Return the role's password.

        Raises:
            SetupError: The file that holds it is missing, empty or closed to this user.
        """
        file = self.password_file
        try:
            password = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(self.folder, f"cannot read {file}: {error}") from error
        if not password:
            raise _damaged(self.folder, f"{file} is empty")
        return password

    def major(self) -> int:
        """Return the major version of the PostgreSQL that wrote these files.

        Raises:
            SetupError: They do not say so.
        """
        file = self.data / "PG_VERSION"
        try:
            return int(file.read_text("ascii"))
        except (OSError, ValueError) as error:
            raise _damaged(self.folder, f"cannot read {file}: {error}") from error

    def check_version(self) -> None:
        """Make sure that the bundled PostgreSQL can read these files.

        Raises:
            SetupError: They are damaged or of another major version.
        """
        found, ours = self.major(), bundled_major()
        if found != ours:
            raise SetupError(
                f"{self.folder} was written by PostgreSQL {found}, but this journeyline brings "
                f"PostgreSQL {ours}, which cannot read it. Start it with the journeyline that "
                "wrote it, convert it with pg_upgrade, or choose another data folder."
            )

    def check(self, account: PostgresAccount) -> None:
        """Make sure that the bundled PostgreSQL can run on these files as *account*.

        Raises:
            SetupError: They are damaged, of another major version, or another user's.
        """
        self.check_version()
        self.password()
        owner = self.data.stat().st_uid
        if owner != account.uid:
            raise SetupError(
                f"{self.data} belongs to user id {owner}, but PostgreSQL would run as user id "
                f"{account.uid}. Start journeyline as the user who created the data folder, or, as "
                f"root, run `chown -R {account.uid}:{account.gid} {shlex.quote(str(self.data))}`."
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
    try:
        growing.prepare()
        status, said = await run_to_end(_initdb(growing, account, durable=durable))
        if status == 0:
            growing.folder.replace(cluster.folder)
    except OSError as error:
        raise SetupError(f"Cannot create the database in {cluster.folder}: {error}.") from error
    if status != 0:
        raise SetupError(f"Cannot create the database in {cluster.folder}. initdb said:\n{said}")


def _initdb(cluster: PostgresCluster, account: PostgresAccount, *, durable: bool) -> list[str]:
    return [
        *account.command_prefix,
        str(postgres_program("initdb")),
        f"--pgdata={cluster.data}",
        f"--username={ROLE}",
        f"--pwfile={cluster.password_file}",
        "--auth=scram-sha-256",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--encoding=UTF8",
        "--no-instructions",
        *([] if durable else ["--no-sync"]),
    ]
