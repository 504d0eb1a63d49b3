"""Which files the embedded log opens, and what it says about the others."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import SetupError
from shared.log.embedded import open_embedded_log
from shared.log.port import Entry
from shared.log.sqlite_file import LogFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.sqlite"


async def use(path: Path, partitions: int, topic: str) -> tuple[LogFile, dict[str, int]]:
    async with open_embedded_log(path, partitions=partitions, topic=topic) as log:
        await log.writer.append([Entry(b"key-%d" % number, b"v" * 500) for number in range(50)])
        assert log.reader().assigned == set(range(log.file.partitions))
        return log.file, {name: mode_of(path.with_name(name)) for name in names_in(path.parent)}


def open_log(path: Path, *, partitions: int = 4, topic: str = "journeyline.touchpoints") -> LogFile:
    return asyncio.run(use(path, partitions, topic))[0]


def refusal_of(path: Path, *, topic: str = "journeyline.touchpoints") -> str:
    with pytest.raises(SetupError) as refused:
        open_log(path, topic=topic)
    return refused.value.message


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def test_nobody_else_on_the_machine_can_read_any_of_its_files(path: Path) -> None:
    _, modes = asyncio.run(use(path, 4, "journeyline.touchpoints"))
    assert modes == {
        "log.sqlite": 0o600,
        "log.sqlite-wal": 0o600,
        "log.sqlite-shm": 0o600,
        "log.sqlite.lock": 0o600,
    }


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    open_log(path)
    path.chmod(0o644)
    open_log(path)
    assert mode_of(path) == 0o600


def test_a_log_keeps_the_number_of_partitions_it_was_made_with(path: Path) -> None:
    assert open_log(path, partitions=3).partitions == 3
    assert open_log(path, partitions=8).partitions == 3


def test_a_log_keeps_its_id_and_one_made_anew_under_its_name_has_another(path: Path) -> None:
    log_id = open_log(path).log_id
    assert open_log(path).log_id == log_id
    path.unlink()
    assert open_log(path).log_id != log_id


@pytest.mark.parametrize("partitions", [0, -1, 1_025])
def test_an_impossible_number_of_partitions_is_refused(path: Path, partitions: int) -> None:
    with pytest.raises(SetupError, match="1-1024 partitions"):
        open_log(path, partitions=partitions)


def test_an_empty_file_becomes_a_log(path: Path) -> None:
    path.touch()
    assert open_log(path).partitions == 4


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path) -> None:
    content = b"some other file\n" * 500
    path.write_bytes(content)
    message = refusal_of(path)
    assert str(path) in message
    assert "damaged or no log" in message
    assert path.read_bytes() == content


def test_a_database_that_is_no_log_is_refused_and_left_as_it_is(path: Path) -> None:
    change(path, "CREATE TABLE cookies (value TEXT)")
    path.chmod(0o644)
    content = path.read_bytes()
    assert "not a log" in refusal_of(path)
    assert path.read_bytes() == content
    assert mode_of(path) == 0o644


def test_a_format_of_another_version_is_refused_with_what_to_do(path: Path) -> None:
    open_log(path)
    change(path, "UPDATE meta SET value = '2' WHERE name = 'format'")
    message = refusal_of(path)
    assert "format 2" in message
    assert "start the version that wrote it" in message


def test_another_topic_is_refused(path: Path) -> None:
    open_log(path)
    assert "journeyline.touchpoints, not another" in refusal_of(path, topic="another")


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM records WHERE id = (SELECT max(id) FROM records)",
        "DELETE FROM records WHERE id = (SELECT min(id) FROM records)",
        "UPDATE partitions SET next_offset = next_offset + 1 WHERE partition = 1",
        "UPDATE partitions SET first_offset = next_offset",
        "DELETE FROM partitions WHERE partition = 2",
        "DELETE FROM partitions WHERE partition = 3",
        "DELETE FROM partitions",
        "DELETE FROM meta WHERE name = 'log_id'",
    ],
)
def test_a_log_whose_tables_contradict_each_other_is_refused(path: Path, damage: str) -> None:
    open_log(path)
    change(path, damage)
    assert "damaged" in refusal_of(path)


def test_a_database_of_pages_in_which_it_could_not_forget_is_refused(path: Path) -> None:
    change(path, "PRAGMA journal_mode = WAL")
    assert "damaged" in refusal_of(path)


def test_a_file_cut_off_in_its_middle_is_refused(path: Path) -> None:
    open_log(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "damaged" in refusal_of(path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert "No such file or directory" in refusal_of(tmp_path / "missing" / "log.sqlite")


def test_a_folder_in_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir()
    assert "Is a directory" in refusal_of(path)


def test_a_file_that_another_program_keeps_locked_is_refused_with_that_reason(path: Path) -> None:
    open_log(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        assert "another program keeps" in refusal_of(path)


def test_a_refused_file_can_be_opened_once_it_is_put_right(path: Path) -> None:
    log_id = open_log(path).log_id
    change(path, "UPDATE meta SET value = '2' WHERE name = 'format'")
    refusal_of(path)
    change(path, "UPDATE meta SET value = '1' WHERE name = 'format'")
    assert open_log(path).log_id == log_id
