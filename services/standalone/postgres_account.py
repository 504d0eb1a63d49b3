"""Which user PostgreSQL runs as, and how a process becomes that user.

PostgreSQL refuses to run as root. When this process is root, ``setpriv`` drops to another user but
leaves it the one capability it needs to reach its folder below parents that only root may enter.
So no mode or owner outside of the data folder ever changes.
"""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.standalone.commands import run_to_end
from shared.errors import SetupError

UNPRIVILEGED: Final = "nobody"
_OTHERWISE: Final = (
    "Start journeyline as an ordinary user, or set DATABASE_URL to a PostgreSQL server of your own."
)


@dataclass(frozen=True, slots=True)
class PostgresAccount:
    """The user that owns PostgreSQL's files.

    ``command_prefix`` stands in front of a command to run it as that user, and, where the system
    can, makes the kernel interrupt it when the thread that started it is gone.
    """

    uid: int
    gid: int
    command_prefix: tuple[str, ...]


async def postgres_account(cluster: Path) -> PostgresAccount:
    """Return the user to run PostgreSQL as.

    An ordinary user runs it as himself. Root runs it as the owner of *cluster*, or as ``nobody``
    while *cluster* does not exist.

    Raises:
        SetupError: This process is root and may not drop to another user.
    """
    if os.geteuid() != 0:
        return await _own_account()
    uid, gid = _owner(cluster) or _nobody()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise SetupError(
            "PostgreSQL does not run as root, and `setpriv` (package util-linux) is missing to "
            f"run it as another user. {_OTHERWISE}"
        )
    # The death signal comes last inside of setpriv: a change of user would clear it.
    prefix = (
        setpriv,
        f"--reuid={uid}",
        f"--regid={gid}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--pdeathsig=INT",
        "--",
    )
    refusal = await _refusal(prefix)
    if refusal is not None:
        raise SetupError(
            "PostgreSQL does not run as root, and this system does not let root run it as "
            f"another user ({refusal}). {_OTHERWISE}"
        )
    return PostgresAccount(uid, gid, prefix)


async def _own_account() -> PostgresAccount:
    setpriv = shutil.which("setpriv")
    prefix = (setpriv, "--pdeathsig=INT", "--") if setpriv else ()
    if prefix and await _refusal(prefix) is not None:
        prefix = ()
    return PostgresAccount(os.geteuid(), os.getegid(), prefix)


def _owner(cluster: Path) -> tuple[int, int] | None:
    try:
        status = cluster.stat()
    except OSError:
        return None
    return (status.st_uid, status.st_gid) if status.st_uid != 0 else None


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise SetupError(
            f"PostgreSQL does not run as root, and there is no user {UNPRIVILEGED!r} to run it "
            f"as. {_OTHERWISE}"
        ) from None
    return entry.pw_uid, entry.pw_gid


async def _refusal(prefix: tuple[str, ...]) -> str | None:
    """Say why a command cannot run behind *prefix*, or None if it can."""
    status, said = await run_to_end([*prefix, "true"])
    return None if status == 0 else said or f"exit status {status}"
