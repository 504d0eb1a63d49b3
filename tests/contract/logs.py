"""The logs that the contract suite is run on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from shared.clock import wall_clock
from shared.log.embedded import open_embedded_log
from shared.log.kafka import open_kafka_reader, open_kafka_writer
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_settings import KafkaSettings
from shared.log.port import Entry, LogReader, LogRecord, LogWriter, Position
from shared.log.spool_writer import spooling
from tests.kafka import KafkaForTests


@dataclass(frozen=True, slots=True)
class OpenLog:
    """Both sides of a log; the reader has sought nothing yet."""

    writer: LogWriter
    reader: LogReader


class LogUnderTest(Protocol):
    """A log that is empty when a test begins, and that can be opened several times in turn."""

    def open(self) -> AbstractAsyncContextManager[OpenLog]:
        """Open it; leaving the context closes both sides."""
        ...


@dataclass(frozen=True, slots=True)
class EmbeddedLogUnderTest:
    """The embedded log, in a folder of the test's own."""

    folder: Path

    @asynccontextmanager
    async def open(self) -> AsyncIterator[OpenLog]:
        """See ``LogUnderTest.open``."""
        async with open_embedded_log(self.folder / "log.sqlite", reserve_bytes=0) as log:
            yield OpenLog(log.writer, log.reader())


@dataclass(frozen=True, slots=True)
class SpooledLogUnderTest:
    """The embedded log behind a spool, both in a folder of the test's own."""

    folder: Path

    @asynccontextmanager
    async def open(self) -> AsyncIterator[OpenLog]:
        """See ``LogUnderTest.open``."""
        spools = self.folder / "spools"
        spools.mkdir(exist_ok=True)
        async with (
            EmbeddedLogUnderTest(self.folder).open() as log,
            spooling(log.writer, spools, wall_clock) as writer,
        ):
            yield OpenLog(writer, log.reader)


@dataclass(frozen=True, slots=True)
class KafkaLogUnderTest:
    """A topic of the test's own on a Kafka that others use too, read as a group's only member."""

    kafka: KafkaForTests
    topic: str = field(default_factory=lambda: f"test-{uuid4().hex}")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[OpenLog]:
        """See ``LogUnderTest.open``."""
        address = KafkaAddress(self.kafka.bootstrap, KafkaSettings(), "test")
        await self.kafka.ensure_topic(self.topic)
        async with (
            open_kafka_writer(address, self.topic, append_timeout_seconds=20) as writer,
            open_kafka_reader(address, self.topic, group=self.topic) as reader,
        ):
            await given(reader)
            yield OpenLog(writer, reader)


async def given(reader: LogReader) -> None:
    """Return once *reader* has all partitions."""
    async with asyncio.timeout(30):
        while reader.assigned != set(await reader.end_offsets()):
            assert await reader.poll(max_records=1, timeout_seconds=0.02) == {}


async def seek_to_start(reader: LogReader) -> None:
    """Let *reader* begin at the first record of every partition."""
    for partition, offset in (await reader.start_offsets()).items():
        await reader.seek(partition, offset)


async def read_records(reader: LogReader, number: int) -> list[LogRecord]:
    """Poll until *number* records came; in order within each partition."""
    records: list[LogRecord] = []
    while len(records) < number:
        polled = await reader.poll(max_records=500, timeout_seconds=20)
        assert polled, f"only {len(records)} of {number} records came"
        records += [record for several in polled.values() for record in several]
    return records


def by_position(
    positions: list[Position], entries: list[Entry]
) -> dict[tuple[int, int], tuple[bytes, bytes]]:
    """Return what should lie where."""
    return {
        (position.partition, position.offset): (entry.key, entry.value)
        for position, entry in zip(positions, entries, strict=True)
    }
