"""The checker passes a history that keeps every promise, and names each promise that is broken."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fixtures.load import LedgerRow
from tests.torture.checker import INVARIANTS, Move, Seen, Told, check, tally
from tests.torture.history import (
    Claimed,
    Fail,
    Fault,
    History,
    Info,
    Invoke,
    Ok,
    Read,
    Recorder,
    acknowledged,
    read_history,
)

A, B, C, D = (Told("page_viewed", f"2026-01-0{day}T00:00:00Z", "{}") for day in (1, 2, 3, 4))

GOOD_HISTORY: History = [
    Invoke(1, 0.0, ("a", "b"), hostile=1),
    Ok(1, 0.1, rejected=1),
    Invoke(2, 0.2, ("c",)),
    Info(2, 2.2, 503, 5),
    Read(2.5, "ana", ("a",)),
    Claimed(2.6, 0, 1, 2, 3),
    Fault(2.7, "A", "kill", "ingest"),
    Invoke(3, 3.0, ("c", "a")),
    Ok(3, 3.1, spooled=True),
    Invoke(4, 3.2, ("d",)),
    Fail(4, 3.3, 401),
    Invoke(5, 3.4, ("never answered",)),
    Read(4.0, "ana", ("a", "b")),
    Claimed(4.1, 0, 2, 5, 5),
]
GOOD = Seen(
    sent={"a": A, "b": B, "c": C, "d": D, "never answered": D},
    told={"a": [A], "b": [B], "c": [C]},
    moves={"ana": [Move("stage", None, "new", "1"), Move("stage", "new", "loyal", "2")]},
    ledger=[LedgerRow(5, 3, 1, 1, 0, 0, 0)],
    quarantined=1,
    verified=3,
    differences=0,
    recovery_seconds={"A": 3.0},
    resources={"connections": (20, 21)},
)


def broken(history: History, seen: Seen = GOOD) -> set[str]:
    return {violation.invariant.split()[0] for violation in check(history, seen)}


def test_a_history_that_keeps_every_promise_passes() -> None:
    assert check(GOOD_HISTORY, GOOD) == []


def test_what_was_unknown_may_be_told_or_not() -> None:
    told = {**GOOD.told, "never answered": [D]}
    ledger = [LedgerRow(6, 4, 1, 1, 0, 0, 0)]
    assert not broken(GOOD_HISTORY, replace(GOOD, told=told, ledger=ledger, verified=4))


BROKEN = {
    "I1": (GOOD_HISTORY, replace(GOOD, told={"a": [A], "c": [C]})),
    "I2": (GOOD_HISTORY, replace(GOOD, told={**GOOD.told, "d": [D]})),
    "I3": (GOOD_HISTORY, replace(GOOD, told={**GOOD.told, "a": [A, A]})),
    "I4": (GOOD_HISTORY, replace(GOOD, told={**GOOD.told, "a": [B]})),
    "I5": (GOOD_HISTORY, replace(GOOD, moves={"ana": [Move("stage", "new", "loyal", "2")]})),
    "I6": ([*GOOD_HISTORY, Read(5.0, "ana", ("b",))], GOOD),
    "I8": (GOOD_HISTORY, replace(GOOD, ledger=[LedgerRow(6, 3, 1, 1, 0, 0, 0)])),
    "I9": ([*GOOD_HISTORY, Claimed(5.0, 0, 2, 4, 5)], GOOD),
    "I10": ([*GOOD_HISTORY, Invoke(9, 5.0, ("c",)), Info(9, 5.1, 503)], GOOD),
    "I11": (GOOD_HISTORY, replace(GOOD, resources={"connections": (20, 40)})),
    "I12": (GOOD_HISTORY, replace(GOOD, recovery_seconds={"C": 31.0})),
    "I13": (GOOD_HISTORY, replace(GOOD, gave_up=["classifier-1"])),
}


def test_how_long_recovery_took_can_be_left_out() -> None:
    history, seen = BROKEN["I12"]
    assert check(history, seen, judges_time=False) == []


def test_every_invariant_is_broken_here() -> None:
    assert {name.split()[0] for name in INVARIANTS} == set(BROKEN)


@pytest.mark.parametrize("invariant", BROKEN)
def test_what_breaks_an_invariant_is_named(invariant: str) -> None:
    history, seen = BROKEN[invariant]
    assert invariant in broken(history, seen)


@pytest.mark.parametrize(
    ("invariant", "history", "seen"),
    [
        ("I2", GOOD_HISTORY, replace(GOOD, told={**GOOD.told, "x": [A]})),
        ("I4", GOOD_HISTORY, replace(GOOD, differences=1)),
        (
            "I5",
            GOOD_HISTORY,
            replace(GOOD, moves={"ana": [Move("a", None, "x", "2"), Move("a", "x", "y", "1")]}),
        ),
        ("I8", GOOD_HISTORY, replace(GOOD, quarantined=0)),
        ("I8", GOOD_HISTORY, replace(GOOD, quarantined=2)),
        ("I8", GOOD_HISTORY, replace(GOOD, verified=2)),
        ("I8", GOOD_HISTORY, replace(GOOD, ledger=[LedgerRow(6, 3, 1, 1, 0, 0, 1)])),
        ("I9", [*GOOD_HISTORY, Claimed(5.0, 0, 1, 5, 5)], GOOD),
        ("I9", [*GOOD_HISTORY, Claimed(5.0, 1, 1, 6, 5)], GOOD),
        ("I10", [*GOOD_HISTORY, Invoke(9, 5.0, ("c",)), Info(9, 5.1, 500)], GOOD),
    ],
)
def test_other_ways_to_break_one_are_named_too(
    invariant: str, history: History, seen: Seen
) -> None:
    assert invariant in broken(history, seen)


def test_a_promise_counts_from_its_first_answer_and_a_tally_from_each_touchpoint() -> None:
    assert acknowledged(GOOD_HISTORY) == {"a": 0.1, "b": 0.1, "c": 3.1}
    counts = tally(GOOD_HISTORY)
    assert (counts["sent"], counts["promised"], counts["promised by a spool"]) == (5, 3, 2)
    assert (counts["unknown"], counts["batches sent away"]) == (2, 1)


def test_an_answer_without_the_promised_rejections_is_a_loss() -> None:
    history = [
        replaced if entry == GOOD_HISTORY[1] else entry
        for entry in GOOD_HISTORY
        for replaced in [Ok(1, 0.1, rejected=2)]
    ]
    assert "I8" in broken(history)


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "history.ndjson"
    with Recorder(path) as recorder:
        for entry in GOOD_HISTORY:
            recorder.note(entry)
    assert read_history(path) == recorder.entries == GOOD_HISTORY
