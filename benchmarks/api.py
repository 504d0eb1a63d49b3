"""How many reads the API answers in a second of its CPU time, over real connections.

The API is a process of its own, as it is deployed, over a throw-away PostgreSQL. Its clients keep
32 connections and ask again as soon as they are answered, so latencies are those of a server that
has no time left.

Run it as ``python -m benchmarks.api [CUSTOMERSxTOUCHPOINTS …]``, which takes less than a minute for
the 1,000x100 that it stores if nothing is said, and a few for 10000x100, a million of touchpoints.
With several sizes, one after the other, it says at the end what the last costs against the first:
``python -m benchmarks.api 10000x2 1000000x2``.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg
import uvloop

from benchmarks.api_clients import Asked, ask
from benchmarks.api_history import Size, fill, reads
from benchmarks.cpu_time import cpu_seconds
from deploy.kafka.brokers import Port
from services.standalone.postgres import running_postgres
from services.standalone.postgres_cluster import PostgresCluster
from shared.clock import wall_clock
from shared.key_requests import KeyRequest
from shared.keys import Scope
from shared.storage.access import create_key
from shared.storage.engine import open_engine
from shared.storage.migrate import upgrade
from shared.storage.verification import Result, verify
from tests.fixtures.processes import spawn
from tests.fixtures.served_api import START
from tests.fixtures.services import Service
from tests.fixtures.stored_histories import stored_histories

PEPPER: Final = "a pepper of benchmarks"
POOL: Final = 10
WARM: Final = 0.25
"""Seconds of asking before each second that counts."""


class Load(NamedTuple):
    """How it is asked."""

    connections: int
    seconds: float


class Deployed(NamedTuple):
    """The API's process, its database's, and a key."""

    port: int
    key: str
    api: int
    postgres: int


class Figures(NamedTuple):
    """What one kind of read costs: microseconds of CPU time for each answer."""

    api: float
    postgres: float


async def measured(size: Size, load: Load, *, checked: bool) -> dict[str, Figures]:
    """Store a history of *size*, ask for every kind of read, and print what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = Path(folder) / "postgres"
        async with running_postgres(postgres, progress=_say) as address:
            await upgrade(address.dsn)
            async with stored_histories(address.dsn, at=START) as histories:
                await fill(histories, size)
            if checked:
                await _verify(address.dsn)
            running = PostgresCluster.at(postgres).data / "postmaster.pid"
            key, pid = await _key(address.dsn), int(running.read_text().split()[0])
            with api_process(Path(folder), address.dsn) as api:
                at = Deployed(api.port.number, key, api.process.pid, pid)
                print(f"{size}, {load.connections} connections, {os.cpu_count()} cores")
                return {title: await _measure(title, at, p, load) for title, p in reads(size)}


@contextmanager
def api_process(folder: Path, database_url: str) -> Generator[Service]:
    """Run the API alone, as it is deployed, until the block ends."""
    output = folder / "api.txt"
    environment = {
        "API_DATABASE_URL": database_url,
        "API_LOG_PATH": str(folder / "log.sqlite"),
        "API_POOL_SIZE": str(POOL),
        "KEY_PEPPER": PEPPER,
    }
    port = Port()
    with output.open("wb") as said:
        process = spawn(
            [sys.executable, "-m", "services.api"],
            said=said,
            environment={**environment, "API_PORT": str(port.number)},
        )
    api = Service("api", port, process, output)
    try:
        api.wait_until_ready()
        yield api
    finally:
        api.stop()


async def _measure(title: str, at: Deployed, paths: list[str], load: Load) -> Figures:
    connections = load.connections
    await ask(at.port, at.key, paths, connections=connections, seconds=load.seconds * WARM)
    api, postgres = cpu_seconds(at.api), cpu_seconds(at.postgres)
    asked = await ask(at.port, at.key, paths, connections=connections, seconds=load.seconds)
    api, postgres = cpu_seconds(at.api) - api, cpu_seconds(at.postgres) - postgres
    _print(title, asked, api, postgres)
    return Figures(api / asked.answers * 1e6, postgres / asked.answers * 1e6)


def _print(title: str, asked: Asked, api: float, postgres: float) -> None:
    print(
        f"{title:24}{asked.answers / api:>6,.0f} per CPU s of the API"
        f" ({asked.answers / asked.seconds:>6,.0f} a second);"
        f" PostgreSQL {postgres / asked.answers * 1e6:>5,.0f} µs each;"
        f" p50 {asked.latency(50):>5.1f} ms, p99 {asked.latency(99):>5.1f} ms;"
        f" {asked.bytes / asked.answers:>7,.0f} bytes",
        flush=True,
    )


def print_growth(small: dict[str, Figures], large: dict[str, Figures]) -> None:
    """Print what each kind of read costs against what it cost before."""
    for title, (api, postgres) in large.items():
        before = small[title]
        whole = (api + postgres) / sum(before)
        print(
            f"{title:24}{whole:.2f} times the CPU time in all:"
            f" {api / before.api:.2f} of the API, {postgres / before.postgres:.2f} of PostgreSQL"
        )


async def _verify(database_url: str) -> None:
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        async for finding in verify(connection):
            if isinstance(finding, Result):
                print(f"verify: {finding.differences} differences of {finding.customers} customers")
    finally:
        await connection.close()


async def _key(database_url: str) -> str:
    wanted = KeyRequest(name="benchmark", scopes=frozenset({Scope.CUSTOMERS_READ}))
    async with open_engine(database_url) as engine, engine.begin() as connection:
        made = await create_key(connection, wanted, pepper=PEPPER.encode(), now=wall_clock())
    return made.text


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def _size(text: str) -> Size:
    customers, _, each = text.partition("x")
    return Size(int(customers), int(each))


async def main() -> None:
    """Measure each size, and print what the last costs against the first."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api")
    parser.add_argument("sizes", nargs="*", type=_size, default=[Size(1_000, 100)])
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each kind of read")
    parser.add_argument("--verify", action="store_true", help="check the history by the product")
    given = parser.parse_args()
    load = Load(given.connections, given.seconds)
    found = [await measured(size, load, checked=given.verify) for size in given.sizes]
    if len(found) > 1:
        print_growth(found[0], found[-1])


if __name__ == "__main__":
    uvloop.run(main())
