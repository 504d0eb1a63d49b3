"""The laws of stage models, each on random models and histories."""

from collections.abc import Iterable
from typing import Final

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.instants import DAY, Instant, parse_rfc3339
from shared.journey.fold import Fold, FoldState, journey_at
from shared.journey.moves import Move
from shared.journey.program import Program
from shared.journey.render import journey_document, transition_document
from shared.touchpoints import Touchpoint
from tests.reference.engine import engine_journey, program_of
from tests.reference.interpreter import interpret
from tests.reference.journeys import shifted, unversioned
from tests.reference.permissions import permissions
from tests.strategies.journeys import Case, arrivals, cases, instants, touchpoints
from tests.strategies.renaming import Renaming, renamings
from tests.strategies.stage_conditions import Document
from tests.strategies.undoings import PROBE, Undoing, crowded, undoings

CUSTOMER: Final = "ana"
PROFILE: Final = settings().max_examples
MORE: Final = settings(max_examples=4 * PROFILE)
MOST: Final = settings(max_examples=20_000 if PROFILE >= 2_000 else 4 * PROFILE)


def journey_of(case: Case, history: Iterable[Touchpoint] | None = None) -> Document:
    """The engine's journey of *case*, or of another *history* in its place."""
    touchpoints = case.touchpoints if history is None else history
    return engine_journey(case.document, touchpoints, case.as_of, CUSTOMER)


def folded(program: Program, history: Iterable[Touchpoint], up_to: Instant) -> Fold:
    """A fold that has seen what of *history* is not later than *up_to*."""
    fold = Fold(program)
    for touchpoint in sorted(history, key=lambda one: one.place):
        if touchpoint.at <= up_to:
            fold.apply(touchpoint)
    return fold


# Law 1
@given(cases(), st.data())
def test_any_order_and_repetition_of_arrival_gives_the_same_journey_byte_for_byte(
    case: Case, data: st.DataObject
) -> None:
    arrived = data.draw(arrivals(case.touchpoints))
    told = msgspec.json.encode(journey_of(case, arrived))
    assert told == msgspec.json.encode(journey_of(case))


# Law 2
@given(cases(), st.data())
def test_a_known_identity_changes_nothing_whatever_it_brings_the_second_time(
    case: Case, data: st.DataObject
) -> None:
    known = data.draw(st.sampled_from(case.touchpoints))
    other = data.draw(touchpoints())
    again = msgspec.structs.replace(other, source=known.source, event_id=known.event_id)
    assert journey_of(case, [*case.touchpoints, again, known]) == journey_of(case)


# Law 3
@given(cases())
def test_a_journey_read_at_an_instant_ignores_everything_later(case: Case) -> None:
    until = [touchpoint for touchpoint in case.touchpoints if touchpoint.at <= case.as_of]
    assert journey_of(case) == journey_of(case, until)


# Law 4
@given(cases(), instants(first=24), instants(first=24))
def test_advancing_in_two_steps_is_advancing_in_one(
    case: Case, one: Instant, other: Instant
) -> None:
    program = program_of(case.document)
    at_once = folded(program, case.touchpoints, min(one, other))
    in_steps = folded(program, case.touchpoints, min(one, other))
    at_once.advance(max(one, other))
    in_steps.advance(min(one, other))
    in_steps.advance(max(one, other))
    assert in_steps.moves == at_once.moves
    assert in_steps.freeze().encode() == at_once.freeze().encode()


# Law 5
@given(cases(), st.floats(0, 1))
def test_nothing_changes_before_the_next_move_and_something_does_at_it(
    case: Case, part: float
) -> None:
    until = [touchpoint for touchpoint in case.touchpoints if touchpoint.at <= case.as_of]
    now = journey_of(case, until)
    assume(now["next"] is not None)
    at = parse_rfc3339(now["next"]["at"])
    assert at > case.as_of
    meanwhile = case.as_of + int(part * (at - 1 - case.as_of))
    for quiet in (meanwhile, at - 1):
        then = engine_journey(case.document, until, quiet, CUSTOMER)
        assert _still(then) == _still(now)
    moved = engine_journey(case.document, until, at, CUSTOMER)
    first, *_ = moved["transitions"][len(now["transitions"]) :]
    assert {name: first[name] for name in ("at", "axis", "to", "rule")} == now["next"]


