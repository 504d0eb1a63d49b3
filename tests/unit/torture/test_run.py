"""A run that did not do what it is for is void, and its report says so."""

from dataclasses import replace

from tests.fixtures.load import LedgerRow
from tests.torture.checker import Seen
from tests.torture.history import Fault, History, Info, Invoke, Ok
from tests.torture.phases import SHORT
from tests.torture.report import passed, report
from tests.torture.run import Run, void

PLAN = replace(SHORT, least_acked=2, least_kills=1, least_spooled=1)


def faults(phase: str, kind: str, times: int, at: float) -> History:
    return [Fault(at, phase, kind, "ingest-0") for _ in range(times)]


HISTORY: History = [
    *faults("A", "kill", 1, 1.0),
    *faults("A", "session ended", 1, 1.0),
    Invoke(1, 1.1, ("a",), hostile=1),
    Info(1, 1.2),
    *faults("B", "membership", len(PLAN.members), 2.0),
    *faults("B", "freeze", PLAN.freezes, 2.0),
    Invoke(2, 2.1, ("a", "b"), hostile=1),
    Ok(2, 2.2, rejected=1, spooled=True),
    *faults("C", "kafka held", 1, 3.0),
    Invoke(3, 3.1, ("a",)),
    Info(3, 3.2, 503, 5),
    *faults("E", "kill", PLAN.spool_kills, 4.0),
    Invoke(4, 4.1, ("a",)),
    Info(4, 4.2, 503, 5),
]
SEEN = Seen(
    sent={},
    told={},
    moves={},
    ledger=[LedgerRow(4, 2, 1, 1, 0, 0, 0)],
    quarantined=1,
    verified=2,
    differences=0,
)


def test_a_run_in_which_everything_happened_is_not_void() -> None:
    assert void(PLAN, HISTORY, SEEN) == []


def test_every_fault_that_did_not_happen_makes_it_void() -> None:
    for kind in ("kill", "session ended", "membership", "freeze"):
        without = [one for one in HISTORY if not (isinstance(one, Fault) and one.kind == kind)]
        assert void(PLAN, without, SEEN), kind


def test_effects_that_nobody_saw_make_it_void() -> None:
    assert void(PLAN, [one for one in HISTORY if not isinstance(one, Info)], SEEN)
    assert void(PLAN, [one for one in HISTORY if not isinstance(one, Ok)], SEEN)
    nothing_twice = replace(SEEN, ledger=[LedgerRow(3, 2, 0, 1, 0, 0, 0)])
    assert void(PLAN, HISTORY, nothing_twice) == ["duplicates in the log: 0 of at least 1"]


def test_the_report_of_a_void_run_says_what_was_missing_and_does_not_pass() -> None:
    run = Run(PLAN, HISTORY, SEEN, [], ["kills: 3 of at least 8"], 0, 60.0)
    assert not passed(run)
    assert "FAILED" in report(run)
    assert "void: kills: 3 of at least 8" in report(run)
    assert "| A | kill ingest | 1 |" in report(replace(run, void=[]))
