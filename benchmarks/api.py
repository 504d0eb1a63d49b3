"""How many timeline pages and journeys the API answers in a second of its own CPU time.

Run it as ``python -m benchmarks.api``; it takes about a minute, most of it for storing 100,000
touchpoints in a throw-away PostgreSQL. Requests go straight into the application, so neither a
network nor a client's work is counted; PostgreSQL's own CPU time is another process's.
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

from services.api.readers.timeline_statements import TOUCHPOINTS
from services.standalone.postgres import running_postgres
from shared.http.front import Front
from shared.instants import EARLIEST, HOUR, LATEST, MINUTE, datetime_of
from shared.storage.migrate import upgrade
from tests.fixtures.served_api import NOW, START, served_api
from tests.fixtures.told import Told

CUSTOMERS: Final = 1_000
TOUCHPOINTS_EACH: Final = 100
SECONDS: Final = 4.0
CONCURRENT: Final = 4
MANY: Final = 50
"""Identifiers of the customer who has many."""


def history(chance: random.Random) -> list[Told]:
    """Return touchpoints of the usual size: most of one customer each, some of one with many."""
    told = []
    for number in range(CUSTOMERS * TOUCHPOINTS_EACH):
        customer = chance.randrange(CUSTOMERS)
        name = f"user_id:u_{customer}" if customer >= MANY else f"anonymous_id:a_{customer}"
        told.append(
            Told(
                event_id=f"event-{number:08d}",
                at=START + chance.randrange(700) * HOUR + number % HOUR,
                type="product_viewed" if number % 50 else "order_completed",
                identifiers=(name,),
                properties={"product_id": f"p{number % 97}", "price": 19.5, "currency": "EUR"},
                context={"page": {"url": f"https://shop.example/products/{number % 97}"}},
            )
        )
    return told


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
    for title, name in (("one identifier", f"u_{MANY}"), ("50 identifiers", "many")):
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
                told = history(random.Random(1))
                login = [
                    Told(
                        event_id=f"login-{number}",
                        at=START + number * MINUTE,
                        identifiers=("user_id:many", f"anonymous_id:a_{number}"),
                    )
                    for number in range(MANY)
                ]
                served.histories.settled_through = NOW
                await served.histories.store(*told, *login, recorded_at=NOW)
                await served.histories.connection.execute("VACUUM ANALYZE")
                print(f"{len(told) + len(login):,} touchpoints of {CUSTOMERS:,} identifiers")
                await print_database_time(served.histories.connection)
                yield served.app


async def main() -> None:
    """Fill a database and print the figures."""
    async with filled() as app:
        front = Front({}, app)
        users = [f"/v1/customers/user_id:u_{number}" for number in range(MANY, CUSTOMERS)]
        await measure("timeline, page of 50", front, [f"{user}/timeline" for user in users])
        only = "timeline?kinds=touchpoint"
        await measure(
            "timeline, page of 50 touchpoints", front, [f"{user}/{only}" for user in users]
        )
        many = "/v1/customers/user_id:many"
        await measure("timeline of 50 identifiers, page of 50", front, [f"{many}/timeline"])
        await measure("journey", front, [f"{user}/journey" for user in users])
        await measure("customer", front, users)
        past = "journey?as_of=2025-03-15T00:00:00Z"
        await measure("journey in the past, folded", front, [f"{user}/{past}" for user in users])


if __name__ == "__main__":
    asyncio.run(main())
