"""The loop over a real log and a real database."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from services.classifier.app import Classifier as ClassifierProcess
from services.classifier.app import build_classifier
from shared.clock import wall_clock
from shared.errors import DatabaseUnavailable
from shared.instants import SECOND
from shared.log.embedded import EmbeddedLog, open_embedded_log
from shared.log.port import Entry
from shared.log.sqlite_file import row_id
from shared.storage.watermark import load_watermark
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.fixtures.classification import START, Classifier, Refused, Sent


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[EmbeddedLog]:
    async with open_embedded_log(tmp_path / "log.sqlite", partitions=3) as opened:
        yield opened


async def append(log: EmbeddedLog, *sent: Sent | Refused) -> None:
    await log.writer.append([Entry(*item.value()) for item in sent])


@asynccontextmanager
async def running(classifier: Classifier, log: EmbeddedLog) -> AsyncIterator[ClassifierProcess]:
    """Run a classifier on *log*, as a process of its own would."""
    process = build_classifier(classifier.engine, log.reader(), clock=wall_clock)
    stopping = asyncio.Event()
    task = asyncio.create_task(process.run(stopping))
    try:
        yield process
    finally:
        stopping.set()
        await asyncio.wait_for(task, PATIENCE_SECONDS)


async def total(classifier: Classifier) -> dict[str, int]:
    [row] = await classifier.rows(
        "SELECT sum(next_offset) AS read, sum(stored) AS stored, sum(duplicate) AS duplicate, "
        "sum(quarantined) AS quarantined FROM claims"
    )
    return {name: int(str(value or 0)) for name, value in row.items()}


async def test_everything_appended_is_classified_once(
    classifier: Classifier, log: EmbeddedLog
) -> None:
    sent = [Sent(f"e{n}", (f"user_id:u{n % 7}",), at=START + n * SECOND) for n in range(200)]
    await append(log, *sent[:120])
    async with running(classifier, log):
        await append(log, *sent[100:], Refused(uuid4()))

        async def all_read() -> bool:
            return (await total(classifier))["read"] == 221

        await eventually(all_read)
    expected = {"read": 221, "stored": 200, "duplicate": 20, "quarantined": 1}
    assert await total(classifier) == expected


async def test_a_new_process_goes_on_where_the_former_stopped(
    classifier: Classifier, log: EmbeddedLog
) -> None:
    for start in (0, 30):
        async with running(classifier, log):
            await append(log, *(Sent(f"e{n}", ("user_id:ana",)) for n in range(start, start + 30)))

            async def read(wanted: int = start + 30) -> bool:
                return (await total(classifier))["read"] == wanted

            await eventually(read)
    assert (await total(classifier))["stored"] == 60
    epochs = await classifier.rows("SELECT DISTINCT epoch FROM claims")
    assert epochs == [{"epoch": 2}]


async def test_a_process_that_was_taken_over_leaves_the_partitions_alone(
    classifier: Classifier, log: EmbeddedLog
) -> None:
    async with running(classifier, log) as former:

        async def owns_all() -> bool:
            return len(former.worker.owned) == 3

        await eventually(owns_all)
        await classifier.execute("UPDATE claims SET epoch = epoch + 1")
        await append(log, Sent("e1", ("user_id:ana",)))

        async def stored() -> bool:
            return (await total(classifier))["stored"] == 1

        await eventually(stored)
    assert (await total(classifier))["duplicate"] == 0


async def test_the_watermark_follows_the_clock_while_nothing_comes(
    classifier: Classifier, log: EmbeddedLog
) -> None:
    began = wall_clock()
    async with running(classifier, log):

        async def passed() -> bool:
            async with classifier.engine.connect() as connection:
                raw = await connection.get_raw_connection()
                assert raw.driver_connection is not None
                watermark = await load_watermark(raw.driver_connection)
            return watermark is not None and watermark > began

        await eventually(passed)


async def test_an_outage_of_the_database_is_waited_out(
    classifier: Classifier, log: EmbeddedLog
) -> None:
    async with running(classifier, log):
        await append(log, Sent("e1", ("user_id:ana",)))
        await classifier.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await append(log, Sent("e2", ("user_id:ana",)))

        async def stored() -> bool:
            try:
                return (await total(classifier))["stored"] == 2
            except DatabaseUnavailable:  # this test's own connection was cut as well
                return False

        await eventually(stored)


async def test_a_damaged_record_stops_its_partition_and_no_other(
    classifier: Classifier, log: EmbeddedLog, tmp_path: Path
) -> None:
    sent = [Sent(f"e{n}", (f"user_id:u{n}",)) for n in range(60)]
    positions = await log.writer.append([Entry(*item.value()) for item in sent])
    damaged = positions[0].partition
    with sqlite3.connect(tmp_path / "log.sqlite") as file:
        file.execute(
            "UPDATE records SET frame = zeroblob(length(frame)) WHERE id = ?", (row_id(damaged, 0),)
        )
    elsewhere = sum(position.partition != damaged for position in positions)
    async with running(classifier, log) as process:

        async def others_read() -> bool:
            return (await total(classifier))["stored"] == elsewhere

        await eventually(others_read)
        assert "checksum" in process.worker.stopped_partitions[damaged]
        assert await process.check_progress() is not None
