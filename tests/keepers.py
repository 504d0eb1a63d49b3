"""Servers that all tests of a run share, whichever process runs them.

A keeper process (``python -m tests.NAME FOLDER``) holds the server, so that no test process owns
what the others use. Every user holds a shared lock on a file; the keeper waits for the exclusive
one, which the system grants when the last user is gone, however it went.
"""

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).parents[1]
_START_LIMIT_SECONDS: Final = 180.0


def run_folder(request: pytest.FixtureRequest, paths: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of this run of tests share."""
    folder = paths.getbasetemp()
    return folder.parent if hasattr(request.config, "workerinput") else folder


@contextmanager
def joined(module: str, folder: Path) -> Generator[Mapping[str, str]]:
    """Use the server of *folder*, which the first user starts and none of them has to stop.

    Yields what the keeper, *module*, says of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users.lock").open("w") as users:
        with (folder / "start.lock").open("w") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)
            server = _read(folder) or _start_keeper(module, folder)
        yield server


@contextmanager
def keeping(folder: Path) -> Generator[Callable[[Mapping[str, str]], None]]:
    """Yield what a keeper calls with what it has to say of its server: waits for the last user.

    Whoever comes after that waits until the keeper has left the block and starts another server.
    """
    with (folder / "users.lock").open("w") as users:

        def serve(said: Mapping[str, str]) -> None:
            growing = folder / "server.json.new"
            growing.write_text(json.dumps(said), "utf-8")
            growing.replace(folder / "server.json")
            fcntl.flock(users, fcntl.LOCK_EX)
            (folder / "server.json").unlink()

        yield serve


def _read(folder: Path) -> Mapping[str, str] | None:
    with suppress(FileNotFoundError):
        return dict(json.loads((folder / "server.json").read_text("utf-8")))
    return None


def _start_keeper(module: str, folder: Path) -> Mapping[str, str]:
    log = folder / "keeper.log"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", module, str(folder)],
        {**os.environ, "PYTHONPATH": str(_ROOT)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    deadline = time.monotonic() + _START_LIMIT_SECONDS
    while time.monotonic() < deadline and os.waitpid(pid, os.WNOHANG) == (0, 0):
        if (server := _read(folder)) is not None:
            return server
        time.sleep(0.02)
    raise RuntimeError(f"{module} did not start:\n{log.read_text('utf-8')}")
