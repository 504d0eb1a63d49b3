"""A process of its own that spools because there is no log, to be killed or traced.

``python -m tests.integration.log.spool_child LIFE PATH [TURNS]`` writes what it did to standard
output, one line each, only after the spool confirmed it. With TURNS there is one task, which ends
the process after so many.
"""

import asyncio
import os
import sys
from pathlib import Path

from shared.clock import wall_clock
from shared.log.port import Entry
from shared.log.spool_writer import SpoolingWriter, spooling
from tests.fakes.faulty_writer import FaultyWriter
from tests.fakes.log import InMemoryLog, InMemoryWriter
from tests.fixtures.spools import ROOMY
from tests.integration.log.child import TASKS, say, value_of


async def append_often(writer: SpoolingWriter, task: int, life: str, turns: int) -> None:
    """Append groups of 1-5 entries under one key, and say so."""
    for turn in range(turns):
        await writer.append(
            [
                Entry(f"{life}-{task}".encode(), value_of(task, turn, number))
                for number in range(1 + turn % 5)
            ]
        )
        say(f"{life} {task} {turn}")


async def spool_until_killed(path: Path, life: str, tasks: int, turns: int) -> None:
    """Append from several tasks at once."""
    log = FaultyWriter(InMemoryWriter(InMemoryLog()))
    log.away = True
    async with spooling(log, path, wall_clock, ROOMY) as writer:
        await asyncio.gather(*(append_often(writer, task, life, turns) for task in range(tasks)))
        os._exit(0)


if __name__ == "__main__":
    life, path, *given = sys.argv[1:]
    tasks, turns = (1, int(given[0])) if given else (TASKS, 1 << 30)
    asyncio.run(spool_until_killed(Path(path), life, tasks, turns))
