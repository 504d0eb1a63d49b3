"""The phases of a run: which faults, how many, and without which a phase says nothing."""

import asyncio
import os
import random
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

import asyncpg

from tests.torture.history import Fault, Recorder
from tests.torture.supervisor import Supervised
from tests.torture.system import LARGE_SPOOL_BYTES, SMALL_SPOOL_BYTES, System

CONFLICTS: Final = """
CREATE OR REPLACE FUNCTION torture_conflict() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.05 THEN
        RAISE EXCEPTION 'injected' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER torture_conflict AFTER INSERT ON touchpoints
    FOR EACH STATEMENT EXECUTE FUNCTION torture_conflict();
"""
CALM: Final = "DROP TRIGGER IF EXISTS torture_conflict ON touchpoints"
SESSIONS: Final = """
SELECT pid FROM pg_stat_activity
 WHERE application_name LIKE 'journeyline%' AND pid <> pg_backend_pid()
"""
IN_TRANSACTION: Final = f"{SESSIONS} AND state = 'idle in transaction'"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; times in seconds."""

    name: str
    per_second: float
    kills: Mapping[str, int]
    kill_seconds: float
    members: tuple[int, ...]
    member_seconds: float
    freezes: int
    freeze_seconds: float
    kafka_seconds: float
    kafka_rounds: int
    postgres_seconds: float
    spool_seconds: float
    spool_kills: int
    judges_time: bool
    least_acked: int
    least_kills: int
    least_spooled: int


FULL: Final = Plan(
    name="full",
    per_second=250,
    kills={"classifier": 25, "ingest": 12, "api": 4, "session": 20, "database": 2},
    kill_seconds=120,
    members=(2, 4, 1, 3, 2, 4, 3, 1, 4, 2, 3),
    member_seconds=5,
    freezes=2,
    freeze_seconds=12,
    kafka_seconds=9,
    kafka_rounds=2,
    postgres_seconds=9,
    spool_seconds=20,
    spool_kills=6,
    judges_time=True,
    least_acked=25_000,
    least_kills=40,
    least_spooled=2_000,
)
SHORT: Final = Plan(
    name="short",
    per_second=120,
    kills={"classifier": 4, "ingest": 3, "api": 1, "session": 4, "database": 1},
    kill_seconds=12,
    members=(3, 1, 2),
    member_seconds=1,
    freezes=1,
    freeze_seconds=7,
    kafka_seconds=2.5,
    kafka_rounds=1,
    postgres_seconds=2,
    spool_seconds=5,
    spool_kills=2,
    judges_time=False,  # other tests use the machine at the same time
    least_acked=3_000,
    least_kills=8,
    least_spooled=100,
)


@dataclass(slots=True)
class Torture:
    """Makes the faults of a plan and notes each one that really happened."""

    system: System
    plan: Plan
    recorder: Recorder
    chance: random.Random
    phase: str = ""

    def note(self, kind: str, victim: str = "") -> None:
        self.recorder.note(Fault(monotonic(), self.phase, kind, victim))

    async def crashes(self) -> None:
        """A: everything is killed, again and again."""
        todo = [kind for kind, number in self.plan.kills.items() for _ in range(number)]
        self.chance.shuffle(todo)
        for kind in todo:
            began = monotonic()
            await self._crash(kind)
            left = self.plan.kill_seconds / len(todo) - (monotonic() - began)
            await asyncio.sleep(max(0.0, left))

    async def zombies(self) -> None:
        """B: classifiers come, go, and stand still with partitions in their hands."""
        for number, members in enumerate(self.plan.members):
            await self._scale(members)
            if number < self.plan.freezes:
                await self._freeze_in_a_transaction()
            await asyncio.sleep(self.plan.member_seconds)
        await self._scale(3)

    async def kafka_away(self) -> None:
        """C: Kafka is away, silent after taking records, frozen, slow, cut off and cut up."""
        proxy, seconds = self.system.kafka, self.plan.kafka_seconds
        broker = self.system.cluster.brokers[0]
        for _ in range(self.plan.kafka_rounds):
            await self._hurt("kafka held", seconds, proxy.hold, proxy.heal)
            await self._hurt("answers held", seconds, proxy.back.hold, proxy.heal)
            await self._hurt("broker frozen", seconds, broker.freeze, broker.thaw)
        await self._hurt("slow", seconds, lambda: proxy.slow(0.3, 0.2), proxy.heal)
        self.note("resets")
        for _ in range(int(seconds / 0.2)):
            proxy.reset()
            await asyncio.sleep(0.2)
        await self._hurt("slices", seconds, lambda: proxy.slice(100), proxy.heal)

    async def postgres_away(self) -> None:
        """D: PostgreSQL is away, locked, conflicting, and frozen in one session."""
        proxy, seconds = self.system.postgres, self.plan.postgres_seconds
        await self._hurt("postgres held", seconds, proxy.hold, proxy.heal)
        await asyncio.sleep(2)
        proxy.reset()
        await self._hurt("postgres refused", seconds, self._refuse, proxy.heal)
        async with self.system.query() as connection:
            async with connection.transaction():
                await connection.execute("LOCK TABLE touchpoints IN ACCESS EXCLUSIVE MODE")
                await self._hurt("table locked", seconds)
            await connection.execute(CONFLICTS)
            await self._hurt("conflicts", seconds)
            await connection.execute(CALM)
            pid = await connection.fetchval(f"{SESSIONS} LIMIT 1")
        await self._hurt(
            "session frozen",
            seconds,
            lambda: os.kill(pid, signal.SIGSTOP),
            lambda: os.kill(pid, signal.SIGCONT),
        )

    async def spooling(self) -> None:
        """E: there is no broker while ingest processes start, are killed, and fill their spools."""
        ingests, broker = self.system.ingests, self.system.cluster.brokers[0]
        self.note("spools on")
        self.system.spool(LARGE_SPOOL_BYTES)
        for ingest in ingests:
            ingest.send(signal.SIGTERM)
        await self.system.until_ready(*ingests)
        broker.kill()
        self.note("broker killed")
        pause = self.plan.spool_seconds / (self.plan.spool_kills + 1)
        for number in range(self.plan.spool_kills):
            await asyncio.sleep(pause)
            self._kill(ingests[number % len(ingests)])
        await asyncio.sleep(pause)
        self.system.spool(SMALL_SPOOL_BYTES)
        for ingest in ingests:
            ingest.send(signal.SIGTERM)
        self.note("small spools")
        await asyncio.sleep(self.plan.spool_seconds)
        broker.start()
        await asyncio.to_thread(broker.wait_until_ready)

    async def _crash(self, kind: str) -> None:
        if kind == "database":
            self.note("kill", "database")
            await self.system.restart_database()
        elif kind == "session":
            await self._terminate_session()
        else:
            members = {"ingest": self.system.ingests, "api": [self.system.api]}
            alive = await self._alive(members.get(kind, self.system.classifiers))
            self._kill(self.chance.choice(alive))

    def _kill(self, victim: Supervised) -> None:
        if victim.send(signal.SIGKILL):
            self.note("kill", victim.name)

    async def _alive(self, members: list[Supervised]) -> list[Supervised]:
        """Return those of *members* that live, as soon as there are any."""
        async with asyncio.timeout(30):
            while True:
                if alive := [one for one in members if one.is_alive and one.wanted]:
                    return alive
                await asyncio.sleep(0.05)

    async def _terminate_session(self) -> None:
        with suppress(asyncpg.PostgresError, OSError, TimeoutError):
            async with self.system.query() as connection:
                pids = [row["pid"] for row in await connection.fetch(SESSIONS)]
                if pids:
                    end = "SELECT pg_terminate_backend($1)"
                    await connection.execute(end, self.chance.choice(pids))
                    self.note("session ended")

    async def _scale(self, members: int) -> None:
        stopping = []
        for number, classifier in enumerate(self.system.classifiers):
            if classifier.wanted and number >= members:
                stopping.append(self.system.supervisor.stop(classifier))
            classifier.wanted = number < members
        await asyncio.gather(*stopping)
        self.note("membership", str(members))

    async def _freeze_in_a_transaction(self) -> None:
        """Freeze a classifier for longer than its session with the group lasts."""
        (victim, *_) = await self._alive(self.system.classifiers)
        for _ in range(100):
            victim.send(signal.SIGSTOP)
            await asyncio.sleep(0.05)
            async with self.system.query() as connection:
                if await connection.fetch(IN_TRANSACTION):
                    self.note("frozen in a transaction", victim.name)
                    break
            victim.send(signal.SIGCONT)
            await asyncio.sleep(self.chance.uniform(0.01, 0.1))
        victim.send(signal.SIGSTOP)
        self.note("freeze", victim.name)
        await asyncio.sleep(self.plan.freeze_seconds)
        victim.send(signal.SIGCONT)

    async def _hurt(
        self,
        kind: str,
        seconds: float,
        begin: Callable[[], object] = lambda: None,
        end: Callable[[], object] = lambda: None,
    ) -> None:
        """Make a fault for a while, and leave some time after it."""
        begin()
        self.note(kind)
        try:
            await asyncio.sleep(seconds)
        finally:
            end()
        await asyncio.sleep(seconds / 3)

    def _refuse(self) -> None:
        self.system.postgres.refusing = True
        self.system.postgres.reset()
