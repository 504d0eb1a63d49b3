"""Waiting for what other tasks and processes bring about."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 30


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return once *holds* says so; fail with TimeoutError if it never does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():  # noqa: ASYNC110 - the state is in a database, which sets no event
            await asyncio.sleep(0.02)
