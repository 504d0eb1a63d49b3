"""The embedded PostgreSQL: starts anywhere, keeps what was committed, leaves nothing behind."""

import asyncio
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.standalone.commands import ENVIRONMENT
from services.standalone.postgres import PostgresAddress, running_postgres
from services.standalone.postgres_account import postgres_account
from services.standalone.postgres_binaries import postgres_program
from shared.errors import SetupError

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop to another user")
QUICK = {"fsync": "off"}
COUNTING = "SELECT count(*) FROM generate_series(1, 8000000)"
ROOT = Path(__file__).parents[3]
OWNER = """
import asyncio, sys
from pathlib import Path
from services.standalone.postgres import running_postgres

async def own() -> None:
    async with running_postgres(
        Path(sys.argv[1]), progress=lambda said: None, settings={"fsync": "off"}
    ) as address:
        print(address.socket_directory, flush=True)
        await asyncio.Event().wait()

asyncio.run(own())
"""


@asynccontextmanager
async def _running(folder: Path, **settings: str) -> AsyncGenerator[PostgresAddress]:
    async with running_postgres(
        folder, progress=lambda _: None, settings={**QUICK, **settings}
    ) as address:
        yield address


@asynccontextmanager
async def _session(address: PostgresAddress) -> AsyncGenerator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        host=str(address.socket_directory),
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.database,
    )
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


async def _ask(address: PostgresAddress, query: str) -> object:
    async with _session(address) as connection:
        return await connection.fetchval(query)


async def _refusal(folder: Path, **settings: str) -> str:
    with pytest.raises(SetupError) as caught:
        async with _running(folder, **settings):
            pytest.fail("the server started")
    return caught.value.message


@asynccontextmanager
async def _process(command: Sequence[str | Path]) -> AsyncGenerator[Process]:
    """Run a process with an environment of its own; it is killed in the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@asynccontextmanager
async def _owner(folder: Path, *prefix: str) -> AsyncGenerator[tuple[Process, Path]]:
    """Run a process that owns a server; yields it and the socket's directory."""
    async with _process([*prefix, sys.executable, "-c", OWNER, folder]) as process:
        assert process.stdout is not None
        yield process, Path((await process.stdout.readline()).decode().strip())


@pytest.fixture
def short_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def _server_pid(folder: Path) -> int:
    return int(_lock_file(folder).split("\n", 1)[0])


def _server_uid(folder: Path) -> int:
    return Path(f"/proc/{_server_pid(folder)}").stat().st_uid


def _lock_file(folder: Path) -> str:
    with suppress(FileNotFoundError):
        return (folder / "cluster" / "postmaster.pid").read_text()
    return ""


def _alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    return False


async def _until_busy(address: PostgresAddress, part: str) -> None:
    """Return when a session runs a query that contains *part*."""
    query = "SELECT 1 FROM pg_stat_activity WHERE query ~ $1 AND pid <> pg_backend_pid()"
    async with asyncio.timeout(30), _session(address) as connection:
        while await connection.fetchval(query, part) is None:
            pass


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - no event tells of another's child
            await asyncio.sleep(0.02)


async def test_the_first_start_makes_the_database_and_the_second_keeps_it(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with _running(folder) as first:
        await _ask(first, "CREATE TABLE kept AS SELECT 42 AS answer")
    async with _running(folder) as second:
        assert await _ask(second, "SELECT answer FROM kept") == 42
        assert second.password == first.password


async def test_a_first_start_says_that_it_creates_the_database_and_a_second_does_not(
    tmp_path: Path,
) -> None:
    said: list[list[str]] = [[], []]
    for sentences in said:
        async with running_postgres(tmp_path / "p", progress=sentences.append, settings=QUICK):
            pass
    assert any("Creating the database" in sentence for sentence in said[0])
    assert not any("Creating the database" in sentence for sentence in said[1])


async def test_sqlalchemy_reaches_the_database_by_its_address(tmp_path: Path) -> None:
    async with _running(tmp_path / "postgres") as address:
        engine = create_async_engine(address.dsn)
        async with engine.connect() as connection:
            database = await connection.scalar(text("SELECT current_database()"))
        await engine.dispose()
    assert database == "journeyline"


async def test_text_is_utf8_and_sorts_by_code_point_on_every_machine(tmp_path: Path) -> None:
    query = (
        "SELECT concat_ws(' ', pg_encoding_to_char(encoding), datlocprovider, datlocale) "
        "FROM pg_database WHERE datname = current_database()"
    )
    async with _running(tmp_path / "postgres") as address:
        assert await _ask(address, query) == "UTF8 b C.UTF-8"


async def test_it_is_durable_and_keeps_statements_out_of_its_log(tmp_path: Path) -> None:
    async with (
        running_postgres(tmp_path / "postgres", progress=lambda _: None) as address,
        _session(address) as connection,
    ):
        for name, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "listen_addresses": "",
            "TimeZone": "UTC",
            "jit": "off",
            "data_checksums": "on",
        }.items():
            assert await connection.fetchval("SELECT current_setting($1)", name) == value
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.execute("SELECT 1 / 0 AS somebody_at_example_org")
    assert "somebody" not in (tmp_path / "postgres" / "server.log").read_text()


