"""One run: everything started, hurt phase by phase, left alone, looked at, and judged."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from tests.torture.checker import Seen, Violation, check, tally
from tests.torture.history import Fault, History, Info, Recorder, outcomes
from tests.torture.load import Load
from tests.torture.observing import Observer
from tests.torture.phases import Plan, Torture
from tests.torture.system import System, running_system

HISTORY: Final = "history.ndjson"
WARM_UP_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run; ``void`` says which phases did not do what they are for."""

    plan: Plan
    history: History
    seen: Seen
    violations: Sequence[Violation]
    void: Sequence[str]
    fenced: int
    seconds: float


async def run(plan: Plan, folder: Path, *, seed: int = 1) -> Run:
    """Run *plan* in *folder*, which keeps the history and what every process said."""
    began = monotonic()
    with Recorder(folder / HISTORY) as recorder:
        async with running_system(folder, classifiers=3) as system:
            seen, fenced = await _tortured(system, plan, recorder, seed)
        history = recorder.entries
    return Run(
        plan=plan,
        history=history,
        seen=seen,
        violations=check(history, seen, judges_time=plan.judges_time),
        void=void(plan, history, seen),
        fenced=fenced,
        seconds=monotonic() - began,
    )


async def _tortured(system: System, plan: Plan, recorder: Recorder, seed: int) -> tuple[Seen, int]:
    chance = random.Random(seed)
    urls = [system.url(ingest.name) for ingest in system.ingests]
    load = Load(urls, system.key, random.Random(seed + 1), recorder, plan.per_second)
    observer = Observer(system, recorder, random.Random(seed + 2))
    torture = Torture(system, plan, recorder, chance)
    loading = asyncio.create_task(load.run())
    watching = asyncio.create_task(observer.watch())
    try:
        await asyncio.sleep(WARM_UP_SECONDS)
        before: Mapping[str, int] = {}
        recovery: dict[str, float] = {}
        for phase, hurt in _phases(torture).items():
            torture.phase = phase
            await hurt()
            recovery[phase] = await observer.caught_up()
            before = before or await observer.holdings()
        await observer.drained()
        load.stop()
        await loading
        await observer.drained()
        await system.until_ready(*system.ingests, *system.classifiers[:3], system.api)
        return await observer.seen(load.sent, recovery, before), observer.fenced()
    finally:
        for task in (loading, watching):
            task.cancel()
        await asyncio.wait([loading, watching])


def void(plan: Plan, history: History, seen: Seen) -> list[str]:
    """Say what did not happen that should have: without it, the run proves nothing about it."""
    faults = Counter((entry.phase, entry.kind) for entry in history if isinstance(entry, Fault))
    counts = tally(history)
    needed = [
        ("promised touchpoints", counts["promised"], plan.least_acked),
        ("kills", faults["A", "kill"], plan.least_kills),
        ("ended sessions", faults["A", "session ended"], 1),
        ("batches without an answer in A", _unanswered(history, "A"), 1),
        ("membership changes", faults["B", "membership"], len(plan.members)),
        ("freezes", faults["B", "freeze"], plan.freezes),
        ("batches sent away in C", _sent_away(history, "C"), 1),
        ("duplicates in the log", sum(row.duplicate for row in seen.ledger), 1),
        ("kills while spooling", faults["E", "kill"], plan.spool_kills),
        ("spooled touchpoints", counts["promised by a spool"], plan.least_spooled),
        ("batches sent away in E", _sent_away(history, "E"), 1),
        ("rejected items", seen.quarantined, 1),
    ]
    return [
        f"{name}: {found} of at least {least}" for name, found, least in needed if found < least
    ]


def _phases(torture: Torture) -> Mapping[str, Callable[[], Awaitable[None]]]:
    return {
        "A": torture.crashes,
        "B": torture.zombies,
        "C": torture.kafka_away,
        "D": torture.postgres_away,
        "E": torture.spooling,
    }


def _span(history: History, phase: str) -> tuple[float, float]:
    times = {entry.phase: entry.at for entry in reversed(history) if isinstance(entry, Fault)}
    later = [at for at in times.values() if at > times.get(phase, 0.0)]
    return times.get(phase, 0.0), min(later, default=float("inf"))


def _infos(history: History, phase: str) -> list[Info]:
    begin, end = _span(history, phase)
    ends = [ended for _, ended in outcomes(history)]
    return [one for one in ends if isinstance(one, Info) and begin <= one.at < end]


def _sent_away(history: History, phase: str) -> int:
    return sum(one.status is not None for one in _infos(history, phase))


def _unanswered(history: History, phase: str) -> int:
    return sum(one.status is None for one in _infos(history, phase))
