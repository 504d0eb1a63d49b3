"""Workers that crash, doubt, and do not know that they were replaced, on one log and one database.

The worker, the claims and the batches are the real ones on a real PostgreSQL; the log is in memory.
One seed decides what is appended and what goes wrong when.
"""

import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final
from uuid import UUID

import pytest

from services.classifier.batch import LogIdentity, PostgresClassification
from services.classifier.claims import Claim
from services.classifier.worker import Worker
from shared.clock import wall_clock
from shared.errors import DatabaseUnavailable, OwnershipLost
from shared.instants import SECOND, Instant
from shared.log.port import Entry, LogRecord
from shared.storage.verification import Difference
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.fakes.log import TOPIC, InMemoryLog, InMemoryReader
from tests.fixtures.classification import START, Classifier, Refused, Sent
from tests.fixtures.histories import findings

SEEDS: Final = range(40) if os.environ.get("LONG_RUNS") else range(3)
ROUNDS: Final = 80
PARTITIONS: Final = 2
MOST_WORKERS: Final = 3

_TYPES: Final = ("page_viewed", "order_completed", "order_refunded", "email_clicked")


class UnreliableClassification:
    """The real classification, late at times, and at times silent about having committed.

    ``began`` is released once for each batch that is begun; ``seconds`` is what the last one took.
    """

    def __init__(self, inner: PostgresClassification, chance: random.Random) -> None:
        self._inner = inner
        self._chance = chance
        self.began = asyncio.Semaphore(0)
        self.seconds = 0.05
        self.fenced = 0

    async def register(self, start_offsets: Mapping[int, int]) -> None:
        await self._inner.register(start_offsets)

    async def claim(self, partition: int, start_offset: int) -> Claim:
        return await self._inner.claim(partition, start_offset)

    async def classify(self, claim: Claim, records: Sequence[LogRecord]) -> Claim:
        if self._chance.random() < 0.3:  # a frozen owner: others take its partitions meanwhile
            await asyncio.sleep(self.seconds * self._chance.uniform(0, 3))
        self.began.release()
        began = monotonic()
        try:
            settled = await self._inner.classify(claim, records)
        except OwnershipLost:
            self.fenced += 1
            raise
        self.seconds = monotonic() - began
        if self._chance.random() < 0.15:
            raise DatabaseUnavailable("the connection broke while the commit was under way")
        return settled

    async def pass_gap(self, claim: Claim, next_offset: int) -> Claim:
        return await self._inner.pass_gap(claim, next_offset)

    async def read_to_end(self, claim: Claim, seen_at: Instant) -> None:
        await self._inner.read_to_end(claim, seen_at)


class Simulation:
    """What was appended, and the workers that are at it."""

    def __init__(self, classifier: Classifier, seed: int) -> None:
        self.chance = random.Random(seed)
        self.log = InMemoryLog(partitions=PARTITIONS)
        self.sent: list[Sent] = []
        self.touchpoints = 0
        self.refusals: set[UUID] = set()
        self.crashes = 0
        identity = LogIdentity(self.log.log_id, TOPIC)
        self._classification = PostgresClassification(
            classifier.engine, identity, owner="simulated", clock=wall_clock
        )
        self.unreliable = UnreliableClassification(self._classification, self.chance)
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Append, start and crash; then let one last worker finish what is left."""
        for _ in range(ROUNDS):
            self._append()
            while len(self._tasks) < self.chance.randint(1, MOST_WORKERS):
                self._start(self.unreliable)
            for _ in range(self.chance.randint(1, 3)):
                await asyncio.wait_for(self.unreliable.began.acquire(), PATIENCE_SECONDS)
                self._append()
            if self.chance.random() < 0.8:
                # Anywhere in a batch, and again and again just when it is about to be done.
                early, late = self.chance.uniform(0, 1), self.chance.uniform(0.9, 1.2)
                await asyncio.sleep(
                    self.unreliable.seconds * self.chance.choice([early, late, late])
                )
                await self._crash()
        while self._tasks:
            await self._crash()

    async def finish(self, classifier: Classifier) -> None:
        self._start(self._classification)

        async def is_done() -> bool:
            rows = await classifier.rows(
                "SELECT sum(next_offset)::int AS read FROM claims WHERE log_id = $1",
                self.log.log_id,
            )
            return rows[0]["read"] == len(self.log.records)

        try:
            await eventually(is_done)
        finally:
            await self._crash()

    def _append(self) -> None:
        for _ in range(self.chance.randint(1, 12)):
            if self.chance.random() < 0.15:
                refused = Refused(UUID(int=self.chance.getrandbits(128), version=4))
                self.refusals.add(refused.quarantine_id)
                self.log.add(Entry(*refused.value()))
            else:
                again = self.sent and self.chance.random() < 0.2
                sent = self.chance.choice(self.sent) if again else self._new()
                self.touchpoints += 1
                self.log.add(Entry(*sent.value()))

    def _new(self) -> Sent:
        """Return a touchpoint; two sources may use the same event id for different ones."""
        number = self.chance.randrange(12)
        identifiers = [f"user_id:u-{number}"]
        if self.chance.random() < 0.2:
            identifiers.append(f"email:{self.chance.randrange(12)}@example.com")
        sent = Sent(
            f"e-{len(self.sent) // 2}",
            tuple(identifiers),
            at=START + self.chance.randrange(10_000) * SECOND,
            type=self.chance.choice(_TYPES),
            source=("web", "store")[len(self.sent) % 2],
            properties={"order_id": f"o-{number}", "value": self.chance.randrange(100)},
        )
        self.sent.append(sent)
        return sent

    def _start(self, classification: UnreliableClassification | PostgresClassification) -> None:
        worker = Worker(InMemoryReader(self.log), classification, wall_clock, leave_alone=0)
        self._tasks.append(asyncio.create_task(worker.run(asyncio.Event())))

    async def _crash(self) -> None:
        """End a worker wherever it is."""
        task = self._tasks.pop(self.chance.randrange(len(self._tasks)))
        task.cancel()
        self.crashes += 1
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("seed", SEEDS)
async def test_crashes_doubts_and_former_owners_leave_the_ledger_and_all_journeys_exact(
    classifier: Classifier, seed: int
) -> None:
    simulation = Simulation(classifier, seed)
    await simulation.run()
    await simulation.finish(classifier)
    assert simulation.crashes > ROUNDS // 4
    assert simulation.unreliable.fenced > 0, "no former owner wrote on: void"
    stored = await classifier.rows("SELECT source, event_id FROM touchpoints")
    identities = {(sent.source, sent.event_id) for sent in simulation.sent}
    assert sorted((str(row["source"]), str(row["event_id"])) for row in stored) == sorted(
        identities
    )
    rows = await classifier.rows(
        "SELECT partition, next_offset, stored, duplicate, quarantined, gaps FROM claims "
        "WHERE log_id = $1 ORDER BY partition",
        simulation.log.log_id,
    )
    assert [row["next_offset"] for row in rows] == list(map(len, simulation.log.partitions))
    totals = {name: sum(int(str(row[name])) for row in rows) for name in list(rows[0])[2:]}
    assert totals == {
        "stored": len(identities),
        "duplicate": simulation.touchpoints - len(identities),
        "quarantined": len(simulation.refusals),
        "gaps": 0,
    }
    kept = await classifier.rows("SELECT id FROM quarantine")
    assert {UUID(str(row["id"])) for row in kept} == simulation.refusals
    differences = [one for one in await findings(classifier) if isinstance(one, Difference)]
    assert differences == []
