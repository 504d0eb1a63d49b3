"""What a run showed, as a page that a person reads."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.torture.checker import INVARIANTS, tally
from tests.torture.history import Fault
from tests.torture.run import Run

_COUNTED = (
    "sent",
    "promised",
    "promised by a spool",
    "unknown",
    "batches promised",
    "batches unknown",
    "batches sent away",
)


def report(run: Run) -> str:
    """Return the page, in Markdown."""
    return "\n".join([*_verdict(run), "", *_faults(run), "", *_load(run), "", *_recovery(run)])


def _verdict(run: Run) -> Iterator[str]:
    broken: defaultdict[str, list[str]] = defaultdict(list)
    for invariant, what in run.violations:
        broken[invariant].append(what)
    yield f"# Torture run `{run.plan.name}`: {'passed' if passed(run) else 'FAILED'}"
    yield ""
    yield f"{run.seconds:.0f} s in all. Every phase did what it is for."[
        : None if not run.void else 0
    ]
    yield from (f"- void: {missing}" for missing in run.void)
    yield ""
    yield "| Invariant | |"
    yield "|---|---|"
    for invariant in INVARIANTS:
        yield f"| {invariant} | {'; '.join(broken[invariant]) or 'holds'} |"


def _faults(run: Run) -> Iterator[str]:
    yield "| Phase | Fault | Times |"
    yield "|---|---|---|"
    faults = Counter(
        (entry.phase, entry.kind, entry.victim.split("-")[0] if entry.kind == "kill" else "")
        for entry in run.history
        if isinstance(entry, Fault)
    )
    for (phase, kind, victim), times in faults.items():
        yield f"| {phase} | {kind} {victim} | {times} |"
    yield f"| all | batches of former owners refused | {run.fenced} |"


def _load(run: Run) -> Iterator[str]:
    counts = tally(run.history)
    total = [sum(column) for column in zip(*run.seen.ledger, strict=True)]
    names = run.seen.ledger[0]._fields
    told = run.seen.told
    yield "| Touchpoints | |"
    yield "|---|---|"
    yield from (f"| {name} | {counts.get(name, 0)} |" for name in _COUNTED)
    yield f"| told | {len(told)} |"
    yield f"| told twice | {sum(len(one) > 1 for one in told.values())} |"
    yield f"| ledger | {', '.join(f'{n} {v}' for n, v in zip(names, total, strict=True))} |"
    yield f"| verify | {run.seen.verified} folded, {run.seen.differences} differences |"


def _recovery(run: Run) -> Iterator[str]:
    yield "| After phase | All classified within |"
    yield "|---|---|"
    yield from (
        f"| {phase} | {seconds:.1f} s |" for phase, seconds in run.seen.recovery_seconds.items()
    )


def passed(run: Run) -> bool:
    """Whether every promise was kept and every phase did what it is for."""
    return not run.violations and not run.void