@pytest.mark.parametrize(
    "name",
    ['it\'s a "quoted" folder, $HOME; %s', "Größe 顧客 🛤", "x" * 200, "-dash", "a\\b\nc"],
    ids=["quotes", "unicode", "long", "dash", "newline"],
)
async def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    async with _running(tmp_path / name / "postgres") as address:
        assert await _ask(address, "SELECT 1") == 1


async def test_a_long_folder_for_temporary_files_does_not_hinder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / ("t" * 100)
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    async with _running(tmp_path / "postgres") as address:
        assert await _ask(address, "SELECT 1") == 1


async def test_a_wrong_password_opens_nothing(tmp_path: Path) -> None:
    async with _running(tmp_path / "postgres") as address:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await _ask(replace(address, password="guessed"), "SELECT 1")


async def test_the_password_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with _running(folder) as address:
        assert (folder / "password").read_text().strip() == address.password
        assert (folder / "password").stat().st_mode & 0o777 == 0o600
        assert folder.stat().st_mode & 0o777 == 0o700
        assert address.socket_directory.stat().st_mode & 0o777 == 0o700


async def test_a_stop_is_orderly_and_leaves_no_file_or_process(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with _running(folder) as address:
        pid = _server_pid(folder)
    assert not _alive(pid)
    assert not (folder / "cluster" / "postmaster.pid").exists()
    assert not address.socket_directory.exists()
    assert not (folder / "socket").is_symlink()
    assert "database system is shut down" in (folder / "server.log").read_text()


async def test_open_connections_do_not_delay_the_stop(tmp_path: Path) -> None:
    async with _running(tmp_path / "postgres") as address:
        connection = await asyncpg.connect(address.dsn.replace("+asyncpg", ""))
        asleep = asyncio.create_task(connection.execute("SELECT pg_sleep(600)"))
        await _until_busy(address, "pg_sleep")
    with pytest.raises(asyncpg.PostgresConnectionError):
        await asleep
    connection.terminate()


async def test_the_terminal_cannot_interrupt_the_server(tmp_path: Path) -> None:
    async with _running(tmp_path / "postgres"):
        assert os.getsid(_server_pid(tmp_path / "postgres")) != os.getsid(0)


@AS_ROOT
async def test_root_changes_nothing_above_the_data_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    places = [Path("/"), *reversed(closed.parents), closed]
    before = [(place.stat().st_mode, place.stat().st_uid) for place in places]
    async with _running(closed / "data" / "postgres") as address:
        assert await _ask(address, "SELECT 1") == 1
        assert _server_uid(closed / "data" / "postgres") != 0
    assert [(place.stat().st_mode, place.stat().st_uid) for place in places] == before


@AS_ROOT
async def test_root_runs_the_database_of_an_ordinary_user_as_that_user(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with _running(folder):
        pass
    for path in [folder / "cluster", *(folder / "cluster").rglob("*")]:
        os.chown(path, 12_345, 12_345)
    async with _running(folder):
        assert _server_uid(folder) == 12_345


@AS_ROOT
async def test_a_database_that_root_has_copied_is_refused_with_the_way_out(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "postgres"
    async with _running(folder):
        pass
    os.chown(folder / "cluster", 0, 0)
    assert "chown -R" in await _refusal(folder)


@AS_ROOT
async def test_an_ordinary_user_runs_it_as_himself(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 65_534, 65_534)
    # The capability only lets him reach the interpreter and this folder below root's own.
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    reach = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--"]
    async with _owner(data / "postgres", *user, *reach) as (process, _):
        assert (data / "postgres" / "password").stat().st_uid == 65_534
        assert (data / "postgres" / "cluster").stat().st_uid == 65_534
        process.send_signal(signal.SIGINT)
        assert await process.wait() == -signal.SIGINT
    assert "is shut down" in (data / "postgres" / "server.log").read_text()


async def test_a_killed_owner_leaves_no_server(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with _owner(folder) as (process, directory):
        pid = _server_pid(folder)
        assert _alive(pid)
        process.kill()
        await _until(lambda: not _alive(pid))
    async with _running(folder) as address:
        assert await _ask(address, "SELECT 1") == 1
        assert not directory.exists()


async def test_a_server_that_was_left_behind_is_stopped_first(
    tmp_path: Path, short_folder: Path
) -> None:
    folder = tmp_path / "postgres"
    async with _running(folder):
        pass
    account = await postgres_account(folder / "cluster")
    os.chown(short_folder, account.uid, account.gid)
    server = [str(postgres_program("postgres")), "-D", str(folder / "cluster")]
    sockets = ["-k", str(short_folder), "-c", "listen_addresses="]
    async with _process([*account.command_prefix, *server, *sockets]) as left:
        await _until(lambda: "ready" in _lock_file(folder))
        said: list[str] = []
        async with running_postgres(folder, progress=said.append, settings=QUICK) as address:
            assert await left.wait() == 0
            assert await _ask(address, "SELECT 1") == 1
        assert any(f"process {left.pid}" in sentence for sentence in said)


async def test_a_lock_file_with_a_strangers_process_id_hinders_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    async with _running(folder):
        _, _, rest = _lock_file(folder).partition("\n")
    account = await postgres_account(folder / "cluster")
    async with _process([*account.command_prefix, "sleep", "600"]) as stranger:
        lock_file = folder / "cluster" / "postmaster.pid"
        lock_file.write_text(f"{stranger.pid}\n{rest}")
        os.chown(lock_file, account.uid, account.gid)
        async with _running(folder) as address:
            assert await _ask(address, "SELECT 1") == 1
        assert _alive(stranger.pid)


@pytest.mark.parametrize("rubbish", ["", "no number\n", "-1\n", "999999999999\n"])
async def test_a_damaged_lock_file_hinders_nobody(tmp_path: Path, rubbish: str) -> None:
    folder = tmp_path / "postgres"
    async with _running(folder):
        pass
    lock_file = folder / "cluster" / "postmaster.pid"
    lock_file.write_text(rubbish)
    async with _running(folder) as address:
        assert await _ask(address, "SELECT 1") == 1


async def _kill_a_busy_server(folder: Path) -> None:
    """Kill the server while one of its children is deaf to that until it has counted."""
    async with _running(folder) as address, _session(address) as busy:
        await _ask(address, "CREATE TABLE kept AS SELECT 42 AS answer")
        counting = asyncio.create_task(busy.fetchval(COUNTING))
        await _until_busy(address, "generate_series")
        os.kill(_server_pid(folder), signal.SIGKILL)
        assert await counting == 8_000_000
        await asyncio.Event().wait()


async def test_committed_work_outlives_a_killed_server_with_a_busy_child(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    with pytest.raises(ExceptionGroup) as ended:
        await _kill_a_busy_server(folder)
    assert ended.group_contains(SetupError, match="ended by itself")
    async with running_postgres(folder, progress=lambda _: None, settings=QUICK) as again:
        assert await _ask(again, "SELECT answer FROM kept") == 42


async def test_what_a_server_says_before_it_fails_is_in_the_error(tmp_path: Path) -> None:
    message = await _refusal(tmp_path / "postgres", wal_level="unheard-of")
    assert "unheard-of" in message
    assert str(tmp_path / "postgres" / "server.log") in message


async def test_a_first_start_that_was_interrupted_can_be_tried_again(tmp_path: Path) -> None:
    half = tmp_path / "postgres.new" / "cluster"
    half.mkdir(parents=True)
    (half / "rubbish").write_text("half a file")
    async with _running(tmp_path / "postgres") as address:
        assert await _ask(address, "SELECT 1") == 1
    assert not half.exists()


async def test_an_empty_folder_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    async with _running(tmp_path / "postgres") as address:
        assert await _ask(address, "SELECT 1") == 1


def _remove_version(folder: Path) -> None:
    (folder / "cluster" / "PG_VERSION").unlink()


def _age(folder: Path) -> None:
    (folder / "cluster" / "PG_VERSION").write_text("15\n")


def _remove_password(folder: Path) -> None:
    (folder / "password").unlink()


def _empty_password(folder: Path) -> None:
    (folder / "password").write_text("")


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (_remove_version, "PG_VERSION"),
        (_age, "PostgreSQL 15"),
        (_remove_password, "password"),
        (_empty_password, "password is empty"),
    ],
)
async def test_a_damaged_or_foreign_database_is_refused_with_the_way_out(
    tmp_path: Path, harm: Callable[[Path], None], expected: str
) -> None:
    folder = tmp_path / "postgres"
    async with _running(folder):
        pass
    harm(folder)
    message = await _refusal(folder)
    assert expected in message
    assert str(folder) in message


async def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("in the way")
    assert "damaged" in await _refusal(tmp_path / "postgres")


async def test_a_folder_that_cannot_be_made_is_refused() -> None:
    assert "Cannot create the database" in await _refusal(Path("/proc/journeyline/postgres"))