# Law 5
@given(cases())
def test_nothing_ever_changes_when_nothing_is_next(case: Case) -> None:
    until = [touchpoint for touchpoint in case.touchpoints if touchpoint.at <= case.as_of]
    now = journey_of(case, until)
    assume(now["next"] is None)
    far = engine_journey(case.document, until, case.as_of + 10_000 * DAY, CUSTOMER)
    assert _still(far) == _still(now)


def _still(journey: Document) -> Document:
    return {name: one for name, one in journey.items() if name not in {"as_of", "scores"}}


# Law 6
@given(cases())
def test_the_moves_on_each_axis_are_a_chain_that_ends_in_the_state(case: Case) -> None:
    journey = journey_of(case)
    assert [move["at"] for move in journey["transitions"]] == sorted(
        (move["at"] for move in journey["transitions"]), key=parse_rfc3339
    )
    for axis, state in (("stage", "key"), ("activity", "state")):
        moves = [move for move in journey["transitions"] if move["axis"] == axis]
        places = [None, *(move["to"] for move in moves)]
        assert [move["from"] for move in moves] == places[:-1]
        assert places[-1] == (journey[axis] and journey[axis][state])
        assert moves == [] or moves[-1]["at"] == journey[axis]["since"]


# Law 7
@given(cases())
def test_every_move_is_made_by_a_rule_of_the_model_that_allows_it(case: Case) -> None:
    allowed, cycle = permissions(case.document), 1
    moves = journey_of(case)["transitions"]
    assert len({move["id"] for move in moves}) == len(moves)
    for move in moves:
        cycle += move["kind"] == "restart"
        assert move["cycle"] == cycle
        by = "deadline" if "deadline" in move["cause"] else "touchpoint"
        assert (move["rule"], by, move["from"], move["to"]) in allowed


# Law 8
@given(cases(), touchpoints())
def test_a_touchpoint_that_nothing_knows_and_is_ignored_changes_nothing(
    case: Case, unknown: Touchpoint
) -> None:
    document = _without_a_word_for_unknown(case.document)
    silent = msgspec.structs.replace(unknown, type="unknown", event_id="unknown", traits={})
    without = engine_journey(document, case.touchpoints, case.as_of, CUSTOMER)
    assert engine_journey(document, [silent, *case.touchpoints], case.as_of, CUSTOMER) == without


def _without_a_word_for_unknown(document: Document) -> Document:
    unknown = {"type": "unknown"}
    activity = document["activity"]
    ignored = [unknown, activity["ignore"]] if "ignore" in activity else [unknown]
    signals = {
        key: {**signal, "match": {"all": [signal["match"], {"not": unknown}]}}
        for key, signal in document["signals"].items()
    }
    return {**document, "signals": signals, "activity": {**activity, "ignore": {"any": ignored}}}


# Law 9
@given(undoings(), st.integers(-1, 100))
def test_a_purchase_and_its_refund_leave_counts_sums_and_scores_as_without_both(
    undoing: Undoing, later: int
) -> None:
    as_of = PROBE + later
    pair = [undoing.purchase, undoing.refund]
    without = engine_journey(undoing.document, undoing.others, as_of, CUSTOMER)
    both = engine_journey(undoing.document, [*pair, *undoing.others], as_of, CUSTOMER)
    refunds = {"refunded": without["counts"]["refunded"] + 1}
    assert both["counts"] == without["counts"] | refunds
    assert both["scores"] == pytest.approx(without["scores"], abs=1.1e-6)
    assert _probed(both) == _probed(without)


def _probed(journey: Document) -> list[object]:
    return [move["cause"] for move in journey["transitions"] if move["rule"] == "probed"]


# Law 10
@given(cases(), renamings())
def test_renaming_stages_signals_and_rules_maps_the_journey_one_to_one(
    case: Case, renaming: Renaming
) -> None:
    renamed = engine_journey(
        renaming.document(case.document), case.touchpoints, case.as_of, CUSTOMER
    )
    assert unversioned(renamed) == unversioned(renaming.journey(journey_of(case)))


