"""The PostgreSQL server as a child process: started, waited for, stopped, never left behind.

* It has a session of its own, so Ctrl-C in the terminal does not end it before its users.
* The kernel interrupts it when this process dies, however that happens (``postgres_account``).
* Should one be left all the same, the next start finds it by ``postmaster.pid`` and stops it.
"""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL
from typing import Final

from services.standalone.commands import ENVIRONMENT
from services.standalone.postgres_account import PostgresAccount
from services.standalone.postgres_binaries import postgres_program
from services.standalone.postgres_cluster import PostgresCluster
from shared.errors import SetupError

START_LIMIT_SECONDS: Final = 120.0
"""Recovery after a crash may take this long."""

_SAY_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.02
_RETRY_SECONDS: Final = 0.25
_TAIL_BYTES: Final = 2_000
_STOPS: Final = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 3.0))
"""Fast shutdown, immediate shutdown, kill; each with the seconds it gets."""

_STATUS_LINE: Final = 7
_ORPHANS: Final = "is still in use"


@asynccontextmanager
async def postgres_process(
    cluster: PostgresCluster,
    account: PostgresAccount,
    settings: Mapping[str, str],
    progress: Callable[[str], None],
) -> AsyncGenerator[None]:
    """Run the server on *cluster* until the block ends; it accepts connections from the start on.

    Args:
        cluster: Must exist, and no other server may run on it (``stop_leftover``).
        account: The user it runs as.
        settings: Server parameters, above those in the cluster's own files.
        progress: Is told, in sentences, why it takes long.

    Raises:
        SetupError: It ended while starting, or was not ready after ``START_LIMIT_SECONDS``; or, in
            an exception group, it ended by itself while the block ran, which ends the block.
    """
    try:
        async with asyncio.timeout(START_LIMIT_SECONDS):
            process = await _start(cluster, account, settings, progress)
    except TimeoutError:
        raise SetupError(
            f"PostgreSQL was not ready after {START_LIMIT_SECONDS:.0f} s. {_last_words(cluster)}"
        ) from None
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_watch(process, cluster))
        try:
            yield
        finally:
            watching.cancel()
            await _stop(process.send_signal, process.wait)


async def _watch(process: asyncio.subprocess.Process, cluster: PostgresCluster) -> None:
    """Wait for a server that nobody stops.

    Raises:
        SetupError: It has ended.
    """
    await process.wait()
    raise SetupError(
        "PostgreSQL has ended by itself; nothing that was accepted is lost. Start again. "
        + _last_words(cluster)
    )


async def stop_leftover(cluster: PostgresCluster, progress: Callable[[str], None]) -> None:
    """Stop a server that a killed process left on *cluster*, and nothing else.

    Raises:
        SetupError: It does not end.
    """
    pid = _recorded_pid(cluster)
    if pid is not None and _serves(pid, cluster):
        progress(f"Stopping the PostgreSQL that a killed journeyline left (process {pid}).")
        await _stop(lambda number: os.kill(pid, number), lambda: _gone(pid, cluster))
        if _serves(pid, cluster):
            raise SetupError(
                f"Process {pid}, a PostgreSQL left by a killed journeyline, does not end. End it, "
                "then start again."
            )
    # PostgreSQL would take any living process of the recorded number for a server. That no child of
    # a dead server is left it also knows from the shared memory of the data directory.
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)


def _recorded_pid(cluster: PostgresCluster) -> int | None:
    """Return the process id in ``postmaster.pid``, or None where it names none."""
    try:
        return int((cluster.data / "postmaster.pid").read_text("utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _serves(pid: int, cluster: PostgresCluster) -> bool:
    """Whether process *pid* is alive and a PostgreSQL server on this very data directory.

    Reads its command line, which needs no right over the process; a zombie has none.
    """
    try:
        program, *arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return program.rpartition(b"/")[2] == b"postgres" and arguments[:2] == [
        b"-D",
        os.fsencode(cluster.data),
    ]


async def _start(
    cluster: PostgresCluster,
    account: PostgresAccount,
    settings: Mapping[str, str],
    progress: Callable[[str], None],
) -> asyncio.subprocess.Process:
    """Start the server and wait until it is ready.

    A server that was killed may leave children that end only when their work is done; until then a
    new one refuses to start, and is tried again.
    """
    parameters = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    program = [*account.command_prefix, str(postgres_program("postgres"))]
    cluster.begin_log()
    told = False
    while True:
        process = await _spawn([*program, "-D", str(cluster.data), *parameters], cluster)
        try:
            await _ready(process, cluster, progress)
        except BaseException:
            await _stop(process.send_signal, process.wait)
            raise
        if process.returncode is None:
            return process
        if _ORPHANS not in _tail(cluster, of=process.pid):
            raise SetupError(f"PostgreSQL ended while starting. {_last_words(cluster)}")
        if not told:
            progress("Waiting for what a killed PostgreSQL has left to end.")
            told = True
        await asyncio.sleep(_RETRY_SECONDS)


async def _spawn(command: Sequence[str], cluster: PostgresCluster) -> asyncio.subprocess.Process:
    with cluster.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            env=ENVIRONMENT,
            start_new_session=True,
        )


async def _ready(
    process: asyncio.subprocess.Process, cluster: PostgresCluster, progress: Callable[[str], None]
) -> None:
    """Return when the server accepts connections, or has ended."""
    clock = asyncio.get_running_loop().time
    started = clock()
    said = started
    while process.returncode is None and not _says_ready(process.pid, cluster):
        if clock() - said >= _SAY_SECONDS:
            said = clock()
            progress(
                f"PostgreSQL is still starting: {said - started:.0f} s of at most "
                f"{START_LIMIT_SECONDS:.0f} s."
            )
        await asyncio.sleep(_POLL_SECONDS)


def _says_ready(pid: int, cluster: PostgresCluster) -> bool:
    try:
        lines = (cluster.data / "postmaster.pid").read_text("utf-8").splitlines()
    except OSError:
        return False
    return lines[:1] == [str(pid)] and [line.strip() for line in lines[_STATUS_LINE:]] == ["ready"]


async def _stop(send: Callable[[int], None], ended: Callable[[], Awaitable[object]]) -> None:
    """End a server in order, and ever less gently when it does not end."""
    for number, seconds in _STOPS:
        with suppress(ProcessLookupError):
            send(number)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await ended()
                return


async def _gone(pid: int, cluster: PostgresCluster) -> None:
    while _serves(pid, cluster):  # noqa: ASYNC110 - nobody tells of the end of another's child
        await asyncio.sleep(_POLL_SECONDS)


def _last_words(cluster: PostgresCluster) -> str:
    return f"Its log {cluster.log} ends with:\n{_tail(cluster)}"


def _tail(cluster: PostgresCluster, *, of: int | None = None) -> str:
    """Return the end of the log, from where process *of* first speaks in it."""
    with suppress(OSError):
        said = cluster.log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").strip()
        return said if of is None else said[said.find(f"[{of}]") :]
    return ""
