import asyncio
import random

import httpx
import pytest
from sqlalchemy.pool import QueuePool

from shared.errors import LogUnavailable
from shared.instants import HOUR
from tests.fixtures.served_api import START, Served
from tests.fixtures.told import Told

PATHS = ["/v1/customers/user_id:u_1", "/v1/customers/user_id:u_1/timeline", "/v1/sources"]


def checked_out(served: Served) -> int:
    pool = served.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


@pytest.mark.parametrize("seed", range(3))
async def test_aborted_requests_leave_no_connection_behind(served: Served, seed: int) -> None:
    told = [Told(event_id=f"e{n}", at=START + n * HOUR) for n in range(60)]
    await served.histories.store(*told, recorded_at=START)
    chance = random.Random(seed)
    aborted = 0
    for _ in range(40):
        requests = [asyncio.create_task(served.client.get(chance.choice(PATHS))) for _ in range(3)]
        for _ in range(chance.randrange(25)):
            await asyncio.sleep(0)
        for request in requests:
            request.cancel()
        results = await asyncio.gather(*requests, return_exceptions=True)
        aborted += sum(isinstance(result, asyncio.CancelledError) for result in results)
    assert aborted > 60
    assert checked_out(served) == 0
    for path in PATHS * 3:
        assert (await served.client.get(path)).status_code == 200
    open_transactions = await served.histories.connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    )
    assert open_transactions == 0


async def test_a_database_that_went_away_is_503_and_comes_back_by_itself(served: Served) -> None:
    await served.histories.store(Told(event_id="e1", at=START), recorded_at=START)
    for path in PATHS:
        assert (await served.client.get(path)).status_code == 200
    await served.histories.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    answers = [await served.client.get(path) for path in PATHS * 3]
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert {answer.status_code for answer in answers[-3:]} == {200}
    assert checked_out(served) == 0


async def test_a_database_that_takes_no_more_connections_is_503_with_a_time_to_retry(
    served: Served,
) -> None:
    async with served.engine.connect(), served.engine.connect(), served.engine.connect():
        answer = await served.client.get("/v1/stages")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_log_that_is_away_is_503(served: Served) -> None:
    served.log.trouble = LogUnavailable("the log is away")
    answer = await served.client.get("/v1/ledger")
    assert (answer.status_code, answer.json()["code"]) == (503, "log_unavailable")


async def test_answers_of_many_readers_at_once_are_each_of_one_moment(served: Served) -> None:
    """Every answer counts as many touchpoints as its journey has seen."""
    path = "/v1/customers/user_id:u_1"

    async def read() -> list[httpx.Response]:
        return [await served.client.get(path) for _ in range(15)]

    async def write() -> None:
        for n in range(1, 15):
            await served.histories.store(Told(event_id=f"e{n}", at=START + n), recorded_at=START)

    await served.histories.store(Told(event_id="e0", at=START), recorded_at=START)
    first, second, _ = await asyncio.gather(read(), read(), write())
    seen = set()
    for answer in [*first, *second]:
        document = answer.json()
        seen.add(document["touchpoints"]["total"])
        expected = "awareness" if document["touchpoints"]["total"] == 1 else "decision"
        assert document["journey"]["peak_stage"] == expected
    assert len(seen) > 1
