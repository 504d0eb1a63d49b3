"""What the embedded log keeps when processes die, disks fill and files are damaged."""

import asyncio
import random
import shutil
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.errors import LogDamaged, LogUnavailable, SetupError
from shared.log.embedded import EmbeddedLog, open_embedded_log
from shared.log.port import Entry, LogRecord
from shared.log.sqlite_file import write_connection
from tests.integration.log.child import TASKS, value_of

REPOSITORY = Path(__file__).parents[3]
GIB = 1 << 30


class Acknowledged(NamedTuple):
    """A line of the child: an append that returned."""

    key: bytes
    values: list[bytes]
    places: list[tuple[int, int]]


async def start_child(command: str, path: Path) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.log.child",
        command,
        str(path),
        cwd=REPOSITORY,
        stdout=PIPE,
    )


async def lines_of_child(command: str, path: Path) -> list[str]:
    child = await start_child(command, path)
    output, _ = await child.communicate()
    return output.decode().splitlines()


async def kill_amid_appends(path: Path, life: str, after: int) -> list[Acknowledged]:
    """Let a child append, kill it after *after* appends returned, and return all that did."""
    child = await start_child(life, path)
    assert child.stdout is not None
    lines = [await child.stdout.readline() for _ in range(after)]
    child.kill()
    rest = await child.stdout.read()
    await child.wait()
    lines += [line for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
    return [acknowledged(line.decode()) for line in lines]


def acknowledged(line: str) -> Acknowledged:
    life, task, turn, *places = line.split()
    return Acknowledged(
        f"{life}-{task}".encode(),
        [value_of(int(task), int(turn), number) for number in range(len(places))],
        [(int(partition), int(offset)) for partition, offset in (p.split(":") for p in places)],
    )


async def read_all(log: EmbeddedLog) -> dict[tuple[int, int], LogRecord]:
    reader = log.reader()
    for partition, start in (await reader.start_offsets()).items():
        await reader.seek(partition, start)
    records: dict[tuple[int, int], LogRecord] = {}
    while polled := await reader.poll(max_records=10_000, timeout_seconds=0):
        for several in polled.values():
            records |= {(record.partition, record.offset): record for record in several}
    return records


def check_only_whole_appends(records: dict[tuple[int, int], LogRecord]) -> None:
    """Fail unless the values under each key are those of whole appends, in order."""
    values: dict[bytes, list[bytes]] = {}
    for _, record in sorted(records.items()):
        values.setdefault(record.key, []).append(record.value)
    for key, found in values.items():
        task = int(key.decode().rsplit("-", 1)[1])
        expected: list[bytes] = []
        turn = 0
        while len(expected) < len(found):
            expected += [value_of(task, turn, number) for number in range(1 + turn % 5)]
            turn += 1
        assert found == expected


async def test_a_killed_process_loses_nothing_it_acknowledged_and_leaves_no_half_append(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.sqlite"
    chance = random.Random(7)
    appends: list[Acknowledged] = []
    for life in range(8):
        # The later the kill, the more likely it falls into a checkpoint.
        appends += await kill_amid_appends(path, f"life{life}", chance.choice([1, 20, 300, 1_500]))
        async with open_embedded_log(path, reserve_bytes=0) as log:
            records = await read_all(log)
        for append in appends:
            assert [records[place].value for place in append.places] == append.values
            assert {records[place].key for place in append.places} == {append.key}
        check_only_whole_appends(records)
    assert len(appends) > 2 * TASKS


@pytest.fixture
async def killed(tmp_path: Path) -> Path:
    """A log in a folder of its own, all of which is still in its write-ahead log."""
    folder = tmp_path / "killed"
    folder.mkdir()
    await kill_amid_appends(folder / "log.sqlite", "life", 200)
    assert (folder / "log.sqlite-wal").stat().st_size > 100_000
    return folder


async def test_a_torn_write_ahead_log_loses_its_tail_and_nothing_else(
    killed: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(killed, whole)
    async with open_embedded_log(whole / "log.sqlite", reserve_bytes=0) as log:
        everything = await read_all(log)
    chance = random.Random(11)
    torn = tmp_path / "torn"
    fewest = len(everything)
    for _ in range(40):
        shutil.copytree(killed, torn)
        (torn / "log.sqlite-shm").unlink(missing_ok=True)  # memory, gone after a power cut
        wal = torn / "log.sqlite-wal"
        with wal.open("r+b") as file:
            file.truncate(chance.randrange(wal.stat().st_size))
        async with open_embedded_log(torn / "log.sqlite", reserve_bytes=0) as log:
            records = await read_all(log)
            (position,) = await log.writer.append([Entry(b"new", b"new")])
        assert records == {place: everything[place] for place in records}
        assert (position.partition, position.offset) not in records
        check_only_whole_appends(records)
        fewest = min(fewest, len(records))
        shutil.rmtree(torn)
    assert fewest < len(everything)


async def test_a_flipped_byte_anywhere_in_the_file_never_surfaces_as_wrong_data(
    tmp_path: Path,
) -> None:
    path, damaged = tmp_path / "log.sqlite", tmp_path / "damaged.sqlite"
    await kill_amid_appends(path, "life", 100)
    async with open_embedded_log(path, reserve_bytes=0) as log:
        everything = await read_all(log)
    content = path.read_bytes()
    chance = random.Random(13)
    outcomes: set[str] = set()
    for _ in range(150):
        place = chance.randrange(len(content))
        flipped = bytearray(content)
        flipped[place] ^= 1 << chance.randrange(8)
        damaged.write_bytes(flipped)
        try:
            async with open_embedded_log(damaged, reserve_bytes=0) as log:
                records = await read_all(log)
            assert records == everything
            outcomes.add("harmless")
        except SetupError:
            outcomes.add("refused")
        except LogDamaged as error:
            outcomes.add("placed" if "partition" in error.message else "damaged")
    assert "placed" in outcomes


async def test_damage_is_told_with_its_place_after_all_that_lies_before_it_was_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.sqlite"
    async with open_embedded_log(path, reserve_bytes=0, partitions=1) as log:
        await log.writer.append([Entry(b"k", b"value-%d" % number) for number in range(10)])
    content = path.read_bytes()
    path.write_bytes(content.replace(b"value-6", b"value-X"))
    async with open_embedded_log(path, reserve_bytes=0) as log:
        reader = log.reader()
        await reader.seek(0, 0)
        polled = await reader.poll(max_records=100, timeout_seconds=0)
        assert [record.offset for record in polled[0]] == list(range(6))
        for _ in range(2):
            with pytest.raises(LogDamaged, match="partition 0, offset 6"):
                await reader.poll(max_records=100, timeout_seconds=0)
        await reader.seek(0, 7)
        polled = await reader.poll(max_records=100, timeout_seconds=0)
        assert [record.offset for record in polled[0]] == [7, 8, 9]


async def test_a_record_that_is_missing_in_between_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    async with open_embedded_log(path, reserve_bytes=0, partitions=1) as log:
        await log.writer.append([Entry(b"k", b"%d" % number) for number in range(10)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM records WHERE id = 4")
        connection.commit()
    async with open_embedded_log(path, reserve_bytes=0) as log:
        reader = log.reader()
        await reader.seek(0, 4)
        with pytest.raises(LogDamaged, match="partition 0, offset 4: the record is missing"):
            await reader.poll(max_records=100, timeout_seconds=0)


async def test_a_file_that_may_not_grow_refuses_appends_until_it_may_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.sqlite"
    refused, meanwhile, later, done = await lines_of_child("limited", path)
    assert refused.startswith(f"refused the disk of {path}")
    assert meanwhile.startswith(f"check the disk of {path}")
    assert (later, done) == ("check None", "done")
    async with open_embedded_log(path, reserve_bytes=0) as log:
        records = await read_all(log)
    assert [int(record.value) for _, record in sorted(records.items())] == list(range(10))


async def test_a_disk_that_is_nearly_full_refuses_appends_until_there_is_room(
    tmp_path: Path,
) -> None:
    room = GIB
    async with open_embedded_log(tmp_path / "log.sqlite", disk_room=lambda _: room) as log:
        await log.writer.append([Entry(b"k", b"1")])
        room = 100 << 20
        with pytest.raises(LogUnavailable, match=r"100 MiB are free .* 256 MiB must stay free"):
            await log.writer.append([Entry(b"k", b"refused")])
        assert "100 MiB are free" in str(await log.writer.check())
        assert [record.value for record in (await read_all(log)).values()] == [b"1"]
        room = GIB
        assert await log.writer.check() is None
        await log.writer.append([Entry(b"k", b"2")])
        assert [record.value for record in (await read_all(log)).values()] == [b"1", b"2"]


async def test_the_room_that_trimming_makes_in_the_file_is_used_when_the_disk_has_none(
    tmp_path: Path,
) -> None:
    room, reserve = GIB, 1 << 20
    async with open_embedded_log(
        tmp_path / "log.sqlite", disk_room=lambda _: room, reserve_bytes=reserve
    ) as log:
        (*_, last) = await log.writer.append([Entry(b"k", bytes(10_000)) for _ in range(200)])
        room = 0
        with pytest.raises(LogUnavailable):
            await log.writer.append([Entry(b"k", b"refused")])
        assert await log.trim({last.partition: last.offset}, older_than=1 << 62) == 199
        await log.writer.append([Entry(b"k", b"taken")])


async def test_a_second_process_is_refused_and_the_first_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    async with open_embedded_log(path, reserve_bytes=0) as log:
        (line,) = await lines_of_child("open", path)
        assert line.startswith(f"refused {path} is open in another process")
        await log.writer.append([Entry(b"k", b"v")])
    assert await lines_of_child("open", path) == ["opened"]


async def test_the_same_process_cannot_open_a_log_twice_either(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    async with open_embedded_log(path):
        with pytest.raises(SetupError, match="is open in another process"):
            async with open_embedded_log(path):
                pytest.fail("it was opened")


def test_the_connection_that_writes_syncs_every_commit(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    path.touch()
    with closing(write_connection(path)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)
