"""Clients who go away in the middle of a request leave nothing behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.pool import QueuePool

from shared.http.front import Front
from tests.eventually import eventually
from tests.fixtures.http_servers import Served as Server
from tests.fixtures.http_servers import served
from tests.fixtures.served_api import START, Served, served_api
from tests.fixtures.told import Told

ABORTED = 500
AT_ONCE = 25
PATHS = (
    "/v1/customers/user_id:u_1/timeline",
    "/v1/customers/user_id:u_1/journey",
    "/v1/customers/user_id:u_1/journey?known_at=2025-03-02T00:00:00Z",
    "/v1/customers?q=u",
    "/v1/customers/user_id:nobody?wait_for=web/never&timeout=1",
    "/v1/transitions",
    "/v1/stream",
)


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Served]:
    async with served_api(database_url) as one:
        await one.histories.store(Told(event_id="e1", at=START), recorded_at=START)
        yield one
        one.ending.set()


async def abort(server: Server, path: str, patience: float) -> None:
    """Ask for *path* and hang up after a moment, whatever has come by then."""
    async with server.connection() as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_all\r\n\r\n"
        await connection.send(head.encode())
        await asyncio.sleep(patience)
        connection.writer.transport.abort()


def in_use(api: Served) -> int:
    pool = api.engine.pool
    assert isinstance(pool, QueuePool)
    return pool.checkedout()


async def test_five_hundred_aborted_requests_leak_no_connection(api: Served) -> None:
    async with served(Front({}, api.app)) as server:
        for first in range(0, ABORTED, AT_ONCE):
            await asyncio.gather(
                *(
                    abort(server, PATHS[number % len(PATHS)], 0.001 * (number % 7))
                    for number in range(first, first + AT_ONCE)
                )
            )

        async def nothing_is_in_use() -> bool:
            return in_use(api) == 0

        await eventually(nothing_is_in_use)
        async with server.connection() as connection:
            await connection.send(
                b"GET /v1/customers/user_id:u_1/timeline HTTP/1.1\r\nHost: x\r\n"
                b"Authorization: Bearer sk_all\r\n\r\n"
            )
            assert (await connection.answer()).status == 200
    open_sessions = await api.histories.connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        "   AND application_name = 'journeyline'"
    )
    assert open_sessions <= 3
