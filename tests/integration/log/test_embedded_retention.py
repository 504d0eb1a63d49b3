"""How the embedded log forgets: whole records by age, and single payloads without a trace."""

import asyncio
import random
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import Conflict
from shared.log.embedded import TOPIC, EmbeddedLog, open_embedded_log
from shared.log.port import Entry, LogRecord, Position

NEVER = 1 << 62


class Time:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def log(tmp_path: Path, time: Time) -> AsyncIterator[EmbeddedLog]:
    async with open_embedded_log(
        tmp_path / "log.sqlite", clock=time, partitions=1, reserve_bytes=0
    ) as log:
        yield log


async def append(log: EmbeddedLog, *values: bytes) -> None:
    await log.writer.append([Entry(b"key", value) for value in values])


async def records_of(log: EmbeddedLog) -> list[LogRecord]:
    reader = log.reader()
    await reader.seek(0, (await reader.start_offsets())[0])
    polled = await reader.poll(max_records=10_000, timeout_seconds=0)
    await reader.close()
    return list(polled.get(0, ()))


async def values_of(log: EmbeddedLog) -> list[bytes]:
    return [record.value for record in await records_of(log)]


def files_in(folder: Path) -> list[str]:
    return [str(file) for file in folder.iterdir()]


async def content_of(folder: Path) -> bytes:
    # Another process reads them, since to close a file is to lose SQLite's locks on it.
    child = await asyncio.create_subprocess_exec("cat", *files_in(folder), stdout=PIPE)
    content, _ = await child.communicate()
    return content


async def test_trimming_deletes_what_is_both_classified_and_old(
    log: EmbeddedLog, time: Time
) -> None:
    await append(log, b"0", b"1", b"2")
    time.now = 2_000
    await append(log, b"3", b"4")
    assert await log.trim({0: 2}, older_than=2_000) == 2
    assert await values_of(log) == [b"2", b"3", b"4"]
    assert await log.trim({0: 5}, older_than=2_000) == 1
    assert await values_of(log) == [b"3", b"4"]
    assert await log.trim({0: 5}, older_than=2_001) == 2
    assert await values_of(log) == []


async def test_trimming_the_same_again_or_below_what_is_gone_deletes_nothing(
    log: EmbeddedLog,
) -> None:
    await append(log, b"0", b"1", b"2")
    assert await log.trim({0: 2}, older_than=NEVER) == 2
    assert await log.trim({0: 2}, older_than=NEVER) == 0
    assert await log.trim({0: 1}, older_than=NEVER) == 0
    assert await log.trim({}, older_than=NEVER) == 0
    assert await values_of(log) == [b"2"]


async def test_offsets_go_on_after_everything_was_trimmed_and_the_log_opened_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.sqlite"
    async with open_embedded_log(path, partitions=1, reserve_bytes=0) as log:
        await append(log, b"0", b"1")
        await log.trim({0: 2}, older_than=NEVER)
    async with open_embedded_log(path, reserve_bytes=0) as log:
        reader = log.reader()
        assert await reader.start_offsets() == {0: 2}
        assert await reader.end_offsets() == {0: 2}
        (position,) = await log.writer.append([Entry(b"key", b"2")])
        assert position.offset == 2


async def test_reading_on_where_records_were_trimmed_is_a_conflict_never_a_jump(
    log: EmbeddedLog,
) -> None:
    await append(log, b"0", b"1", b"2")
    reader = log.reader()
    await reader.seek(0, 1)
    await log.trim({0: 2}, older_than=NEVER)
    with pytest.raises(Conflict) as refused:
        await reader.poll(max_records=10, timeout_seconds=0)
    assert refused.value.code == "offset_out_of_range"
    with pytest.raises(Conflict):
        await reader.seek(0, 1)
    await reader.seek(0, 2)
    (records,) = (await reader.poll(max_records=10, timeout_seconds=0)).values()
    assert [record.value for record in records] == [b"2"]


async def test_a_long_history_is_trimmed_in_batches_between_which_appends_get_in(
    log: EmbeddedLog,
) -> None:
    for _ in range(10):
        await log.writer.append([Entry(b"key", b"old")] * 1_000)
    trimming = asyncio.create_task(log.trim({0: 10_000}, older_than=NEVER))
    reader = log.reader()
    starts: list[int] = []
    while not trimming.done():
        await append(log, b"new")
        starts.append((await reader.start_offsets())[0])
    assert await trimming == 10_000
    assert [start for start in starts if 0 < start < 10_000]
    assert set(await values_of(log)) == {b"new"}


