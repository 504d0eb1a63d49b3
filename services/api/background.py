"""What the API does without being asked, beside its requests."""

import asyncio
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.log_clearing import ErasableLog, LogClearing
from services.api.quarantine_limits import keep_quarantine_limits
from services.api.read_trail import ReadTrail
from shared.clock import Clock, wall_clock
from shared.erasure import Digests


@dataclass(frozen=True, slots=True)
class Background:
    """What there is to do; shared with the routes that cause it."""

    log_clearing: LogClearing
    trail: ReadTrail


def background_of(
    erasable: ErasableLog | None, engine: AsyncEngine, pepper: bytes, clock: Clock = wall_clock
) -> Background:
    """Wire it over a log, if that can be overwritten, and a database; both stay the caller's."""
    digests = Digests.under(pepper)
    return Background(LogClearing(erasable, engine, digests, clock), ReadTrail(engine, clock))


async def run_background(
    engine: AsyncEngine, clock: Clock, background: Background, stopping: asyncio.Event
) -> None:
    """Do it until *stopping* is set; any number of processes may do it at once.

    Let it stop after the server: what was read by the last requests goes into the audit, too.
    """
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_quarantine_limits(engine, clock, stopping), name="api-quarantine")
        group.create_task(background.log_clearing.run(stopping), name="api-erasure")
        group.create_task(background.trail.run(stopping), name="api-trail")
