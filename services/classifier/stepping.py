"""Long work a transaction at a time: what every such job does between its steps."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from shared.errors import RetryableError

log = structlog.get_logger()

PAUSE_SECONDS: Final = 1.0


async def step_until(
    stopping: asyncio.Event, step: Callable[[], Awaitable[bool]], *, waits: str
) -> None:
    """Take *step* after *step* until *stopping* is set; pause where there is nothing to do.

    Args:
        stopping: Set by whoever wants it to end; the step in hand is finished first.
        step: Does one transaction's worth and returns whether there may be more.
        waits: The name of the log's line for what will pass by itself and is waited out.
    """
    while not stopping.is_set():
        try:
            more = await step()
        except RetryableError as error:
            log.warning(waits, why=error.message)
            more = False
        if not more:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), PAUSE_SECONDS)
