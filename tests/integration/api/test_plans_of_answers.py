"""What is asked most reads by indexes: plans as they ran, in tables that are large.

The API answers real requests, and PostgreSQL tells the plan of every statement, ``auto_explain``
does. So there is no statement that is in use and not looked at.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import asyncpg
import msgspec
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.instants import DAY, MINUTE
from shared.storage.engine import checked_out
from tests.fixtures.hooked import Hooked
from tests.fixtures.large_tables import LARGE, fill_tables
from tests.fixtures.served_api import START
from tests.fixtures.told import Told
from tests.fixtures.told_messages import transition

Plan: TypeAlias = dict[str, Any]

MOST_ROWS = 2_000
"""That a statement may look at in one table, a tenth of the smallest."""

TRIED_BEFORE_KEPT = 5
"""How often PostgreSQL plans for the values at hand before it compares."""

ANA = "/v1/customers/user_id:u_1"
ASKED = (
    ANA,
    f"{ANA}/timeline",
    f"{ANA}/timeline?order=asc",
    f"{ANA}/timeline?channel=web&type=product_viewed",
    f"{ANA}/timeline?known_at=2025-03-02T00:00:00Z",
    f"{ANA}/journey",
    f"{ANA}/journey?as_of=2025-03-01T13:00:00Z",
    f"{ANA}/journey?known_at=2025-03-02T00:00:00Z",
    f"{ANA}/explanation",
    f"{ANA}?wait_for=web/e1",
    "/v1/receipts/web/e1",
    "/v1/receipts/web/filler_7",
    "/v1/receipts/web/refused_7",
    "/v1/transitions?limit=50",
    "/v1/quarantine/00000000-0000-4000-8000-000000000000",
    "/v1/customers?q=user_id:filler_199",
    "/v1/customers?q=filler_199",
    "/v1/customers?q=nobody",
    "/v1/customers?q=Nobody",
    "/v1/identifiers/shared",
    "/v1/audit",
)
LISTED = (
    "/v1/customers",
    "/v1/customers?stage=decision&activity=active&first_channel=web",
    "/v1/quarantine",
    "/v1/quarantine?source=web&status=open",
)
"""Lists that also count what they are pages of."""


@dataclass(slots=True)
class Plans:
    """Every plan that ran on the connections of an engine while ``mode`` was in force."""

    mode: str = "auto"
    ran: list[Plan] = field(default_factory=list)

    async def watch(self, connection: asyncpg.Connection) -> None:
        connection.add_log_listener(self._note)
        await connection.execute("LOAD 'auto_explain'")
        for name, value in (
            ("auto_explain.log_min_duration", "0"),
            ("auto_explain.log_analyze", "on"),
            ("auto_explain.log_timing", "off"),
            ("auto_explain.log_format", "json"),
            ("auto_explain.log_level", "notice"),
            ("plan_cache_mode", self.mode),
        ):
            await connection.execute(f"SET {name} = {value}")

    def _note(self, _: asyncpg.Connection, message: asyncpg.PostgresLogMessage) -> None:
        _, found, plan = message.message.partition("plan:\n")
        if found and "Actual Rows" in plan:  # an estimate is a plan that never runs
            self.ran.append(msgspec.json.decode(plan))


def is_sweep(plan: Plan) -> bool:
    """Tell whether this is what takes old rows away, once in a while."""
    return str(plan["Query Text"]).startswith("\nDELETE")


def scans(node: Plan) -> Iterator[Plan]:
    """Yield every node of a plan that reads a table which is large."""
    if node.get("Relation Name") in LARGE and "Scan" in node["Node Type"]:
        yield node
    for child in node.get("Plans", []):
        yield from scans(child)


def looked_at(scan: Plan) -> float:
    """Return how many rows *scan* looked at in all of its loops."""
    removed = scan.get("Rows Removed by Filter", 0) + scan.get("Rows Removed by Index Recheck", 0)
    return float((scan["Actual Rows"] + removed) * scan["Actual Loops"])


def too_much(plans: Iterable[Plan]) -> list[str]:
    """Say which tables statements read more of than they may, and by what."""
    return [
        f"{scan['Node Type']} of {looked_at(scan):,.0f} in {scan['Relation Name']}: "
        f"{' '.join(plan['Query Text'].split())[:200]}"
        for plan in plans
        for scan in scans(plan["Plan"])
        if looked_at(scan) > MOST_ROWS or scan["Node Type"] == "Seq Scan"
    ]


@asynccontextmanager
async def watched(engine: AsyncEngine, plans: Plans) -> AsyncIterator[Plans]:
    """Let *plans* see what runs on new connections of *engine*, which has none left after it."""

    def connected(connection: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter
        connection.run_async(plans.watch)

    await engine.dispose()
    event.listen(engine.sync_engine, "connect", connected)
    try:
        yield plans
    finally:
        event.remove(engine.sync_engine, "connect", connected)
        await engine.dispose()


@pytest.fixture
async def large(hooked: Hooked) -> Hooked:
    """A customer with a history among very many, and an endpoint that is told of them."""
    histories = hooked.api.histories
    told = [Told(event_id=f"e{number}", at=START + number * MINUTE) for number in range(100)]
    login = Told(event_id="login", at=START, identifiers=("user_id:u_1", "device_id:d1"))
    await histories.store(*told, login, recorded_at=START + DAY)
    hook = await hooked.register()
    _, _, data = transition(1)
    message = msgspec.json.encode(data).decode()
    await fill_tables(histories.connection, message, str(hook["id"]))
    return hooked


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_what_is_asked_most_reads_by_indexes(large: Hooked, mode: str) -> None:
    async with watched(large.api.engine, Plans(mode)) as plans:
        for path in ASKED:
            answer = await large.api.client.get(path)
            assert answer.status_code in {200, 404}, answer.text
        refs = ["user_id:u_1", *(f"user_id:filler_{number}" for number in range(1, 40))]
        answer = await large.api.client.post("/v1/customers/lookup", json={"refs": refs})
        assert [item["ref"] for item in answer.json()["items"]] == refs
        await large.deliver()
        hooks = (await large.api.client.get("/v1/webhooks")).json()["items"]
        assert (await large.deliveries(hooks[0]))[-1]["status"] == "delivered"
    assert len(plans.ran) > len(ASKED)
    assert too_much(plan for plan in plans.ran if not is_sweep(plan)) == []


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_pages_of_lists_read_by_indexes(large: Hooked, mode: str) -> None:
    async with watched(large.api.engine, Plans(mode)) as plans:
        for path in LISTED:
            answer = await large.api.client.get(path)
            assert len(answer.json()["items"]) == 50
    pages = [plan for plan in plans.ran if "count(*)" not in plan["Query Text"]]
    assert too_much(pages) == []


async def test_hot_reads_are_planned_a_few_times_and_not_for_each_answer(large: Hooked) -> None:
    """A plan takes longer than what it does; PostgreSQL keeps one that is as good for all."""
    hot = (f"{ANA}/timeline", f"{ANA}/timeline?order=asc", f"{ANA}/journey", ANA)
    async with watched(large.api.engine, Plans()):
        for path in hot * TRIED_BEFORE_KEPT * 2:
            assert (await large.api.client.get(path)).status_code == 200
        async with checked_out(large.api.engine) as connection:
            asked = await connection.fetch(
                "SELECT statement, custom_plans FROM pg_prepared_statements"
                " WHERE custom_plans + generic_plans >= $1",
                TRIED_BEFORE_KEPT * 2,
            )
    assert len(asked) >= len(hot)
    assert [row["statement"] for row in asked if row["custom_plans"] > TRIED_BEFORE_KEPT] == []