# Law 11
@given(cases(), st.integers(-1_900 * 365 * DAY, 5_000 * 365 * DAY))
def test_shifting_all_times_shifts_all_results(case: Case, by: Instant) -> None:
    later = [
        msgspec.structs.replace(touchpoint, at=touchpoint.at + by)
        for touchpoint in case.touchpoints
    ]
    told = engine_journey(case.document, later, case.as_of + by, CUSTOMER)
    assert unversioned(told) == unversioned(shifted(journey_of(case), by))


# Law 12
@given(cases(), st.data())
def test_without_its_deciding_touchpoint_a_move_does_not_appear_with_that_cause(
    case: Case, data: st.DataObject
) -> None:
    decided = [move for move in journey_of(case)["transitions"] if "touchpoint" in move["cause"]]
    assume(decided)
    cause = data.draw(st.sampled_from(decided))["cause"]["touchpoint"]
    without = [
        touchpoint
        for touchpoint in case.touchpoints
        if (touchpoint.source, touchpoint.event_id) != (cause["source"], cause["event_id"])
    ]
    assert len(without) == len(case.touchpoints) - 1
    assert cause not in [
        move["cause"].get("touchpoint") for move in journey_of(case, without)["transitions"]
    ]


# Law 13
@given(cases(), st.data())
def test_snapshots_at_any_places_give_the_same_journey(case: Case, data: st.DataObject) -> None:
    program = program_of(case.document)
    fold, moves = Fold(program), list[Move]()
    past = sorted((one for one in case.touchpoints if one.at <= case.as_of), key=lambda o: o.place)
    for touchpoint, following in zip(past, [*past[1:], None], strict=True):
        fold.apply(touchpoint)
        latest = (following.at if following else case.as_of + 1) - 1
        if latest > touchpoint.at and data.draw(st.booleans(), label="advance first"):
            fold.advance(data.draw(st.integers(touchpoint.at, latest), label="to"))
        if data.draw(st.booleans(), label="snapshot here"):
            moves += fold.moves
            fold = Fold(program, FoldState.decode(fold.freeze().encode()))
    moves += fold.moves
    journey = journey_at(program, fold.freeze(), moves, case.as_of)
    assert journey_document(journey, program, CUSTOMER) == journey_of(case)
    version = program.model.version
    published = [transition_document(move, version, CUSTOMER) for move in moves]
    assert journey_of(case)["transitions"][: len(moves)] == published


# Law 13
@given(cases())
def test_a_snapshot_stays_as_it_was_while_its_fold_goes_on(case: Case) -> None:
    program = program_of(case.document)
    fold, kept = Fold(program), list[tuple[FoldState, bytes]]()
    for touchpoint in sorted(case.touchpoints, key=lambda one: one.place):
        fold.apply(touchpoint)
        state = fold.freeze()
        kept.append((state, state.encode()))
    fold.advance(max(case.as_of, case.touchpoints[0].at) + DAY * 100)
    for state, encoded in kept:
        assert state.encode() == encoded
        assert FoldState.decode(encoded).encode() == encoded


# Law 14
@MOST
@given(cases())
def test_the_engine_tells_what_the_reference_interpreter_tells(case: Case) -> None:
    told = journey_of(case)
    assert told == interpret(case.document, case.touchpoints, case.as_of, CUSTOMER)


# Law 14
@MORE
@given(crowded())
def test_the_engine_and_the_reference_agree_where_purchases_and_refunds_crowd(case: Case) -> None:
    told = journey_of(case)
    assert told == interpret(case.document, case.touchpoints, case.as_of, CUSTOMER)


# Law 14
@given(cases(max_size=8))
def test_the_engine_and_the_reference_agree_at_every_instant_of_a_history(case: Case) -> None:
    for at in {touchpoint.at + beside for touchpoint in case.touchpoints for beside in (-1, 0)}:
        told = engine_journey(case.document, case.touchpoints, at, CUSTOMER)
        assert told == interpret(case.document, case.touchpoints, at, CUSTOMER)
