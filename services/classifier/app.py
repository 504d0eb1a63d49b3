"""The classifier's composition: what runs beside each other over one log and one database."""

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.classifier.alarms import Alarms
from services.classifier.batch import LogIdentity, PostgresClassification
from services.classifier.diffs import Diffs
from services.classifier.policy_changes import PolicyChanges
from services.classifier.publishing import KEEP, Publisher
from services.classifier.rollouts import Rollouts
from services.classifier.suppression import Suppression
from services.classifier.timers import Timers
from services.classifier.watchdog import STUCK_AFTER
from services.classifier.worker import Worker
from shared.clock import Clock
from shared.erasure import Digests
from shared.http.health import Check
from shared.instants import SECOND, Micros
from shared.log.port import LogReader


@dataclass(frozen=True, slots=True)
class Classifier:
    """A classifier, ready to run."""

    worker: Worker
    timers: Timers
    rollouts: Rollouts
    publisher: Publisher
    alarms: Alarms
    policy_changes: PolicyChanges
    diffs: Diffs
    clock: Clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Classify, publish deadlines, roll out models and number messages until *stopping*."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.worker.run(stopping), name="classifier-worker")
            group.create_task(self.timers.run(stopping), name="classifier-timers")
            group.create_task(self.rollouts.run(stopping), name="classifier-rollouts")
            group.create_task(self.publisher.run(stopping), name="classifier-publisher")
            group.create_task(self.alarms.run(stopping), name="classifier-alarms")
            group.create_task(self.policy_changes.run(stopping), name="classifier-policy")
            group.create_task(self.diffs.run(stopping), name="classifier-diffs")

    async def check_progress(self) -> str | None:
        """Return None while the loop turns, else a sentence that says what keeps it."""
        if self.worker.trouble:
            return self.worker.trouble
        idle = self.worker.idle(self.clock())
        return f"no progress for {idle // SECOND} s" if idle > STUCK_AFTER else None

    @property
    def checks(self) -> Mapping[str, Check]:
        """What readiness asks."""
        return {"classifier": self.check_progress}


def build_classifier(
    engine: AsyncEngine,
    reader: LogReader,
    *,
    clock: Clock,
    timer_grace: Micros = 0,
    keep_outbox: Micros = KEEP,
    leave_alone: Micros = 0,
    pepper: bytes | None = None,
) -> Classifier:
    """Wire a classifier; engine and reader stay the caller's to close.

    Args:
        engine: The primary, with a pool of its own.
        reader: Of the log.
        policy: Which identifiers join customers.
        clock: The present.
        timer_grace: How much longer deadlines wait.
        keep_outbox: How old messages of the outbox become.
        leave_alone: How long a partition that was lost is left to its new owner.
        pepper: The deployment's; without it, erased people cannot be recognised, and nothing is
            classified once there are some.
    """
    owner = f"{socket.gethostname()}/{os.getpid()}"
    identity = LogIdentity(reader.log_id, reader.topic)
    suppression = Suppression(None if pepper is None else Digests.under(pepper))
    classification = PostgresClassification(
        engine, identity, owner=owner, clock=clock, suppression=suppression
    )
    return Classifier(
        Worker(reader, classification, clock, leave_alone=leave_alone),
        Timers(engine, clock, grace=timer_grace),
        Rollouts(engine, clock, grace=timer_grace),
        Publisher(engine, clock, keep=keep_outbox),
        Alarms(engine),
        PolicyChanges(engine),
        Diffs(engine, clock),
        clock,
    )
