"""Senders, ingest and a log whose answers get lost: what was promised is in the log.

Everything but the log is real; one seed decides what goes wrong when. The checker is that of the
torture run.
"""

import asyncio
import os
import random
from pathlib import Path
from typing import Final

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from services.ingest.app import build_ingest
from shared.clock import wall_clock
from shared.errors import NotFound
from shared.http.front import Front
from shared.instants import instant_of, rfc3339
from shared.log.port import LogWriter
from shared.records import TouchpointRecord, decode
from tests.fakes.directory import InMemoryDirectory, writer_of
from tests.fakes.faulty_writer import FaultyWriter
from tests.fakes.log import InMemoryLog, InMemoryWriter
from tests.fixtures.load import LedgerRow
from tests.fixtures.spools import SpooledLog
from tests.strategies.items import source_with
from tests.torture.checker import Seen, Told, check
from tests.torture.history import Recorder
from tests.torture.load import Load, told_of

SEEDS: Final = range(40) if os.environ.get("LONG_RUNS") else range(3)
FAULTS: Final = 60
SECONDS_BETWEEN: Final = 0.02


async def nothing_else(_: Scope, __: Receive, ___: Send) -> None:
    raise NotFound("there is nothing at this path")


async def hurt(writer: FaultyWriter, chance: random.Random) -> None:
    """Let the log go away, come back, and lose answers, at random."""
    for _ in range(FAULTS):
        writer.away = chance.random() < 0.3
        writer.lost_answers = chance.choice([0, 0, 1, 3])
        await asyncio.sleep(chance.uniform(0, 2 * SECONDS_BETWEEN))
    writer.away, writer.lost_answers = False, 0


async def sent_through(
    writer: LogWriter, faults: FaultyWriter, recorder: Recorder, seed: int
) -> Load:
    """Send to an ingest that appends with *writer* while the log is hurt; return what was sent."""
    directory = InMemoryDirectory([source_with(name="shop")], {"wk_shop": writer_of("shop")})
    ingest = build_ingest(log=writer, directory=directory, clock=wall_clock)
    transport = httpx.ASGITransport(Front(ingest.hot_routes, nothing_else))
    load = Load(
        ["http://ingest"],
        "wk_shop",
        random.Random(seed),
        recorder,
        per_second=1_500,
        retry_seconds=SECONDS_BETWEEN,
        transport=transport,
    )
    loading = asyncio.create_task(load.run())
    await hurt(faults, random.Random(seed + 1))
    load.stop()
    await loading
    return load


def seen_in(log: InMemoryLog, load: Load) -> Seen:
    """Return what a classifier would make of *log*: of each id the first record counts."""
    records = [decode(record.value) for record in log.records]
    touchpoints = [record for record in records if isinstance(record, TouchpointRecord)]
    refused = {record.id for record in records if not isinstance(record, TouchpointRecord)}
    told = {record.id: [told_in(record)] for record in reversed(touchpoints)}
    row = LedgerRow(
        log_end=len(records),
        stored=len(told),
        duplicate=len(touchpoints) - len(told),
        quarantined=len(records) - len(touchpoints),
        erased=0,
        gaps=0,
        pending=0,
    )
    return Seen(load.sent, told, {}, [row], len(refused), len(told), 0)


def told_in(record: TouchpointRecord) -> Told:
    data = record.data
    assert data.occurred_at is not None
    occurred_at = rfc3339(instant_of(data.occurred_at))
    return told_of({"type": data.type, "occurred_at": occurred_at, "properties": data.properties})


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_was_promised_is_in_the_log_and_what_was_refused_is_not(
    tmp_path: Path, seed: int
) -> None:
    log = InMemoryLog()
    writer = FaultyWriter(InMemoryWriter(log))
    with Recorder(tmp_path / "history.ndjson") as recorder:
        load = await sent_through(writer, writer, recorder, seed)
    seen = seen_in(log, load)
    assert check(recorder.entries, seen) == []
    assert seen.ledger[0].duplicate > 0, "no answer got lost: void"


@pytest.mark.parametrize("seed", SEEDS)
async def test_with_a_spool_the_same_holds_and_nobody_is_sent_away(
    tmp_path: Path, seed: int
) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    with Recorder(tmp_path / "history.ndjson") as recorder:
        async with spooled.open() as writer:
            load = await sent_through(writer, spooled.faults, recorder, seed)
            await spooled.until_drained(writer)
    assert check(recorder.entries, seen_in(spooled.log, load)) == []
