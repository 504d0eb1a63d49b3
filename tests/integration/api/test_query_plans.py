"""The plans that timelines depend on: a page costs what it shows, however long the history."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import asyncpg
import msgspec
import pytest

from services.api.readers.timeline_statements import PAGE_BY_IDENTIFIER, TOUCHPOINTS, TRANSITIONS
from shared.instants import DAY, MINUTE
from tests.fixtures.served_api import START
from tests.fixtures.stored_histories import StoredHistories, stored_histories
from tests.fixtures.told import Told

IDENTIFIERS = 50
TOUCHPOINTS_EACH = 100
LIMIT = 51

PAGE = """
EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE page(
    '{owners}', '{at}', '{source}', '', '-infinity', 'infinity', 'infinity', NULL, NULL, 51)
"""


@dataclass(frozen=True, slots=True)
class Scan:
    """One node that reads a table: how, and how many rows in all of its loops."""

    kind: str
    table: str
    index: str
    loops: int
    rows: float


@pytest.fixture
async def histories(database_url: str) -> AsyncIterator[StoredHistories]:
    """A customer with many identifiers and a long history, among others."""
    async with stored_histories(database_url, at=START) as store:
        told = [
            Told(
                event_id=f"e{device}-{number}",
                at=START + number * MINUTE + device,
                identifiers=(f"device_id:d{device}",),
            )
            for device in range(IDENTIFIERS)
            for number in range(TOUCHPOINTS_EACH)
        ]
        await store.store(*told, recorded_at=START + DAY)
        await store.connection.execute("ANALYZE")
        yield store


def scans(node: dict[str, object]) -> Iterator[Scan]:
    """Yield every scan of a plan."""
    if "Relation Name" in node:
        loops, rows = node["Actual Loops"], node["Actual Rows"]
        assert isinstance(loops, int)
        assert isinstance(rows, int | float)
        yield Scan(
            str(node["Node Type"]),
            str(node["Relation Name"]),
            str(node.get("Index Name")),
            loops,
            rows * loops,
        )
    below = node.get("Plans", [])
    assert isinstance(below, list)
    for child in below:
        yield from scans(child)


async def page_plan(connection: asyncpg.Connection, at: str, source: str) -> str:
    """Return the plan, as it ran, of a page over all identifiers."""
    owners = await connection.fetchval("SELECT array_agg(id)::text FROM identifiers")
    plan: str = await connection.fetchval(PAGE.format(owners=owners, at=at, source=source))
    return plan


def scans_of(plan: str) -> list[Scan]:
    return list(scans(msgspec.json.decode(plan)[0]["Plan"]))


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(("order", "at"), [("desc", "infinity"), ("asc", "-infinity")])
async def test_a_page_reads_no_more_of_each_identifier_than_it_can_show(
    histories: StoredHistories, mode: str, order: str, at: str
) -> None:
    connection = histories.connection
    statement = TOUCHPOINTS["desc" if order == "desc" else "asc"]
    await connection.execute(f"SET plan_cache_mode = {mode}")
    await connection.execute(f"PREPARE page AS {statement}")
    found = scans_of(await page_plan(connection, at, ""))
    touched = [scan for scan in found if scan.table == "touchpoints"]
    assert {scan.index for scan in touched} == {"touchpoints_in_order"}
    assert {scan.kind for scan in touched} <= {"Index Scan", "Index Only Scan"}
    assert [scan.loops for scan in touched] == [IDENTIFIERS, IDENTIFIERS]
    assert sum(scan.rows for scan in touched) <= 4 * (IDENTIFIERS + LIMIT)


async def test_a_page_in_the_middle_begins_there_and_not_at_the_end(
    histories: StoredHistories,
) -> None:
    """Rows before the mark are skipped by the index, not read and thrown away."""
    connection = histories.connection
    await connection.execute(f"PREPARE page AS {TOUCHPOINTS['desc']}")
    plan = await page_plan(connection, "2025-03-01 12:10:00+00", "web")
    touched = [scan for scan in scans_of(plan) if scan.table == "touchpoints"]
    assert all(scan.rows <= IDENTIFIERS * 11 for scan in touched)
    assert "Rows Removed by Filter" not in plan or '"Rows Removed by Filter": 0' in plan


async def test_transitions_of_one_customer_are_found_by_an_index(
    histories: StoredHistories,
) -> None:
    connection = histories.connection
    customer = await connection.fetchval("SELECT id FROM customers LIMIT 1")
    await connection.execute("SET enable_seqscan = off")  # the table is small here
    await connection.execute(f"PREPARE page AS {TRANSITIONS['desc']}")
    plan = await connection.fetchval(
        f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE page('{customer}', 1, '-infinity', 'infinity',"
        " 'infinity', false, 'infinity', 'infinity', '', '', '', 51)",
    )
    assert "Seq Scan" not in plan
    assert "Index Cond" in plan


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_a_page_with_its_customer_reads_by_indexes_only(
    histories: StoredHistories, mode: str
) -> None:
    connection = histories.connection
    await connection.execute(f"SET plan_cache_mode = {mode}")
    await connection.execute("SET enable_seqscan = off")  # other tables are small here
    await connection.execute(f"PREPARE whole AS {PAGE_BY_IDENTIFIER['desc']}")
    behind, times = "'infinity', '', ''", "'-infinity', 'infinity'"
    plan = await connection.fetchval(
        "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE whole("
        " NULL, 'device_id', 'd7', NULL, true, true, true,"
        f" {behind}, {times}, 'infinity', NULL, NULL, 51,"
        f" {times}, 'infinity', false, 'infinity', {behind}, '', 51,"
        f" 'infinity', {times}, {behind}, '', 51)"
    )
    found = scans_of(plan)
    touched = [scan for scan in found if scan.table == "touchpoints"]
    assert {scan.index for scan in touched} == {"touchpoints_in_order"}
    assert {scan.kind for scan in touched} <= {"Index Scan", "Index Only Scan"}
    assert sum(scan.rows for scan in touched) <= LIMIT
    by_index = {scan.table for scan in found if scan.kind != "Seq Scan"}
    assert {"identifiers", "touchpoints", "transitions", "links"} <= by_index
