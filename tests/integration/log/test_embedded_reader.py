"""How the reader of the embedded log waits and shares, beyond what every log promises."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import LogUnavailable
from shared.log.embedded import EmbeddedLog, open_embedded_log
from shared.log.embedded_reader import EmbeddedReader
from shared.log.port import Entry


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[EmbeddedLog]:
    async with open_embedded_log(tmp_path / "log.sqlite", reserve_bytes=0) as log:
        yield log


async def reader_at_start(log: EmbeddedLog) -> EmbeddedReader:
    reader = log.reader()
    for partition in reader.assigned:
        await reader.seek(partition, 0)
    return reader


async def test_a_poll_takes_an_equal_share_from_each_partition_that_has_enough(
    log: EmbeddedLog,
) -> None:
    await log.writer.append([Entry(b"%d" % number, b"v") for number in range(2_000)])
    polled = await (await reader_at_start(log)).poll(max_records=100, timeout_seconds=0)
    assert sorted(map(len, polled.values())) == [25, 25, 25, 25]


async def test_what_one_partition_leaves_of_its_share_goes_to_others(log: EmbeddedLog) -> None:
    reader = await reader_at_start(log)
    await log.writer.append([Entry(b"k", b"v")] * 100)
    (records,) = (await reader.poll(max_records=100, timeout_seconds=0)).values()
    assert len(records) == 100


async def test_waiting_costs_no_work(log: EmbeddedLog) -> None:
    await log.writer.append([Entry(b"k", b"v")])
    reader = await reader_at_start(log)
    assert await reader.poll(max_records=10, timeout_seconds=0)
    await log.writer.append([Entry(b"k", b"v")])
    await reader.pause(reader.assigned)
    began = time.process_time()
    assert await reader.poll(max_records=10, timeout_seconds=0.4) == {}
    assert time.process_time() - began < 0.1  # of this process, however busy the machine is


async def test_closing_ends_a_poll_that_waits(log: EmbeddedLog) -> None:
    reader = await reader_at_start(log)
    polling = asyncio.create_task(reader.poll(max_records=10, timeout_seconds=3_600))
    await reader.end_offsets()  # the thread of the reader has looked for the poll before
    await asyncio.sleep(0)
    await reader.close()
    async with asyncio.timeout(30):
        with pytest.raises(LogUnavailable, match="closed"):
            await polling


async def test_several_readers_each_read_everything(log: EmbeddedLog) -> None:
    readers = [await reader_at_start(log) for _ in range(3)]
    polls = [
        asyncio.create_task(reader.poll(max_records=10, timeout_seconds=3_600))
        for reader in readers
    ]
    await log.writer.append([Entry(b"k", b"v")])
    async with asyncio.timeout(30):
        for poll in polls:
            (records,) = (await poll).values()
            assert [record.value for record in records] == [b"v"]
