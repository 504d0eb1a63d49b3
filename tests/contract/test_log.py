"""What every log promises (``shared/log/port.py``), run on each implementation."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable

import pytest

from shared.errors import Conflict, LogUnavailable
from shared.log.partitioning import partition_of
from shared.log.port import Entry, LogRecord
from tests.contract.logs import (
    EmbeddedLogUnderTest,
    KafkaLogUnderTest,
    LogUnderTest,
    SpooledLogUnderTest,
    by_position,
    read_records,
    seek_to_start,
)
from tests.fakes.log import InMemoryLog

MIB = 1 << 20
FOREVER = 3_600.0
BOUND = 30.0
"""Seconds after which a test that waits for something that never comes has failed."""

LOGS: dict[str, Callable[[pytest.FixtureRequest], LogUnderTest]] = {
    "embedded": lambda test: EmbeddedLogUnderTest(test.getfixturevalue("tmp_path")),
    "kafka": lambda test: KafkaLogUnderTest(test.getfixturevalue("kafka")),
    "memory": lambda _: InMemoryLog(),
    "spooled": lambda test: SpooledLogUnderTest(test.getfixturevalue("tmp_path")),
}


@pytest.fixture(params=sorted(LOGS))
def log(request: pytest.FixtureRequest) -> LogUnderTest:
    return LOGS[request.param](request)


def numbered(count: int, keys: int = 7) -> list[Entry]:
    return [Entry(b"key-%d" % (number % keys), b"value-%d" % number) for number in range(count)]


def keys_of_different_partitions(count: int) -> list[bytes]:
    keys: dict[int, bytes] = {}
    number = 0
    while len(keys) < count:
        keys.setdefault(partition_of(b"key-%d" % number, 4), b"key-%d" % number)
        number += 1
    return list(keys.values())


async def test_positions_come_in_the_order_of_entries_and_say_where_each_one_lies(
    log: LogUnderTest,
) -> None:
    entries = numbered(200)
    async with log.open() as opened:
        positions = list(await opened.writer.append(entries))
        await seek_to_start(opened.reader)
        records = await read_records(opened.reader, len(entries))
        assert {position.topic for position in positions} == {opened.reader.topic}
    found = {(record.partition, record.offset): (record.key, record.value) for record in records}
    assert found == by_position(positions, entries)


async def test_a_key_always_lands_in_the_partition_that_kafkas_own_client_would_choose(
    log: LogUnderTest,
) -> None:
    entries = numbered(100, keys=100)
    async with log.open() as opened:
        partitions = len(await opened.reader.end_offsets())
        for _ in range(2):
            positions = await opened.writer.append(entries)
            assert [position.partition for position in positions] == [
                partition_of(entry.key, partitions) for entry in entries
            ]


async def test_records_of_a_key_keep_the_order_in_which_they_were_appended(
    log: LogUnderTest,
) -> None:
    entries = numbered(300)
    async with log.open() as opened:
        for start in range(0, len(entries), 50):
            await opened.writer.append(entries[start : start + 50])
        await seek_to_start(opened.reader)
        values: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for record in await read_records(opened.reader, len(entries)):
            values[record.key].append(record.value)
    expected: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for entry in entries:
        expected[entry.key].append(entry.value)
    assert values == expected


async def test_offsets_rise_by_partition_over_several_appends(log: LogUnderTest) -> None:
    async with log.open() as opened:
        first = await opened.writer.append([Entry(b"k", b"1"), Entry(b"k", b"2")])
        second = await opened.writer.append([Entry(b"k", b"3")])
        offsets = [position.offset for position in (*first, *second)]
        assert offsets == sorted(set(offsets))


async def test_an_append_of_nothing_is_answered_with_nothing(log: LogUnderTest) -> None:
    async with log.open() as opened:
        before = await opened.reader.end_offsets()
        assert list(await opened.writer.append([])) == []
        assert await opened.reader.end_offsets() == before


async def test_what_was_acknowledged_is_there_when_the_log_is_opened_again(
    log: LogUnderTest,
) -> None:
    entries = numbered(100)
    async with log.open() as opened:
        positions = list(await opened.writer.append(entries))
        log_id, ends = opened.reader.log_id, await opened.reader.end_offsets()
    async with log.open() as opened:
        assert opened.reader.log_id == log_id
        assert await opened.reader.end_offsets() == ends
        await seek_to_start(opened.reader)
        records = await read_records(opened.reader, len(entries))
        later = await opened.writer.append([Entry(b"key-0", b"later")])
    found = {(record.partition, record.offset): (record.key, record.value) for record in records}
    assert found == by_position(positions, entries)
    assert (later[0].partition, later[0].offset) not in found


async def test_records_carry_the_time_of_the_log_never_falling_within_an_append(
    log: LogUnderTest,
) -> None:
    async with log.open() as opened:
        await opened.writer.append([Entry(b"k", b"%d" % number) for number in range(10)])
        await seek_to_start(opened.reader)
        times = [record.appended_at for record in await read_records(opened.reader, 10)]
    assert times == sorted(times)
    assert times[0] > 0


async def test_offsets_of_an_empty_log_are_equal_and_grow_with_what_is_appended(
    log: LogUnderTest,
) -> None:
    async with log.open() as opened:
        starts = dict(await opened.reader.start_offsets())
        assert starts == await opened.reader.end_offsets()
        assert set(starts) == opened.reader.assigned
        (position,) = await opened.writer.append([Entry(b"k", b"v")])
        ends = await opened.reader.end_offsets()
        assert ends == {**starts, position.partition: position.offset + 1}
        assert await opened.reader.start_offsets() == starts


async def test_a_poll_begins_where_it_was_sought(log: LogUnderTest) -> None:
    async with log.open() as opened:
        positions = await opened.writer.append(
            [Entry(b"k", b"%d" % number) for number in range(20)]
        )
        for sought in (12, 0, 19):
            await opened.reader.seek(positions[sought].partition, positions[sought].offset)
            records = await read_records(opened.reader, 20 - sought)
            assert [record.value for record in records] == [b"%d" % n for n in range(sought, 20)]


async def test_nothing_is_polled_from_a_partition_that_was_not_sought(log: LogUnderTest) -> None:
    first, second = keys_of_different_partitions(2)
    async with log.open() as opened:
        positions = await opened.writer.append([Entry(first, b"1"), Entry(second, b"2")])
        assert await opened.reader.poll(max_records=10, timeout_seconds=0) == {}
        await opened.reader.seek(positions[1].partition, positions[1].offset)
        polled = await opened.reader.poll(max_records=10, timeout_seconds=BOUND)
        assert set(polled) == {positions[1].partition}


async def test_the_next_poll_goes_on_where_the_last_one_ended(log: LogUnderTest) -> None:
    async with log.open() as opened:
        await opened.writer.append([Entry(b"k", b"%d" % number) for number in range(10)])
        await seek_to_start(opened.reader)
        values: list[bytes] = []
        for _ in range(4):
            polled = await opened.reader.poll(max_records=3, timeout_seconds=BOUND)
            (records,) = polled.values()
            assert len(records) <= 3
            values += [record.value for record in records]
        assert values == [b"%d" % number for number in range(10)]


async def test_a_poll_never_returns_more_records_than_asked_over_all_partitions(
    log: LogUnderTest,
) -> None:
    keys = keys_of_different_partitions(4)
    async with log.open() as opened:
        await opened.writer.append([Entry(key, b"v") for key in keys for _ in range(25)])
        await seek_to_start(opened.reader)
        for most in (1, 2, 5, 7):
            polled = await opened.reader.poll(max_records=most, timeout_seconds=BOUND)
            assert all(polled.values())
            assert 1 <= sum(map(len, polled.values())) <= most


@pytest.mark.parametrize("turn", [1, -1])
async def test_small_polls_get_through_every_partition_however_busy_one_of_them_is(
    log: LogUnderTest, turn: int
) -> None:
    busy, quiet = keys_of_different_partitions(2)[::turn]
    async with log.open() as opened:
        await opened.writer.append([*[Entry(busy, b"v")] * 400, Entry(quiet, b"v")])
        await seek_to_start(opened.reader)
        seen: list[bytes] = []
        for _ in range(40):
            polled = await opened.reader.poll(max_records=1, timeout_seconds=BOUND)
            seen += [record.key for records in polled.values() for record in records]
        assert quiet in seen


async def test_a_poll_of_a_log_read_to_its_end_comes_back_empty(log: LogUnderTest) -> None:
    async with log.open() as opened:
        await opened.writer.append([Entry(b"k", b"v")])
        await seek_to_start(opened.reader)
        await read_records(opened.reader, 1)
        assert await opened.reader.poll(max_records=10, timeout_seconds=0.05) == {}


async def test_a_poll_that_waits_wakes_when_something_is_appended(log: LogUnderTest) -> None:
    async with log.open() as opened:
        await seek_to_start(opened.reader)
        async with asyncio.timeout(BOUND):
            for number in range(5):
                polling = asyncio.create_task(
                    opened.reader.poll(max_records=10, timeout_seconds=FOREVER)
                )
                await asyncio.sleep(0.002 * number)  # before, amid and after its first look
                await opened.writer.append([Entry(b"k", b"%d" % number)])
                (records,) = (await polling).values()
                assert [record.value for record in records] == [b"%d" % number]


async def test_a_poll_that_is_cancelled_skips_nothing(log: LogUnderTest) -> None:
    async with log.open() as opened:
        await opened.writer.append([Entry(b"k", b"%d" % number) for number in range(50)])
        await seek_to_start(opened.reader)
        for steps in range(5):
            polling = asyncio.create_task(
                opened.reader.poll(max_records=50, timeout_seconds=FOREVER)
            )
            for _ in range(steps):
                await asyncio.sleep(0)
            polling.cancel()
            await asyncio.wait([polling])
            assert polling.cancelled()
        records = await read_records(opened.reader, 50)
        assert [record.value for record in records] == [b"%d" % number for number in range(50)]


async def test_a_paused_partition_is_left_out_until_another_pause_takes_it_in_again(
    log: LogUnderTest,
) -> None:
    paused, other = keys_of_different_partitions(2)
    async with log.open() as opened:
        positions = await opened.writer.append([Entry(paused, b"1"), Entry(other, b"2")])
        await seek_to_start(opened.reader)
        await opened.reader.pause(frozenset({positions[0].partition}))
        assert [record.value for record in await read_records(opened.reader, 1)] == [b"2"]
        assert await opened.reader.poll(max_records=10, timeout_seconds=0.05) == {}
        await opened.reader.pause(frozenset())
        assert [record.value for record in await read_records(opened.reader, 1)] == [b"1"]


@pytest.mark.parametrize("beyond", [-1, 2])
async def test_seeking_outside_of_what_is_held_is_refused_and_changes_nothing(
    log: LogUnderTest, beyond: int
) -> None:
    async with log.open() as opened:
        (position,) = await opened.writer.append([Entry(b"k", b"v")])
        await opened.reader.seek(position.partition, position.offset)
        with pytest.raises(Conflict) as refused:
            await opened.reader.seek(position.partition, position.offset + beyond)
        assert refused.value.code == "offset_out_of_range"
        assert [record.value for record in await read_records(opened.reader, 1)] == [b"v"]


async def test_seeking_to_the_very_end_waits_for_what_comes_next(log: LogUnderTest) -> None:
    async with log.open() as opened:
        (position,) = await opened.writer.append([Entry(b"k", b"old")])
        await opened.reader.seek(position.partition, position.offset + 1)
        await opened.writer.append([Entry(b"k", b"new")])
        assert [record.value for record in await read_records(opened.reader, 1)] == [b"new"]


@pytest.mark.parametrize(
    "value",
    [b"", b"\x00", bytes(range(256)) * 4, b"'; DROP TABLE records; --", b"\xff" * 1_021],
    ids=["empty", "nul", "every byte", "sql", "all ones"],
)
async def test_any_bytes_come_back_as_they_were(log: LogUnderTest, value: bytes) -> None:
    async with log.open() as opened:
        await opened.writer.append([Entry(value or b"k", value)])
        await seek_to_start(opened.reader)
        (record,) = await read_records(opened.reader, 1)
        assert (record.key, record.value) == (value or b"k", value)


async def test_a_value_of_almost_a_mebibyte_comes_back_as_it_was(log: LogUnderTest) -> None:
    value = random.Random(1).randbytes(MIB - 1_024)
    async with log.open() as opened:
        await opened.writer.append([Entry(b"k", value), Entry(b"k", b"small")])
        await seek_to_start(opened.reader)
        assert [record.value for record in await read_records(opened.reader, 2)] == [
            value,
            b"small",
        ]


async def test_a_poll_of_big_values_returns_a_bounded_part_of_them_and_loses_none(
    log: LogUnderTest,
) -> None:
    values = [bytes([number]) * (MIB - 1_024) for number in range(20)]
    async with log.open() as opened:
        for value in values:
            await opened.writer.append([Entry(b"k", value)])
        await seek_to_start(opened.reader)
        records: list[LogRecord] = []
        while len(records) < len(values):
            (polled,) = (await opened.reader.poll(max_records=100, timeout_seconds=BOUND)).values()
            assert sum(len(record.value) for record in polled) <= 10 * MIB
            records += polled
        assert [record.value for record in records] == values


async def test_many_tasks_append_at_once_and_each_gets_its_own_positions(
    log: LogUnderTest,
) -> None:
    async with log.open() as opened:

        async def append_as(task: int) -> dict[tuple[int, int], tuple[bytes, bytes]]:
            held: dict[tuple[int, int], tuple[bytes, bytes]] = {}
            for turn in range(20):
                entries = [Entry(b"task-%d" % task, b"%d" % (turn * 3 + n)) for n in range(3)]
                held |= by_position(list(await opened.writer.append(entries)), entries)
            return held

        expected: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        for held in await asyncio.gather(*map(append_as, range(20))):
            assert not expected.keys() & held.keys()
            expected |= held
        await seek_to_start(opened.reader)
        records = await read_records(opened.reader, 20 * 20 * 3)
    found = {(record.partition, record.offset): (record.key, record.value) for record in records}
    assert found == expected
    for task in range(20):
        values = [int(record.value) for record in records if record.key == b"task-%d" % task]
        assert values == list(range(60))


async def test_callers_that_are_cancelled_take_nothing_from_others(log: LogUnderTest) -> None:
    async with log.open() as opened:
        tasks = [
            asyncio.create_task(opened.writer.append([Entry(b"k", b"%d" % number)]))
            for number in range(200)
        ]
        for number, task in enumerate(tasks):
            if number % 50 == 25:
                await asyncio.sleep(0)
            if number % 3 == 0:
                task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await seek_to_start(opened.reader)
        (later,) = await opened.writer.append([Entry(b"k", b"later")])
        values: dict[int, bytes] = {}
        while later.offset not in values:
            polled = await opened.reader.poll(max_records=500, timeout_seconds=BOUND)
            values |= {record.offset: record.value for record in polled[later.partition]}
        written = list(values.values())
    assert len(written) == len(set(written))
    for number, answer in enumerate(answers):
        if isinstance(answer, BaseException):
            assert isinstance(answer, asyncio.CancelledError)
            assert number % 3 == 0
        else:
            assert values[answer[0].offset] == b"%d" % number


async def test_a_writer_that_takes_appends_says_so(log: LogUnderTest) -> None:
    async with log.open() as opened:
        assert await opened.writer.check() is None


async def test_appends_that_wait_when_the_log_is_closed_are_answered(log: LogUnderTest) -> None:
    async with log.open() as opened:
        tasks = [
            asyncio.create_task(opened.writer.append([Entry(b"k", b"%d" % number)]))
            for number in range(50)
        ]
        await asyncio.sleep(0)
    async with asyncio.timeout(BOUND):
        answers = await asyncio.gather(*tasks)
    async with log.open() as opened:
        await seek_to_start(opened.reader)
        records = await read_records(opened.reader, 50)
    assert {record.offset: record.value for record in records} == {
        answer[0].offset: b"%d" % number for number, answer in enumerate(answers)
    }


async def test_a_closed_log_takes_and_gives_nothing(log: LogUnderTest) -> None:
    async with log.open() as opened:
        await seek_to_start(opened.reader)
    assert await opened.writer.check() is not None
    with pytest.raises(LogUnavailable):
        await opened.writer.append([Entry(b"k", b"v")])
    with pytest.raises(LogUnavailable):
        await opened.reader.poll(max_records=1, timeout_seconds=0)
    with pytest.raises(LogUnavailable):
        await opened.reader.end_offsets()


async def test_closing_a_reader_again_and_telling_how_far_it_came_never_raise(
    log: LogUnderTest,
) -> None:
    async with log.open() as opened:
        await opened.reader.reached(0, 0)
        await opened.reader.close()
        await opened.reader.close()
        await opened.reader.reached(0, 0)
