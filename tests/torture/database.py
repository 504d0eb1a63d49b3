"""PostgreSQL as a process of its own that a supervisor starts again: ``-m tests.torture.database``.

The environment names its folder (``FOLDER``) and a file (``TOLD``) that tells, while it runs, its
socket, its address for a proxy in front of it, and the id of its first process.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from urllib.parse import quote

import msgspec

from services.standalone.postgres import PORT, PostgresAddress, running_postgres

TOLD = "told.json"


class Told(msgspec.Struct, frozen=True):
    """Where a running PostgreSQL is to be found."""

    socket: str
    user: str
    password: str
    database: str
    pid: int

    def url(self, port: int) -> str:
        """Return its address through a proxy on *port* of this machine."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        return f"postgresql://{user}:{password}@127.0.0.1:{port}/{self.database}"


def _told(address: PostgresAddress, folder: Path) -> Told:
    pid = int((folder / "cluster" / "postmaster.pid").read_text().split("\n", 1)[0])
    socket = address.socket_directory / f".s.PGSQL.{PORT}"
    return Told(str(socket), address.user, address.password, address.database, pid)


async def _serve(folder: Path) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    told = folder.parent / TOLD
    async with running_postgres(folder, progress=print) as address:
        growing = told.with_suffix(".new")
        growing.write_bytes(msgspec.json.encode(_told(address, folder)))
        growing.replace(told)
        await stopping.wait()


if __name__ == "__main__":
    try:
        asyncio.run(_serve(Path(os.environ["FOLDER"])))
    except BaseExceptionGroup as error:
        sys.exit(f"PostgreSQL ended: {error.exceptions}")
