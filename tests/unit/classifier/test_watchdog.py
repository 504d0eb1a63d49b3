"""When a classifier is given up: records lie there, and nothing moves."""

import asyncio
import sys
from collections.abc import Mapping, Sequence

from services.classifier.claims import Claim
from services.classifier.watchdog import EXIT_CODE, watch
from services.classifier.worker import Worker
from shared.instants import SECOND, Instant
from shared.log.port import Entry, LogRecord
from tests.fakes.log import InMemoryLog, InMemoryReader
from tests.fixtures.processes import ended, spawn


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now: Instant = 1_000 * SECOND

    def __call__(self) -> Instant:
        return self.now


class Counting:
    """The database side of a worker, reduced to how far it got."""

    async def register(self, start_offsets: Mapping[int, int]) -> None:
        """Nothing is kept."""

    async def claim(self, partition: int, start_offset: int) -> Claim:
        return Claim(partition, partition, 1, start_offset)

    async def classify(self, claim: Claim, records: Sequence[LogRecord]) -> Claim:
        return claim.at(records[-1].offset + 1)

    async def pass_gap(self, claim: Claim, next_offset: int) -> Claim:
        return claim.at(next_offset)

    async def read_to_end(self, claim: Claim, seen_at: Instant) -> None:
        """Nothing is kept."""


class Silent(InMemoryReader):
    """A reader that stops giving anything, and says nothing of it."""

    silent = False

    async def poll(
        self, *, max_records: int, timeout_seconds: float
    ) -> Mapping[int, Sequence[LogRecord]]:
        if self.silent:
            await asyncio.sleep(0)
            return {}
        return await super().poll(max_records=max_records, timeout_seconds=timeout_seconds * 0)


async def turns(worker: Worker, clock: Clock, seconds: int) -> bool:
    """Let *worker* run for *seconds* of its clock; return whether it was given up."""
    stopping, given_up = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(worker.run(stopping))
    watching = asyncio.create_task(
        watch(worker, clock, stopping, look_seconds=0, give_up=given_up.set)
    )
    for _ in range(seconds):
        clock.now += SECOND
        for _ in range(50):
            await asyncio.sleep(0)
    stopping.set()
    await asyncio.gather(running, watching)
    return given_up.is_set()


async def test_a_reader_that_falls_silent_while_records_wait_is_given_up_after_a_minute() -> None:
    log, clock = InMemoryLog(), Clock()
    async with log.open() as opened:
        reader = Silent(log)
        worker = Worker(reader, Counting(), clock)
        await opened.writer.append([Entry(b"k", b"v")])
        assert not await turns(worker, clock, 5)
        reader.silent = True
        assert not await turns(worker, clock, 120)  # nothing waits: silence is right
        await opened.writer.append([Entry(b"k", b"v")])
        assert not await turns(worker, clock, 50)
        assert await turns(worker, clock, 70)


async def test_time_in_which_the_whole_process_stood_still_does_not_count() -> None:
    log, clock = InMemoryLog(), Clock()
    async with log.open() as opened:
        reader = Silent(log)
        worker = Worker(reader, Counting(), clock)
        await opened.writer.append([Entry(b"k", b"v")])
        await turns(worker, clock, 5)
        reader.silent = True
        await opened.writer.append([Entry(b"k", b"v")])
        assert not await turns(worker, clock, 10)
        clock.now += 3_600 * SECOND
        assert not await turns(worker, clock, 30)


def test_giving_up_ends_the_process_with_a_code_and_what_every_task_was_doing() -> None:
    script = (
        "import asyncio\n"
        "from services.classifier.watchdog import end_process\n"
        "async def waits_for_ever():\n"
        "    await asyncio.Event().wait()\n"
        "async def main():\n"
        "    waiting = asyncio.create_task(waits_for_ever())\n"
        "    await asyncio.sleep(0)\n"
        "    end_process()\n"
        "asyncio.run(main())\n"
    )
    ran = ended(spawn([sys.executable, "-c", script]))
    assert ran.code == EXIT_CODE
    assert "waits_for_ever" in ran.err


async def test_partitions_that_were_given_away_and_back_unseen_are_claimed_and_read_again() -> None:
    log, clock = InMemoryLog(), Clock()
    async with log.open() as opened:
        reader = Silent(log)
        worker = Worker(reader, Counting(), clock)
        assert not await turns(worker, clock, 5)
        assert worker.owned == reader.assigned
        reader.forget()
        (position,) = await opened.writer.append([Entry(b"k", b"v")])
        assert not await turns(worker, clock, 30)
        assert await reader.position(position.partition) == position.offset + 1
