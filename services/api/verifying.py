"""Verification in a process of its own: it folds every history and must not hold up answers.

Run as a module it reads the database's address from standard input and writes NDJSON, one finding
a line, the result last.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator

import msgspec

from services.api.child_processes import child_lines
from shared.storage.engine import checked_out, open_engine
from shared.storage.verification import verify


def verification_lines(database_url: str) -> AsyncGenerator[bytes]:
    """Verify in a child process and yield its lines; closing the generator ends the child.

    Raises:
        DatabaseUnavailable: the child ended before its result.
    """
    return child_lines("services.api.verifying", database_url)


async def _main() -> None:
    database_url = sys.stdin.readline().strip()
    async with (
        open_engine(database_url, pool_size=1, name="journeyline-verify") as engine,
        checked_out(engine) as connection,
    ):
        await connection.execute("SET statement_timeout = 0")
        async for finding in verify(connection):
            sys.stdout.buffer.write(msgspec.json.encode(finding) + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(_main())
