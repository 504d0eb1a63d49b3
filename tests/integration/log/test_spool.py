"""The spool in front of a log that fails: what it takes in, in which order, and what it refuses."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from shared.clock import wall_clock
from shared.errors import LogUnavailable, SetupError
from shared.instants import HOUR, Instant
from shared.log.port import SPOOL, Entry, Position
from shared.log.spool import SpoolLimits
from shared.log.spool_folders import SpoolFolders
from shared.log.spool_writer import SpoolingWriter
from tests.eventually import eventually
from tests.fixtures.spools import ROOMY, SpooledLog, entries, first_of_each

MIB = 1 << 20


@pytest.fixture
def spooled(tmp_path: Path) -> SpooledLog:
    return SpooledLog(tmp_path / "spools")


def lie_in_the_spool(positions: Sequence[Position]) -> list[bool]:
    return [position.topic == SPOOL for position in positions]


async def until_the_log_is_back(writer: SpoolingWriter) -> None:
    keys = (b"probe-%d" % number for number in count())

    async def is_back() -> bool:
        with suppress(LogUnavailable):
            return not any(lie_in_the_spool(await writer.append(entries(next(keys), [0]))))
        return False

    await eventually(is_back)


async def test_while_the_log_answers_nothing_goes_into_the_spool(spooled: SpooledLog) -> None:
    async with spooled.open() as writer:
        positions = await writer.append(entries(b"k", range(3)))
    assert lie_in_the_spool(positions) == [False] * 3
    assert spooled.values() == [b"0", b"1", b"2"]


async def test_what_the_log_refuses_is_durable_in_the_spool_and_drained_when_it_is_back(
    spooled: SpooledLog,
) -> None:
    async with spooled.open() as writer:
        spooled.faults.away = True
        positions = await writer.append(entries(b"k", range(3)))
        assert lie_in_the_spool(positions) == [True] * 3
        assert await writer.check() is None, "it takes records: it is ready"
        spooled.faults.away = False
        await spooled.until_drained(writer)
    assert spooled.values() == [b"0", b"1", b"2"]


async def test_a_log_that_does_not_answer_is_waited_for_once_and_not_by_everybody(
    spooled: SpooledLog,
) -> None:
    async with spooled.open() as writer:
        spooled.faults.silent = True
        began = asyncio.get_running_loop().time()
        await writer.append(entries(b"k", [0]))
        waited = asyncio.get_running_loop().time() - began
        for number in range(1, 20):
            await writer.append(entries(b"other", [number]))
        assert waited >= 2
        assert asyncio.get_running_loop().time() - began < 2 * waited
        spooled.faults.silent = False
        # The drain gives its own append up after ten seconds, and tries again.
        await spooled.until_holds(20)


async def test_records_of_a_key_that_waits_go_behind_it_and_those_of_other_keys_do_not(
    spooled: SpooledLog,
) -> None:
    async with spooled.open() as writer:
        spooled.faults.away = True
        await writer.append([Entry(b"held", b"%d" % number) for number in range(2_000)])
        spooled.faults.held_key, spooled.faults.before_hold = b"held", 1
        spooled.faults.away = False
        await until_the_log_is_back(writer)
        positions = await writer.append(
            [Entry(b"held", b"later"), Entry(b"free", b"1"), Entry(b"held", b"last")]
        )
        assert lie_in_the_spool(positions) == [True, False, True]
        spooled.faults.release.set()
        await eventually(lambda: _holds(spooled, 2_003, b"held", b"free"))
    numbers = [b"%d" % number for number in range(2_000)]
    assert first_of_each(spooled.values(b"held")) == [*numbers, b"later", b"last"]


async def _holds(spooled: SpooledLog, records: int, *keys: bytes) -> bool:
    found = [one for one in spooled.log.records if not keys or one.key in keys]
    return len(found) >= records


async def test_a_lost_answer_doubles_records_and_loses_and_reorders_none(
    spooled: SpooledLog,
) -> None:
    async with spooled.open() as writer:
        for number in range(40):
            spooled.faults.lost_answers = number % 3
            await writer.append(entries(b"k", [number]))
        await spooled.until_holds(40)
    values = spooled.values(b"k")
    assert len(values) > 40
    assert first_of_each(values) == [b"%d" % number for number in range(40)]


async def test_a_full_spool_refuses_and_keeps_what_it_has(spooled: SpooledLog) -> None:
    limits = SpoolLimits(most_bytes=1 * MIB, reserve_bytes=0)
    async with spooled.open(limits) as writer:
        spooled.faults.away = True
        taken = 0
        while await writer.check() is None:
            await writer.append([Entry(b"k", b"%d" % taken + bytes(500))])
            taken += 1
        with pytest.raises(LogUnavailable, match=r"full: \d+ records take 0 MiB of 1"):
            await writer.append([Entry(b"k", bytes(100_000))])
        assert 300 < taken < 1_100
        assert "the spool is full" in str(await writer.check())
        spooled.faults.away = False
        await spooled.until_holds(taken)
        await until_the_log_is_back(writer)
        assert await writer.check() is None
    assert len(spooled.values(b"k")) == taken


async def test_a_spool_that_waits_too_long_takes_no_more_in_and_drops_nothing(
    spooled: SpooledLog,
) -> None:
    now: Instant = wall_clock()
    async with spooled.open(clock=lambda: now) as writer:
        spooled.faults.away = True
        await writer.append(entries(b"k", [0]))
        now += 23 * HOUR
        await writer.append(entries(b"k", [1]))
        now += 2 * HOUR
        with pytest.raises(LogUnavailable, match=r"waits for 90000 s: it takes no more after 24"):
            await writer.append(entries(b"k", [2]))
        now += 10_000 * HOUR
        spooled.faults.away = False
        await spooled.until_holds(2)
        await until_the_log_is_back(writer)
    assert spooled.values(b"k") == [b"0", b"1"]


async def test_a_disk_that_is_nearly_full_refuses_until_there_is_room(spooled: SpooledLog) -> None:
    room = 65 * MIB
    async with spooled.open(SpoolLimits(disk_room=lambda _: room)) as writer:
        spooled.faults.away = True
        await writer.append(entries(b"k", [0]))
        room = 63 * MIB
        with pytest.raises(LogUnavailable, match="64 MiB must stay free"):
            await writer.append(entries(b"k", [1]))
        assert "make room" in str(await writer.check())
        room = 65 * MIB
        await writer.append(entries(b"k", [2]))
        assert await writer.check() is None
        spooled.faults.away = False
        await spooled.until_holds(2)
    assert spooled.values() == [b"0", b"2"]


async def test_a_spool_that_never_took_anything_finds_the_log_again(spooled: SpooledLog) -> None:
    async with spooled.open(SpoolLimits(disk_room=lambda _: 0)) as writer:
        spooled.faults.away = True
        with pytest.raises(LogUnavailable):
            await writer.append(entries(b"k", [0]))
        spooled.faults.away = False

        async def takes() -> bool:
            return await writer.check() is None

        await eventually(takes)
        assert not any(lie_in_the_spool(await writer.append(entries(b"k", [1]))))


async def test_what_a_process_leaves_behind_is_drained_by_the_next_one_before_its_own(
    spooled: SpooledLog,
) -> None:
    spooled.faults.away = True
    async with spooled.open() as writer:
        await writer.append(entries(b"k", range(3)))
    (folder,) = spooled.folders()
    async with spooled.open() as writer:
        await writer.append(entries(b"k", range(3, 6)))
        assert spooled.folders() == [folder]
        spooled.faults.away = False
        await spooled.until_drained(writer)
    assert first_of_each(spooled.values(b"k")) == [b"%d" % number for number in range(6)]
    assert spooled.folders() == [], "an empty spool leaves nothing"


async def test_two_processes_never_share_a_folder_and_one_adopts_what_the_other_left(
    spooled: SpooledLog,
) -> None:
    spooled.faults.away = True
    async with spooled.open() as living:
        async with spooled.open() as dying:
            assert len(spooled.folders()) == 2
            await dying.append(entries(b"d", range(3)))
            await living.append(entries(b"l", range(3)))
        assert len(spooled.folders()) == 2
        spooled.faults.away = False
        await spooled.until_holds(3)
        await eventually(lambda: _holds(spooled, 6))

        async def is_removed() -> bool:
            return len(spooled.folders()) == 1

        await eventually(is_removed)
    assert spooled.values(b"d") == spooled.values(b"l") == [b"0", b"1", b"2"]


async def test_a_missing_folder_is_not_made_silently(tmp_path: Path) -> None:
    folders = SpoolFolders(tmp_path / "missing", ROOMY, wall_clock)
    with pytest.raises(SetupError, match="is no folder; make it, on a disk that outlives"):
        await folders.own()


async def test_a_damaged_spool_is_refused_and_never_emptied(spooled: SpooledLog) -> None:
    spooled.faults.away = True
    async with spooled.open() as writer:
        await writer.append([Entry(b"k", b"value-%d" % number) for number in range(9)])
    (folder,) = spooled.folders()
    file = folder / "spool.sqlite"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"value-6", b"value-X"))
    with pytest.raises(SetupError, match=r"checksum does not match; records wait in it"):
        async with spooled.open():
            pytest.fail("it was opened")
    file.write_bytes(content)
    spooled.faults.away = False
    async with spooled.open():
        await spooled.until_holds(9)


async def test_metrics_tell_how_much_waits_and_for_how_long(spooled: SpooledLog) -> None:
    now: Instant = wall_clock()
    before = _measured("spool_drained_total")
    async with spooled.open(clock=lambda: now) as writer:
        spooled.faults.away = True
        await writer.append(entries(b"k", range(7)))
        now += HOUR
        await eventually(lambda: _shows("spool_depth_events", 7))
        await eventually(lambda: _shows("spool_oldest_age_seconds", 3_600))
        assert _measured("spool_bytes") > 0
        spooled.faults.away = False
        await eventually(lambda: _shows("spool_depth_events", 0))
        await eventually(lambda: _shows("spool_oldest_age_seconds", 0))
    assert _measured("spool_bytes") == 0
    assert _measured("spool_drained_total") == before + 7


def _measured(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0


async def _shows(name: str, value: float) -> bool:
    return _measured(name) == value
