import pytest

from shared.instants import DAY
from shared.journey.deadlines import NextMove
from shared.journey.fold import Fold
from shared.journey.moves import DeadlineCause, Identity, Move
from shared.touchpoints import JsonObject, JsonValue, Touchpoint
from tests.fixtures.small_models import compiled, day, document, journey, stage, stage_of, touch


def left_by(*rules: JsonValue, **parts: JsonValue) -> JsonObject:
    """Return a document whose first stage has these leave rules to a second and a third."""
    return document([stage("first", leave=list(rules)), stage("second"), stage("third")], **parts)


def leave(name: str, after: str, to: str = "second", **parts: JsonValue) -> JsonObject:
    return {"rule": name, "after": after, "to": to, **parts}


def moves_of(given: JsonObject, *touchpoints: Touchpoint, as_of: float) -> list[tuple[str, int]]:
    moves = journey(given, *touchpoints, as_of=as_of).transitions
    return [(move.rule, move.at) for move in moves if isinstance(move.cause, DeadlineCause)]


def last_move(given: JsonObject, *touchpoints: Touchpoint, as_of: float) -> Move:
    return journey(given, *touchpoints, as_of=as_of).transitions[-1]


QUIET: JsonObject = {"dormant_after": "P10D", "churned_after": "P20D"}


def test_activity_goes_dormant_and_churned_counted_from_the_last_sign_of_life() -> None:
    given = document([stage("first")], activity=QUIET)
    assert moves_of(given, touch("x", 0), touch("x", 5), as_of=100) == [
        ("dormant_after", day(15)),
        ("churned_after", day(25)),
    ]
    move = last_move(given, touch("x", 0), touch("x", 5), as_of=100)
    assert move.cause == DeadlineCause(day(5), "P20D", "activity", Identity("test", "x@5"))


def test_a_touchpoint_at_the_instant_of_a_deadline_comes_before_it() -> None:
    given = document([stage("first")], activity=QUIET)
    assert moves_of(given, touch("x", 0), touch("x", 10), as_of=19) == []
    assert moves_of(given, touch("x", 0), touch("x", 10.001), as_of=19) == [
        ("dormant_after", day(10))
    ]


def test_a_journey_as_of_the_instant_of_a_deadline_has_it() -> None:
    given = left_by(leave("on", "P3D"))
    assert stage_of(given, touch("x", 0), as_of=2.999) == "first"
    assert stage_of(given, touch("x", 0), as_of=3) == "second"


def test_at_one_instant_activity_goes_first_then_rules_in_file_order() -> None:
    given = left_by(
        leave("asked", "P10D", "third", when={"activity": ["active"]}),
        leave("one", "P10D"),
        leave("two", "P10D", "third"),
        activity=QUIET,
    )
    assert moves_of(given, touch("x", 0), as_of=12) == [
        ("dormant_after", day(10)),
        ("one", day(10)),
    ]


def test_without_counts_from_the_last_match_of_any_of_its_signals() -> None:
    given = left_by(leave("faded", "P10D", without=["a", "b"]))
    history = [touch("x", 0), touch("b", 3), touch("a", 2), touch("c", 4)]
    assert moves_of(given, *history, as_of=50) == [("faded", day(13))]
    move = last_move(given, *history, as_of=50)
    assert move.cause == DeadlineCause(day(3), "P10D", "signal", Identity("test", "b@3"))


def test_a_base_at_the_instant_of_entering_is_the_entering() -> None:
    given = left_by(leave("faded", "P10D", without=["a"]))
    move = last_move(given, touch("x", 0, "1"), touch("a", 0, "2"), as_of=50)
    assert move.cause == DeadlineCause(day(0), "P10D", "entered", Identity("test", "1"))


def test_matches_before_entering_do_not_move_the_base() -> None:
    second = stage(
        "second",
        enter=[{"rule": "to_second", "when": {"signal": "b"}}],
        leave=[leave("faded", "P10D", "first", without=["a"])],
    )
    given = document([stage("first"), second])
    assert moves_of(given, touch("a", 0), touch("b", 5), as_of=50) == [("faded", day(15))]


