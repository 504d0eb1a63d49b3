"""What a spool holds of people who were erased goes from the disk, long before the log is back."""

from collections.abc import Collection
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.spool_report import SpoolReport
from services.ingest.spool_sweep import SpoolSweep
from shared.clock import wall_clock
from shared.erasure import Digests, Erased
from shared.instants import datetime_of
from shared.log.port import Entry
from shared.log.spool_writer import SpoolingWriter
from shared.records import (
    ErasedRecord,
    Record,
    RejectedData,
    TouchpointData,
    TouchpointRecord,
    decode_event,
    encode,
    key_of,
    rejected_record,
    touchpoint_record,
)
from shared.storage.engine import open_engine
from shared.storage.erasures import erased_among, remember_erased
from shared.touchpoints import Channel, JsonObject
from shared.upkeep.transactions import transaction
from tests.fixtures.spools import SpooledLog

CANARY = "canary-91c2"
HER, BEN = f"user_id:{CANARY}", "user_id:ben"
DIGESTS = Digests.under(b"pepper of the test")
NOW = datetime_of(wall_clock())
ITEM = UUID(int=7)
CERTIFICATE = UUID(int=1)


def sent(
    event_id: str, *names: str, text: str | None = None, properties: JsonObject | None = None
) -> Record:
    data = TouchpointData(
        type="page_viewed",
        channel=Channel.WEB,
        identifiers=names,
        received_at=NOW,
        effective_at=NOW,
        text=text,
        properties=properties or {},
    )
    return touchpoint_record("web", event_id, data)


def refused(raw: bytes) -> Record:
    data = RejectedData(
        reason="missing_type",
        message="type is missing",
        received_at=NOW,
        raw=raw,
        raw_length=len(raw),
        raw_sha256="0" * 64,
    )
    return rejected_record("web", ITEM, data)


SPOOLED = (
    sent("a1", HER, text=f"I am {CANARY}"),
    sent("b1", BEN),
    sent("a2", BEN, HER),
    sent("b2", BEN, properties={"referred_by": HER}),
    refused(b'{"customer": {"user_id": "%s"}, "text": "%s"}' % ((CANARY.encode(),) * 2)),
    sent("b3", BEN),
)


async def spool(writer: SpoolingWriter, *records: Record) -> None:
    await writer.append([Entry(key_of(record), encode(record)) for record in records])


async def erase(engine: AsyncEngine, *digests: bytes, number: int = 1) -> None:
    """Remember *digests* of identifiers, as an erasure does."""
    now = wall_clock()
    certificate = UUID(int=number)
    async with transaction(engine) as connection:
        kinds = dict.fromkeys(digests, Erased.IDENTIFIER)
        await remember_erased(connection, kinds, dict.fromkeys(kinds, certificate), now=now)
        await connection.execute(
            "INSERT INTO certificates (id, erased_at, suppressed, document)"
            " VALUES ($1, $2, true, '{}')",
            certificate,
            datetime_of(now),
        )


def on_the_disk(path: Path) -> int:
    """Return how often the canary is in any file below *path*."""
    files = [file for file in path.rglob("*") if file.is_file()]
    return sum(file.read_bytes().count(CANARY.encode()) for file in files)


def sweep_of(engine: AsyncEngine, writer: SpoolingWriter) -> SpoolSweep:
    return SpoolSweep(engine, writer, wall_clock, DIGESTS)


async def remembered(engine: AsyncEngine, digests: Collection[bytes]) -> int:
    async with transaction(engine) as connection:
        return len(await erased_among(connection, digests))


