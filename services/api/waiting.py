"""Waiting until a touchpoint has a verdict, so that a sender can read what it wrote."""

import asyncio
from typing import Final

from services.api.parameters import Waiting
from services.api.readers.receipts import Verdict, find_verdict
from services.api.resources import Resources
from services.api.transactions import reading
from shared.errors import NotYet

FIRST_PAUSE_SECONDS: Final = 0.02
LONGEST_PAUSE_SECONDS: Final = 0.25


async def awaited_verdict(resources: Resources, asked: Waiting) -> Verdict | None:
    """Return the verdict that *asked* wants to wait for; None if it wants none.

    No connection is held while waiting.

    Raises:
        NotYet: the time is over and the touchpoint has none.
    """
    if asked.wait_for is None:
        return None
    identity = asked.wait_for.source, asked.wait_for.event_id
    digest = resources.digests.of_touchpoint(*identity)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + asked.timeout
    pause = FIRST_PAUSE_SECONDS
    while True:
        async with reading(resources.engine) as connection:
            verdict = await find_verdict(connection, *identity, digest)
        left = deadline - loop.time()
        if verdict is not None:
            return verdict
        if left <= 0:
            raise NotYet("the touchpoint in wait_for has not been classified within the timeout")
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
