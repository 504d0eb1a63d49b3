"""Child processes: work that folds every history, and must not hold up answers.

A child is a module that reads what it needs from standard input, a line each, because command lines
can be seen by others, and writes NDJSON, the result last.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator

from shared.errors import DatabaseUnavailable


async def child_lines(module: str, *given: str) -> AsyncGenerator[bytes]:
    """Run *module* and yield the lines that it writes; closing the generator ends it.

    Args:
        module: Its full name.
        given: The lines of its standard input; none may hold a line break.

    Raises:
        DatabaseUnavailable: the child ended before its result.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        if child.stdin is None or child.stdout is None:
            raise DatabaseUnavailable("the work could not be started")
        child.stdin.write("".join(f"{line}\n" for line in given).encode())
        child.stdin.close()
        async for line in child.stdout:
            yield line
        if await child.wait():
            raise DatabaseUnavailable("the work ended before its result: try again")
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
