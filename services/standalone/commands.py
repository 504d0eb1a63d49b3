"""Programs that run to their end."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from subprocess import DEVNULL, PIPE, STDOUT
from types import MappingProxyType
from typing import Final

ENVIRONMENT: Final = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
"""Programs inherit nothing else: PGDATA, PGOPTIONS and their like must not reach our server."""

NO_SECRETS: Final[Mapping[str, str]] = MappingProxyType({})


async def run_to_end(
    command: Sequence[str], *, secrets: Mapping[str, str] = NO_SECRETS
) -> tuple[int, str]:
    """Run *command* without input and return its exit status and all it said.

    *secrets* go into its environment, where no list of processes shows them. It is out of reach of
    the terminal's Ctrl-C, but ends when the waiting task is cancelled.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env={**ENVIRONMENT, **secrets},
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        status = await process.wait()
    return status, said.decode("utf-8", "replace").strip()