def test_idle_counts_from_the_last_sign_of_life() -> None:
    activity: JsonObject = {**QUIET, "ignore": {"type": "sent"}}
    given = left_by(leave("silent", "P5D", idle=True), activity=activity)
    history = [touch("x", 0), touch("x", 4), touch("sent", 6)]
    move = last_move(given, *history, as_of=9)
    assert (move.at, move.cause) == (
        day(9),
        DeadlineCause(day(4), "P5D", "activity", Identity("test", "x@4")),
    )


def test_a_rule_whose_condition_is_false_when_due_is_spent_until_its_base_moves() -> None:
    asked = leave("asked", "P2D", without=["a"], when={"signal": "b", "at_least": 1})
    given = left_by(asked)
    start = [touch("x", 0), touch("b", 3)]
    assert moves_of(given, *start, as_of=50) == []
    assert moves_of(given, *start, touch("a", 10), as_of=50) == [("asked", day(12))]


def test_a_spent_rule_is_due_again_before_what_was_due_otherwise() -> None:
    asked = leave("asked", "P2D", without=["a"], when={"signal": "b", "at_least": 1})
    up = {"rule": "up", "from": ["second"], "when": {"signal": "c"}}
    stages: list[JsonValue] = [
        stage("first", leave=[asked, leave("at_last", "P100D", "third")]),
        stage("second"),
        stage("third", enter=[up]),
    ]
    history = [touch("x", 0), touch("b", 3), touch("a", 10), touch("c", 20)]
    assert moves_of(document(stages), *history, as_of=30) == [("asked", day(12))]
    assert stage_of(document(stages), *history, as_of=30) == "third"


def test_a_spent_rule_stays_spent_in_a_snapshot() -> None:
    asked = leave("asked", "P2D", when={"signal": "b", "at_least": 1})
    program = compiled(left_by(asked))
    folding = Fold(program)
    folding.apply(touch("x", 0))
    folding.apply(touch("b", 3))
    going = Fold(program, folding.freeze())
    going.advance(day(50))
    assert going.moves == []


def test_a_deadline_is_run_a_microsecond_before_the_touchpoint_that_would_put_it_off() -> None:
    given = left_by(leave("faded", "P1D", without=["a"]))
    late = touch("a", 1 + 1 / DAY)
    assert late.at == day(1) + 1
    assert moves_of(given, touch("x", 0), late, as_of=1.5) == [("faded", day(1))]


def test_a_condition_is_looked_at_with_the_time_of_the_deadline() -> None:
    asked = leave("asked", "P5D", when={"signal": "a", "at_least": 1, "within": "P3D"})
    given = left_by(asked)
    assert moves_of(given, touch("a", 0), touch("a", 2), as_of=50) == []
    assert moves_of(given, touch("a", 0), touch("a", 2.001), as_of=50) == [("asked", day(5))]


def test_deadlines_follow_one_another_through_stages() -> None:
    stages: list[JsonValue] = [
        stage("first", leave=[leave("one", "P1D"), leave("never", "P2D", "third")]),
        stage("second", leave=[leave("two", "P1D", "third")]),
        stage("third"),
    ]
    assert moves_of(document(stages), touch("x", 0), as_of=50) == [
        ("one", day(1)),
        ("two", day(2)),
    ]


def test_the_next_move_is_the_earliest_that_would_move_something() -> None:
    given = left_by(
        leave("asked", "P5D", when={"signal": "b", "at_least": 1}),
        leave("plain", "P15D", "third"),
        activity=QUIET,
    )
    assert journey(given, touch("x", 0), as_of=1).next == NextMove(
        day(10), "activity", "dormant", "dormant_after"
    )
    assert journey(given, touch("b", 0), as_of=1).next == NextMove(
        day(5), "stage", "second", "asked"
    )
    assert journey(given, touch("x", 0), as_of=10).next == NextMove(
        day(15), "stage", "third", "plain"
    )


@pytest.mark.parametrize("as_of", [20.0, 1000.0])
def test_a_churned_customer_in_a_stage_without_rules_has_no_next(as_of: float) -> None:
    given = document([stage("first")], activity=QUIET)
    assert journey(given, touch("x", 0), as_of=as_of).next is None
