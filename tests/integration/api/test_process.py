"""``python -m services.api``: a process of its own, over HTTP."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from shared.clock import wall_clock
from shared.key_requests import KeyRequest
from shared.keys import Scope
from shared.storage.access import create_key
from shared.storage.engine import open_engine
from tests.fixtures.served_api import START
from tests.fixtures.stored_histories import stored_histories
from tests.fixtures.told import Told

ROOT = Path(__file__).parents[3]
PEPPER = "a pepper of the test's own"
BOUND = 60.0
"""Seconds after which a process that does not do what it should has failed."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def process_with(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "services.api"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        stderr=subprocess.PIPE,
    )


@asynccontextmanager
async def running(
    database_url: str, folder: Path
) -> AsyncIterator[tuple[subprocess.Popen[bytes], httpx.AsyncClient]]:
    """Yield a process that lives, and a client of it."""
    port = free_port()
    environment = {
        "API_DATABASE_URL": database_url,
        "API_LOG_PATH": str(folder / "log.sqlite"),
        "API_PORT": str(port),
        "KEY_PEPPER": PEPPER,
    }
    with process_with(environment) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            async with httpx.AsyncClient(base_url=address, timeout=BOUND) as client:
                await until_alive(client, process)
                yield process, client
        finally:
            process.kill()


async def until_alive(client: httpx.AsyncClient, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(BOUND):
        while process.poll() is None:
            try:
                if (await client.get("/livez")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    assert process.stderr is not None
    raise AssertionError(process.stderr.read().decode())


async def test_it_serves_journeys_and_stops_when_told(database_url: str, tmp_path: Path) -> None:
    async with (
        stored_histories(database_url, at=START) as histories,
        open_engine(database_url, pool_size=1) as engine,
        engine.begin() as connection,
    ):
        await histories.store(Told(event_id="e1", at=START), recorded_at=START)
        wanted = KeyRequest(scopes=frozenset({Scope.CUSTOMERS_READ}))
        key = await create_key(connection, wanted, pepper=PEPPER.encode(), now=wall_clock())
    async with running(database_url, tmp_path) as (process, client):
        client.headers["Authorization"] = f"Bearer {key.text}"
        journey = await client.get("/v1/customers/user_id%3Au_1/journey")
        assert journey.json()["peak_stage"] == "awareness"
        assert journey.headers["x-request-id"]
        assert (await client.get("/readyz")).json()["status"] == "ok"
        assert (await client.get("/v1/ledger")).json()["total"]["stored"] == 1
        assert (await client.get("/docs")).status_code == 200
        assert (await client.head("/v1/health")).status_code == 200
        counted = (await client.get("/metrics")).text
        assert 'route="/v1/customers/{ref}/journey"' in counted
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, BOUND) == 0


async def test_a_database_that_is_away_makes_it_unready_but_leaves_it_alive(tmp_path: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    async with running(nowhere, tmp_path) as (_, client):
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["checks"]["database"]["ok"] is False
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/v1/health")).status_code == 503


def test_a_setting_that_is_wrong_is_named_and_not_shown(tmp_path: Path) -> None:
    environment = {
        "API_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "API_LOG_PATH": str(tmp_path / "log.sqlite"),
        "KEY_PEPPER": "too-short",
        "API_PORT": "many",
    }
    with process_with(environment) as process:
        _, told = process.communicate(timeout=BOUND)
    assert process.returncode == 2
    assert b"KEY_PEPPER" in told
    assert b"API_PORT" in told
    assert b"too-short" not in told
