"""``python -m services.ingest``: a process of its own, over a real log and database."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from shared.clock import wall_clock
from shared.key_requests import KeyRequest
from shared.log.embedded import open_embedded_log
from shared.records import TouchpointRecord, decode
from shared.storage.access import create_key, create_source
from shared.storage.engine import open_engine
from tests.contract.logs import read_records, seek_to_start
from tests.strategies.items import item_with

ROOT = Path(__file__).parents[3]
PEPPER = "a pepper of tests"
BOUND = 60.0
"""Seconds after which a process that does not do what it should has failed."""


@dataclass(frozen=True, slots=True)
class Running:
    """An ingest process; ``key`` is a write key of the source ``shop``."""

    process: subprocess.Popen[bytes]
    client: httpx.AsyncClient
    key: str
    log_path: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def write_key(database_url: str) -> str:
    async with open_engine(database_url) as engine, engine.begin() as connection:
        await create_source(connection, "shop", "web", None, now=wall_clock())
        minted = await create_key(
            connection, KeyRequest(source="shop"), pepper=PEPPER.encode(), now=wall_clock()
        )
    return minted.text


@contextmanager
def process_with(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-m", "services.ingest"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
async def running(database_url: str, tmp_path: Path) -> AsyncIterator[Running]:
    key = await write_key(database_url)
    port = free_port()
    environment = {
        "INGEST_DATABASE_URL": database_url,
        "INGEST_LOG_PATH": str(tmp_path / "log.sqlite"),
        "INGEST_PORT": str(port),
        "KEY_PEPPER": PEPPER,
    }
    address = f"http://127.0.0.1:{port}"
    with process_with(environment) as process:
        async with httpx.AsyncClient(base_url=address, timeout=BOUND) as client:
            await until_ready(client, process)
            yield Running(process, client, key, tmp_path / "log.sqlite")


async def until_ready(client: httpx.AsyncClient, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(BOUND):
        while True:
            assert process.poll() is None, "the process ended before it was ready"
            try:
                if (await client.get("/readyz")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)


async def test_what_it_answered_is_in_the_log_after_it_was_told_to_stop(running: Running) -> None:
    headers = {"Authorization": f"Bearer {running.key}"}
    answer = await running.client.post("/v1/touchpoints", json=item_with(), headers=headers)
    assert (answer.status_code, answer.json()["source"]) == (202, "shop")
    running.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(running.process.wait, BOUND) == 0
    async with open_embedded_log(running.log_path) as log:
        reader = log.reader()
        await seek_to_start(reader)
        (read,) = await read_records(reader, 1)
    record = decode(read.value)
    assert isinstance(record, TouchpointRecord)
    assert (record.sender, record.id) == ("shop", "e-1")


async def test_it_shows_its_health_its_metrics_and_its_documentation(running: Running) -> None:
    client = running.client
    headers = {"Authorization": f"Bearer {running.key}"}
    await client.post("/v1/touchpoints", json=[item_with(), {}], headers=headers)
    assert (await client.get("/livez")).status_code == httpx.codes.OK
    ready = (await client.get("/readyz")).json()
    assert set(ready["checks"]) == {"log", "keys", "process"}
    metrics = (await client.get("/metrics")).text
    assert 'ingest_events_total{reason="",result="accepted"} 1.0' in metrics
    assert 'ingest_events_total{reason="required",result="rejected"} 1.0' in metrics
    assert "ingest_append_duration_seconds_count 1.0" in metrics
    assert "ingest_inflight_events 0.0" in metrics
    assert "/v1/touchpoints" in (await client.get("/openapi.json")).json()["paths"]
    assert (await client.get("/docs")).status_code == httpx.codes.OK
    missing = await client.get("/v1/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_port_in_use_ends_it_with_a_sentence(
    running: Running, database_url: str, tmp_path: Path
) -> None:
    environment = {
        "INGEST_DATABASE_URL": database_url,
        "INGEST_LOG_PATH": str(tmp_path / "other.sqlite"),
        "INGEST_PORT": str(running.client.base_url.port),
        "KEY_PEPPER": PEPPER,
    }
    with process_with(environment) as process:
        _, told = await asyncio.to_thread(process.communicate, timeout=BOUND)
    assert process.returncode == 1
    assert b"is in use" in told
    assert b"Traceback" not in told


async def test_a_spool_needs_a_folder_that_somebody_made(database_url: str, tmp_path: Path) -> None:
    environment = {
        "INGEST_DATABASE_URL": database_url,
        "INGEST_LOG_PATH": str(tmp_path / "log.sqlite"),
        "INGEST_PORT": str(free_port()),
        "INGEST_SPOOL_PATH": str(tmp_path / "spools"),
        "KEY_PEPPER": PEPPER,
    }
    with process_with(environment) as process:
        _, told = await asyncio.to_thread(process.communicate, timeout=BOUND)
    assert process.returncode == 1
    assert b"spools is no folder; make it, on a disk that outlives this process" in told


async def test_missing_settings_end_it_with_their_names() -> None:
    with process_with({"INGEST_PORT": "many"}) as process:
        _, told = await asyncio.to_thread(process.communicate, timeout=BOUND)
    assert process.returncode == 2
    for name in (b"INGEST_DATABASE_URL", b"INGEST_LOG_PATH", b"KEY_PEPPER", b"INGEST_PORT"):
        assert name in told
    assert b"many" not in told
