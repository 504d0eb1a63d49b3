"""What waits in spools is told in the database, and taken back when it is drained."""

from pathlib import Path

from services.ingest.spool_report import SpoolReport, reporting
from shared.clock import wall_clock
from shared.erasure import Digests
from shared.storage.engine import open_engine
from shared.upkeep.transactions import transaction
from tests.eventually import eventually
from tests.fixtures.spools import SpooledLog, entries

DIGESTS = Digests.under(b"pepper of the test")
ROWS = "SELECT name, records, bytes, oldest_at <= seen_at AS in_order FROM spools"


async def test_a_spool_has_a_row_while_it_holds_records(database_url: str, tmp_path: Path) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    async with spooled.open() as writer, open_engine(database_url) as engine:
        report = SpoolReport(engine, writer, wall_clock, DIGESTS)
        spooled.faults.away = True
        await writer.append(entries(b"k", range(7)))
        await report.tell()
        async with transaction(engine) as connection:
            [row] = await connection.fetch(ROWS)
        (folder,) = spooled.folders()
        assert (row["name"], row["records"], row["in_order"]) == (folder.name, 7, True)
        assert row["bytes"] >= 7 * 100
        spooled.faults.away = False
        await spooled.until_drained(writer)
        await report.tell()
        async with transaction(engine) as connection:
            assert await connection.fetch(ROWS) == []


async def test_a_process_tells_at_once_and_once_more_when_it_ends(
    database_url: str, tmp_path: Path
) -> None:
    spooled = SpooledLog(tmp_path / "spools")
    spooled.faults.away = True
    async with open_engine(database_url) as engine:

        async def records() -> list[int]:
            async with transaction(engine) as connection:
                return [int(row["records"]) for row in await connection.fetch(ROWS)]

        async def are_told() -> bool:
            return await records() == [3]

        async with spooled.open() as writer:
            await writer.append(entries(b"k", range(3)))
            async with reporting(engine, writer, wall_clock, DIGESTS):
                await eventually(are_told)
                await writer.append(entries(b"k", range(3, 5)))
            assert await records() == [5]
        # The next process takes the folder over, and its row with it.
        async with spooled.open() as writer, reporting(engine, writer, wall_clock, DIGESTS):
            spooled.faults.away = False
            await spooled.until_drained(writer)
        assert await records() == []
