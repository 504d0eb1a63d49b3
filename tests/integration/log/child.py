"""A process of its own that uses an embedded log, to be killed or put under limits.

``python -m tests.integration.log.child COMMAND PATH`` writes what it did to standard output, one
line each, only after the log confirmed it.
"""

import asyncio
import os
import resource
import sys
from pathlib import Path

from shared.errors import LogUnavailable, SetupError
from shared.log.embedded import EmbeddedLog, open_embedded_log
from shared.log.port import Entry

TASKS = 8
FILE_LIMIT = 4_096


def value_of(task: int, turn: int, number: int) -> bytes:
    """Return the value of the entry *number* in the append *turn* of *task*; sizes differ."""
    name = f"{task}/{turn}/{number}"
    return f"{name}:".encode() + b"%d" % (turn % 10) * ((turn * 97 + task * 31) % 2_500)


def say(line: str) -> None:
    """Write *line* at once, past Python's buffers."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


async def append_forever(log: EmbeddedLog, task: int, life: str) -> None:
    """Append groups of 1-5 entries under one key, and say where each one lies."""
    turn = 0
    while True:
        entries = [
            Entry(f"{life}-{task}".encode(), value_of(task, turn, number))
            for number in range(1 + turn % 5)
        ]
        positions = await log.writer.append(entries)
        offsets = " ".join(f"{position.partition}:{position.offset}" for position in positions)
        say(f"{life} {task} {turn} {offsets}")
        turn += 1


async def append_until_killed(path: Path, life: str) -> None:
    """Append from several tasks at once."""
    async with open_embedded_log(path, reserve_bytes=0) as log:
        await asyncio.gather(*(append_forever(log, task, life) for task in range(TASKS)))


async def append_under_a_limit(path: Path) -> None:
    """Append before, while and after files may not grow."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with open_embedded_log(path, reserve_bytes=0) as log:
        await append_number(log, 0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, hard))
        try:
            await append_number(log, 1)
        except LogUnavailable as error:
            say(f"refused {error.message}")
        say(f"check {await log.writer.check()}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        say(f"check {await log.writer.check()}")
        for number in range(1, 10):
            await append_number(log, number)
        say("done")


async def append_number(log: EmbeddedLog, number: int) -> None:
    """Append *number* in a record of some pages."""
    await log.writer.append([Entry(b"k", b"%d" % number + b" " * 10_000)])


async def open_once(path: Path) -> None:
    """Open the log, and say whether that was allowed."""
    try:
        async with open_embedded_log(path):
            say("opened")
    except SetupError as error:
        say(f"refused {error.message}")


if __name__ == "__main__":
    command, path = sys.argv[1], Path(sys.argv[2])
    if command == "open":
        asyncio.run(open_once(path))
    elif command == "limited":
        asyncio.run(append_under_a_limit(path))
    else:
        asyncio.run(append_until_killed(path, command))
