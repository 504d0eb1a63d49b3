"""What a spool keeps when its process is killed, its disk loses power, or the log fails anew."""

import asyncio
import random
import re
import shutil
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from pathlib import Path

import pytest

from tests.fixtures.processes import ROOT
from tests.fixtures.spools import SpooledLog, first_of_each
from tests.integration.log.child import TASKS, value_of

Acknowledged = Counter[bytes]
"""How many appends under each key have returned."""


async def spool_amid_kill(path: Path, life: str, after: int) -> Acknowledged:
    """Let a child spool, kill it after *after* appends returned, and return all that did."""
    child = await asyncio.create_subprocess_exec(*_child(life, path), cwd=ROOT, stdout=PIPE)
    assert child.stdout is not None
    found: Acknowledged = Counter()
    while sum(found.values()) < after:
        _note(found, await child.stdout.readline())
    child.kill()
    for line in (await child.stdout.read()).splitlines(keepends=True):
        _note(found, line)
    await child.wait()
    return found


def _child(life: str, path: Path) -> list[str]:
    return [sys.executable, "-m", "tests.integration.log.spool_child", life, str(path)]


def _note(found: Acknowledged, line: bytes) -> None:
    """Count an append that returned; what the child logs is left out."""
    if match := re.fullmatch(rb"(life\d* \d+) (\d+)\n", line):
        key = match[1].replace(b" ", b"-")
        assert int(match[2]) == found[key]
        found[key] += 1


def values_of(key: bytes, appends: int) -> list[bytes]:
    task = int(key.decode().rsplit("-", 1)[1])
    return [value_of(task, turn, n) for turn in range(appends) for n in range(1 + turn % 5)]


async def test_killed_processes_lose_nothing_that_they_spooled_and_keep_the_order_of_each_key(
    tmp_path: Path,
) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    chance = random.Random(3)
    acknowledged: Acknowledged = Counter()
    for life in range(6):
        acknowledged += await spool_amid_kill(
            spooled.path, f"life{life}", chance.choice([1, 20, 300])
        )
    assert len(spooled.folders()) == 1, "each process went on where the last one was killed"
    async with spooled.open() as writer:
        await SpooledLog.until_drained(writer)
    for key, appends in acknowledged.items():
        values = first_of_each(spooled.values(key))
        assert values[: len(values_of(key, appends))] == values_of(key, appends)
    assert sum(acknowledged.values()) > 2 * TASKS


async def test_a_drain_that_is_cut_off_again_and_again_doubles_but_loses_nothing(
    tmp_path: Path,
) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    acknowledged = await spool_amid_kill(spooled.path, "life", 400)
    for _ in range(200):
        spooled.faults.lost_answers = 1
        async with spooled.open():
            for _ in range(40):
                await asyncio.sleep(0)
        if not spooled.folders():
            break
    async with spooled.open() as writer:
        await SpooledLog.until_drained(writer)
    assert len(spooled.values()) > len(set(spooled.values())), "no answer was lost: void"
    for key, appends in acknowledged.items():
        values = first_of_each(spooled.values(key))
        assert values[: len(values_of(key, appends))] == values_of(key, appends)


async def test_a_torn_write_ahead_log_costs_the_tail_and_nothing_before_it(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    await spool_amid_kill(whole, "life", 150)
    (folder,) = whole.iterdir()
    wal_bytes = (folder / "spool.sqlite-wal").stat().st_size
    assert wal_bytes > 50_000
    chance = random.Random(5)
    fewest, most = 1 << 30, 0
    for number in range(20):
        torn = SpooledLog(tmp_path / f"torn-{number}")
        shutil.copytree(folder, torn.path / folder.name)
        (torn.path / folder.name / "spool.sqlite-shm").unlink(missing_ok=True)
        with (torn.path / folder.name / "spool.sqlite-wal").open("r+b") as wal:
            wal.truncate(chance.randrange(wal_bytes))
        async with torn.open() as writer:
            await SpooledLog.until_drained(writer)
        fewest, most = min(fewest, len(torn.values())), max(most, len(torn.values()))
        for task in range(TASKS):
            values = torn.values(b"life-%d" % task)
            assert values == values_of(b"life-%d" % task, len(values) + 1)[: len(values)]
    assert fewest < most


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not there to watch a sync")
async def test_the_disk_has_confirmed_before_an_append_returns(tmp_path: Path) -> None:
    path, trace = tmp_path / "spools", tmp_path / "trace"
    path.mkdir()
    calls = "trace=fsync,fdatasync,write,pwrite64,pwritev"
    tracer = ("strace", "-f", "-y", "-qq", "-e", calls, "-o", str(trace))
    command = [*tracer, *_child("life", path), "30"]
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE)
    await child.communicate()
    unsynced, answers = False, 0
    for line in trace.read_text("utf-8", "replace").splitlines():
        if re.search(r"pwrite(64|v)\(\d+<[^>]*spool\.sqlite-wal>", line):
            unsynced = True
        elif re.search(r"f(data)?sync\(\d+<[^>]*spool\.sqlite-wal>", line):
            unsynced = False
        elif re.search(r"write\(1<[^>]*>, \"life ", line):
            answers += 1
            assert not unsynced, "an append returned before its records were on the disk"
    assert answers == 30
