"""What the reads of ``benchmarks.api`` cost without a network: requests go straight into the API.

Run it as ``python -m benchmarks.api_in_process``. A client's work is not counted, PostgreSQL's own
CPU time is another process's; of one page it is printed by itself.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import Final

import asyncpg
import msgspec
from fastapi import FastAPI
from starlette.types import Message, Scope

from benchmarks.api_history import Size, fill, reads
from services.api.readers.timeline_statements import TOUCHPOINTS
from services.standalone.postgres import running_postgres
from shared.http.front import Front
from shared.instants import EARLIEST, LATEST, datetime_of
from shared.storage.migrate import upgrade
from tests.fixtures.served_api import served_api

SIZE: Final = Size(customers=1_000, each=100)
SECONDS: Final = 4.0
CONCURRENT: Final = 4


class Asking:
    """Asks the application for one path after the other, as a server would."""

    def __init__(self, app: Front) -> None:
        self._app = app
        self.answered = 0
        self.bytes = 0

    async def ask(self, path: str) -> None:
        """Send one request and take its answer."""
        raw, _, query = path.partition("?")
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": raw,
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"api.test"), (b"authorization", b"Bearer sk_all")],
            "scheme": "http",
            "server": ("api.test", 80),
            "client": ("127.0.0.1", 1),
        }
        await self._app(scope, _nothing, self._take)

    async def _take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] != HTTPStatus.OK:
                raise RuntimeError(f"answered {message['status']}")
            self.answered += 1
        else:
            self.bytes += len(message.get("body", b""))


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def measure(title: str, app: Front, paths: list[str]) -> None:
    """Ask for *paths* over and over from several tasks, and print what came of it."""
    asking = Asking(app)
    for path in paths[:20]:
        await asking.ask(path)
    asking.answered = asking.bytes = 0
    began, cpu = time.perf_counter(), time.process_time()

    async def keep_asking(chance: random.Random) -> None:
        while time.perf_counter() - began < SECONDS:
            await asking.ask(chance.choice(paths))

    await asyncio.gather(*(keep_asking(random.Random(seed)) for seed in range(CONCURRENT)))
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"{title:<44} {asking.answered / seconds:>7,.0f} requests/s"
        f" {asking.answered / cpu_seconds:>7,.0f} per CPU s"
        f" {asking.bytes / max(asking.answered, 1):>8,.0f} bytes each"
    )


async def print_database_time(connection: asyncpg.Connection) -> None:
    """Print how long PostgreSQL works on a page of touchpoints, by how many identifiers it is of.

    Both customers have as many touchpoints for each identifier, and the page is as long.
    """
    for title, name in (("one identifier", "u_1"), ("50 identifiers", "many")):
        ids = await connection.fetchval(
            "SELECT array_agg(id) FROM identifiers WHERE customer_id ="
            " (SELECT customer_id FROM identifiers WHERE kind = 'user_id' AND value = $1)",
            name,
        )
        bounds = (datetime_of(LATEST), "", "", datetime_of(EARLIEST), datetime_of(LATEST))
        arguments = (ids, *bounds, datetime_of(LATEST), None, None, 51)
        taken = []
        for _ in range(21):
            plan = await connection.fetchval(
                f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {TOUCHPOINTS['desc']}", *arguments
            )
            taken.append(msgspec.json.decode(plan)[0]["Execution Time"])
        print(f"PostgreSQL, page of 50 touchpoints, {title:<24} {median(taken):7.2f} ms")


@asynccontextmanager
async def filled() -> AsyncGenerator[FastAPI]:
    """Yield the API over a database that holds the history, and print what the database takes."""
    with tempfile.TemporaryDirectory() as folder:
        async with running_postgres(Path(folder) / "postgres", progress=print) as postgres:
            await upgrade(postgres.dsn)
            async with served_api(postgres.dsn) as served:
                await fill(served.histories, SIZE)
                print(SIZE)
                await print_database_time(served.histories.connection)
                yield served.app


async def main() -> None:
    """Fill a database and print the figures."""
    async with filled() as app:
        front = Front({}, app)
        for title, paths in reads(SIZE):
            await measure(title, front, paths)


if __name__ == "__main__":
    asyncio.run(main())
