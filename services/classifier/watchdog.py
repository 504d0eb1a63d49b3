"""The watchdog: ends a process that does not move although it should, for a supervisor to restart.

A client that waits for an answer that never comes shows nothing. So what counts is progress:
records lie there, and none was classified for a minute. Nothing is lost or doubled by ending hard;
the log and the database are made for it.
"""

import asyncio
import contextlib
import faulthandler
import os
import sys
from collections.abc import Callable
from typing import Final

import structlog

from services.classifier.worker import Worker
from shared.clock import Clock
from shared.instants import SECOND, Micros

log = structlog.get_logger()

STUCK_AFTER: Final[Micros] = 60 * SECOND
EXIT_CODE: Final = 70

LOOK_SECONDS: Final = 1.0
_ASLEEP: Final[Micros] = 10 * SECOND


def end_process() -> None:
    """End this process at once, with what every thread and task is doing on stderr."""
    faulthandler.dump_traceback(all_threads=True)
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
    sys.stderr.flush()
    os._exit(EXIT_CODE)


async def watch(
    worker: Worker,
    clock: Clock,
    stopping: asyncio.Event,
    *,
    stuck_after: Micros = STUCK_AFTER,
    look_seconds: float = LOOK_SECONDS,
    give_up: Callable[[], None] = end_process,
) -> None:
    """Call *give_up* when *worker* has not moved for *stuck_after* although it should.

    Time in which the whole process was stopped, say by a suspended machine, does not count.
    """
    looked_at = awake_since = clock()
    while not stopping.is_set():
        now = clock()
        if now - looked_at > _ASLEEP:
            awake_since = now
        looked_at = now
        idle = min(worker.idle(now), now - awake_since)
        if idle > stuck_after:
            log.error("classifier_stuck", seconds=idle // SECOND, trouble=worker.trouble)
            give_up()
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), look_seconds)
