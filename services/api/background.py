"""What the API does without being asked, beside its requests."""

import asyncio
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.log_clearing import ErasableLog, LogClearing
from services.api.log_copies import AsksKeeping, LogCopies
from services.api.quarantine_limits import keep_quarantine_limits
from services.api.read_trail import ReadTrail
from shared.clock import Clock, wall_clock
from shared.erasure import Digests


@dataclass(frozen=True, slots=True)
class Background:
    """What there is to do; shared with the routes that cause it."""

    log_clearing: LogClearing
    copies: LogCopies
    trail: ReadTrail


def background_of(
    erasable: ErasableLog | None,
    engine: AsyncEngine,
    pepper: bytes,
    clock: Clock = wall_clock,
    *,
    keeping: AsksKeeping | None = None,
) -> Background:
    """Wire it over a log and a database; both stay the caller's.

    Args:
        erasable: The log, if it can be overwritten.
        engine: Of the database.
        pepper: Of the deployment.
        clock: The present.
        keeping: Else asks Kafka for how long records lie there.
    """
    digests = Digests.under(pepper)
    return Background(
        LogClearing(erasable, engine, digests, clock),
        LogCopies(is_on_kafka=erasable is None, keeping=keeping),
        ReadTrail(engine, clock),
    )


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