async def test_what_was_spooled_of_an_erased_person_is_overwritten_while_the_log_is_away(
    database_url: str, tmp_path: Path
) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    async with spooled.open() as writer, open_engine(database_url) as engine:
        spooled.faults.away = True
        await spool(writer, *SPOOLED)
        sweep = sweep_of(engine, writer)
        assert await sweep.sweep() == 0, "nobody was erased"
        assert on_the_disk(spooled.path) >= 4
        await erase(engine, DIGESTS.of_identifier(HER))
        assert await sweep.sweep() == 4
        assert on_the_disk(spooled.path) == 0
        things = [
            DIGESTS.of_touchpoint("web", "a1"),
            DIGESTS.of_touchpoint("web", "a2"),
            DIGESTS.of_item(ITEM),
        ]
        assert await remembered(engine, things) == 3, "their receipts say so"
        assert await remembered(engine, [DIGESTS.of_touchpoint("web", "b2")]) == 0
        spooled.faults.away = False
        await spooled.until_drained(writer)
    events = [decode_event(value) for value in spooled.values()]
    kept = [event.id for event in events if isinstance(event, TouchpointRecord)]
    assert kept == ["b1", "b2", "b3"], "those of others, in their order"
    left = [event.data.accepted for event in events if isinstance(event, ErasedRecord)]
    assert sorted(left) == [False, True, True]
    assert CANARY not in str(spooled.values())


async def test_what_is_spooled_after_an_erasure_goes_too_and_nothing_is_read_again_for_it(
    database_url: str, tmp_path: Path
) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    async with spooled.open() as writer, open_engine(database_url) as engine:
        spooled.faults.away = True
        await erase(engine, DIGESTS.of_identifier(HER))
        await spool(writer, sent("b0", BEN))
        sweep = sweep_of(engine, writer)
        assert await sweep.sweep() == 0
        await spool(writer, *SPOOLED)
        assert await sweep.sweep() == 4
        assert await sweep.sweep() == 0
        assert on_the_disk(spooled.path) == 0


async def test_what_the_next_process_finds_in_a_spool_is_swept_too(
    database_url: str, tmp_path: Path
) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    spooled.faults.away = True
    async with open_engine(database_url) as engine:
        async with spooled.open() as writer:
            await spool(writer, *SPOOLED)
        await erase(engine, DIGESTS.of_identifier(HER))
        async with spooled.open() as writer:
            assert await sweep_of(engine, writer).sweep() == 4
            assert on_the_disk(spooled.path) == 0


async def test_bytes_of_what_was_drained_go_from_the_files_with_the_next_erasure(
    database_url: str, tmp_path: Path
) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    async with spooled.open() as writer, open_engine(database_url) as engine:
        spooled.faults.away = True
        await spool(writer, *SPOOLED)
        spooled.faults.away = False
        await spooled.until_drained(writer)
        assert on_the_disk(spooled.path) > 0, "the write-ahead log has it yet"
        await erase(engine, DIGESTS.of_identifier(HER))
        await sweep_of(engine, writer).sweep()
        assert on_the_disk(spooled.path) == 0


@pytest.mark.parametrize("records", [1, 1_500])
async def test_a_sweep_beside_the_drain_loses_and_doubles_nothing_of_others(
    database_url: str, tmp_path: Path, records: int
) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    async with spooled.open() as writer, open_engine(database_url) as engine:
        spooled.faults.away = True
        for number in range(records):
            await spool(writer, sent(f"a{number}", HER), sent(f"b{number}", BEN))
        await erase(engine, DIGESTS.of_identifier(HER))
        spooled.faults.away = False
        await sweep_of(engine, writer).sweep()
        await spooled.until_drained(writer)
        assert not writer.spools()[0].holds(HER.encode())
        assert writer.spools()[0].held_bytes == 0
    events = [decode_event(value) for value in spooled.values()]
    assert len(events) == 2 * records
    of_ben = [
        event.id for event in events if isinstance(event, TouchpointRecord) and event.id[0] == "b"
    ]
    assert of_ben == [f"b{number}" for number in range(records)]


async def test_a_spool_tells_for_which_erasure_it_was_swept(
    database_url: str, tmp_path: Path
) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    async with spooled.open() as writer, open_engine(database_url) as engine:
        spooled.faults.away = True
        await spool(writer, *SPOOLED)
        report = SpoolReport(engine, writer, wall_clock, DIGESTS)

        async def told() -> int:
            await report.tell()
            async with transaction(engine) as connection:
                return int(await connection.fetchval("SELECT swept_for FROM spools"))

        assert await told() == 0
        await erase(engine, DIGESTS.of_identifier(HER))
        await erase(engine, DIGESTS.of_identifier("user_id:x"), number=2)
        assert await told() == 0
        await report.sweep.sweep()
        assert await told() == 2
