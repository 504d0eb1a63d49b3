"""Observing in a process of its own: all stored histories watched under a stage model."""

import asyncio
import sys

import msgspec

from shared.instants import parse_rfc3339
from shared.storage.engine import checked_out, open_engine
from shared.storage.observing import observe


async def _main() -> None:
    database_url, version, as_of = (sys.stdin.readline().strip() for _ in range(3))
    async with (
        open_engine(database_url, pool_size=1, name="journeyline-observe") as engine,
        checked_out(engine) as connection,
    ):
        await connection.execute("SET statement_timeout = 0")
        async for finding in observe(connection, version, parse_rfc3339(as_of)):
            sys.stdout.buffer.write(msgspec.json.encode(finding) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(_main())