async def test_a_batch_of_big_records_is_a_small_one(log: EmbeddedLog) -> None:
    await append(log, *[bytes(1 << 20)] * 10)
    reader = log.reader()
    trimming = asyncio.create_task(log.trim({0: 10}, older_than=NEVER))
    starts: set[int] = set()
    while not trimming.done():
        await append(log, b"new")
        starts.add((await reader.start_offsets())[0])
    assert len(starts & set(range(1, 10))) >= 2


async def test_an_overwritten_record_keeps_its_place_and_time_but_neither_key_nor_value(
    log: EmbeddedLog, time: Time
) -> None:
    await append(log, b"0", b"secret", b"2")
    time.now = 5_000
    assert await log.overwrite(Position(TOPIC, 0, 1), b"erased")
    before, erased, after = await records_of(log)
    assert erased == LogRecord(0, 1, b"", b"erased", 1_000)
    assert (before.key, before.value) == (b"key", b"0")
    assert (after.key, after.value) == (b"key", b"2")


async def test_a_key_that_names_nobody_can_be_given_to_an_overwritten_record(
    log: EmbeddedLog,
) -> None:
    await append(log, b"secret")
    assert await log.overwrite(Position(TOPIC, 0, 0), b"erased", key=b"erased:1")
    assert [(record.key, record.value) for record in await records_of(log)] == [
        (b"erased:1", b"erased")
    ]


@pytest.mark.parametrize(
    "position",
    [Position(TOPIC, 0, 0), Position(TOPIC, 0, 3), Position(TOPIC, 7, 1), Position("other", 0, 1)],
    ids=["trimmed", "not yet appended", "no such partition", "another topic"],
)
async def test_a_record_that_the_log_does_not_hold_cannot_be_overwritten(
    log: EmbeddedLog, position: Position
) -> None:
    await append(log, b"0", b"1", b"2")
    await log.trim({0: 1}, older_than=NEVER)
    assert not await log.overwrite(position, b"erased")
    assert await values_of(log) == [b"1", b"2"]


@pytest.mark.parametrize("seed", range(2))
async def test_no_byte_of_what_was_erased_or_trimmed_is_left_in_any_file(
    tmp_path: Path, seed: int
) -> None:
    """Pages split and merge all the time here, which is where SQLite leaves copies behind."""
    chance = random.Random(seed)
    held: dict[Position, bytes] = {}
    gone: list[bytes] = []
    async with open_embedded_log(tmp_path / "log.sqlite", partitions=3, reserve_bytes=0) as log:
        for _ in range(40):
            secrets = [b"%032x" % chance.getrandbits(128) for _ in range(chance.randrange(80))]
            entries = [
                Entry(secret, secret + b"." * chance.randrange(2_500) + secret)
                for secret in secrets
            ]
            held |= zip(await log.writer.append(entries), secrets, strict=True)
            for position in chance.sample(sorted(held), min(6, len(held))):
                gone.append(held.pop(position))
                assert await log.overwrite(position, b"-" * chance.randrange(3_000))
            if chance.random() < 0.2:
                ends = await log.reader().end_offsets()
                before = {partition: end * 2 // 3 for partition, end in ends.items()}
                await log.trim(before, older_than=NEVER)
                trimmed = [place for place in held if place.offset < before[place.partition]]
                gone += [held.pop(place) for place in trimmed]
        await log.checkpoint()
        content = await content_of(tmp_path)
    assert all(secret in content for secret in held.values())
    assert [secret for secret in gone if secret[:16] in content or secret[16:] in content] == []
    assert len(gone) > 500


async def test_a_checkpoint_beside_a_poll_leaves_nothing_and_takes_nothing_from_the_poll(
    log: EmbeddedLog,
) -> None:
    await log.writer.append([Entry(b"key", b"secret" + bytes(1_000))] * 2_000)
    for offset in range(0, 2_000, 100):
        await log.overwrite(Position(TOPIC, 0, offset), b"erased")
    await log.trim({0: 1_000}, older_than=NEVER)
    reader = log.reader()
    await reader.seek(0, 1_000)
    polling = asyncio.create_task(reader.poll(max_records=1_000, timeout_seconds=0))
    await log.checkpoint()
    content = await content_of(log.file.path.parent)
    assert content.count(b"secret") == 990
    assert len((await polling)[0]) == 1_000
