"""How many touchpoints the classifier stores, links and folds in a second of CPU time.

Run it as ``python -m benchmarks.classifier grocery.ndjson [LINES [ERASURES]]`` with a file of
docs/recipes/grocery.md; ERASURES is what suppression has to do: ``unasked`` leaves it out,
``none`` asks whether anybody was erased, ``some`` looks all touchpoints up. Batches are cut and
kept in flight as the worker does it; the log itself is left out. It tells CPU seconds, of Python
and of PostgreSQL, since a shared machine's clock says little, and in the end verifies what is
stored.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.classifier.batch import LogIdentity, PostgresClassification
from services.classifier.reading import Item
from services.classifier.suppression import Suppression
from services.classifier.worker import IN_FLIGHT, MOST_RECORDS
from services.standalone.postgres import running_postgres
from shared.acceptance.bodies import split
from shared.acceptance.requests import judge_all
from shared.acceptance.terms import Terms
from shared.clock import wall_clock
from shared.erasure import Digests, Erased
from shared.identity.policy_documents import default_policy
from shared.instants import Instant
from shared.journey.bundled import bundled_model
from shared.journey.loading import load_model
from shared.log.partitioning import partition_of
from shared.log.port import LogRecord
from shared.records import encode, key_of
from shared.sources import Source
from shared.storage.engine import checked_out, open_engine
from shared.storage.erasures import remember_erased
from shared.storage.migrate import upgrade
from shared.storage.stage_models import ensure_default_model
from shared.storage.verification import Difference, verify
from shared.touchpoints import Channel
from shared.upkeep.transactions import transaction

PARTITIONS: Final = 4
ITEMS_AT_ONCE: Final = 1_000
SHARE: Final = MOST_RECORDS // PARTITIONS
"""What a partition has of each poll while all have more."""
DIGESTS: Final = Digests.under(b"the benchmark's pepper")
TICKS: Final = os.sysconf("SC_CLK_TCK")


def records_of(path: Path, most: int | None, now: Instant) -> list[LogRecord]:
    """Return the log records that ingest makes of the lines of *path*, in order of arrival."""
    terms = Terms(Source("grocery", Channel.IN_STORE), default_policy(), now, uuid4)
    records: list[LogRecord] = []
    next_offsets = [0] * PARTITIONS
    with path.open("rb") as file:
        lines = islice(file, most)
        while some := b"".join(islice(lines, ITEMS_AT_ONCE)):
            for record in judge_all(split(some), terms):
                key = key_of(record)
                partition = partition_of(key, PARTITIONS)
                offset = next_offsets[partition]
                next_offsets[partition] += 1
                records.append(LogRecord(partition, offset, key, encode(record), now))
    return records


class Unasked(Suppression):
    """Asks nothing and lets everything pass: what a batch costs without suppression."""

    async def applied(
        self, connection: asyncpg.Connection, items: Sequence[Item], *, now: Instant
    ) -> Sequence[Item]:
        """Return *items*."""
        del connection, now
        return items


async def suppression_with(engine: AsyncEngine, erasures: str) -> Suppression:
    """Return a suppression for which *erasures* is true in the database."""
    if erasures == "unasked":
        return Unasked(None)
    if erasures == "some":
        kinds = {DIGESTS.of_identifier("user_id:nobody"): Erased.IDENTIFIER}
        async with transaction(engine) as connection:
            ids = dict.fromkeys(kinds, uuid4())
            await remember_erased(connection, kinds, ids, now=wall_clock())
    return Suppression(DIGESTS)


async def classify(
    engine: AsyncEngine, records: Sequence[LogRecord], suppression: Suppression
) -> None:
    """Classify *records*: each partition's one batch after the other, two of them at once."""
    identity = LogIdentity("log", "touchpoints")
    classification = PostgresClassification(
        engine, identity, owner="benchmark", clock=wall_clock, suppression=suppression
    )
    in_flight = asyncio.Semaphore(IN_FLIGHT)

    async def partition_by_itself(partition: int) -> None:
        claim = await classification.claim(partition, 0)
        mine = [record for record in records if record.partition == partition]
        for start in range(0, len(mine), SHARE):
            async with in_flight:
                claim = await classification.classify(claim, mine[start : start + SHARE])

    await asyncio.gather(*map(partition_by_itself, range(PARTITIONS)))


async def differences(engine: AsyncEngine) -> int:
    """Return how many differences a verification finds."""
    found = 0
    async with checked_out(engine) as connection:
        async for finding in verify(connection):
            found += isinstance(finding, Difference)
    return found


def cpu_seconds_of_postgres(folder: Path) -> float:
    """Return the CPU time that the server on *folder* and its processes have used, ended or not."""
    first = int((folder / "cluster" / "postmaster.pid").read_text().split("\n", 1)[0])
    ticks = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(") ")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(status.parent.name) == first:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == first:
            ticks += sum(map(int, fields[11:13]))
    return ticks / TICKS


@asynccontextmanager
async def database() -> AsyncGenerator[tuple[AsyncEngine, Path]]:
    """Yield an engine on a throw-away database with the default model, and the server's folder."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "postgres"
        async with running_postgres(files, progress=print) as postgres:
            await upgrade(postgres.dsn)
            async with open_engine(postgres.dsn, pool_size=8) as engine:
                async with transaction(engine) as connection:
                    model = load_model(bundled_model("default"))
                    await ensure_default_model(connection, model, now=wall_clock())
                yield engine, files


async def main(path: Path, most: int | None, erasures: str) -> None:
    """Classify the lines of *path* and print the figures."""
    records = records_of(path, most, wall_clock())
    async with database() as (engine, files):
        suppression = await suppression_with(engine, erasures)
        began, python = time.monotonic(), time.process_time()
        postgres = cpu_seconds_of_postgres(files)
        await classify(engine, records, suppression)
        spent = time.process_time() - python
        served = cpu_seconds_of_postgres(files) - postgres
        print(
            f"{len(records):,} touchpoints: {spent:.1f} CPU seconds of Python, {served:.1f} of "
            f"PostgreSQL, {time.monotonic() - began:.0f} s; "
            f"{len(records) / (spent + served):,.0f} touchpoints a CPU second"
        )
        print(f"verified: {await differences(engine)} differences")


if __name__ == "__main__":
    file, lines, erased, *_ = [*sys.argv[1:], "", "", ""]
    asyncio.run(main(Path(file), int(lines) if lines else None, erased or "none"))
