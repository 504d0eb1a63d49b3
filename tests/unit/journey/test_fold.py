import random
from typing import cast

import pytest

from shared.instants import LATEST
from shared.journey.fold import Fold, FoldState, fold, in_order, journey_at
from shared.journey.moves import DeadlineCause, Identity, TouchpointCause
from shared.touchpoints import JsonObject, JsonValue, Touchpoint
from tests.fixtures.small_models import (
    compiled,
    day,
    document,
    journey,
    signals,
    stage,
    stage_of,
    touch,
    two_stages,
    with_traits,
)

THREE: JsonObject = document(
    [
        stage("first"),
        stage("second", enter=[{"rule": "to_second", "when": {"signal": "a"}}]),
        stage("third", enter=[{"rule": "to_third", "when": {"signal": "b"}}]),
    ]
)


def test_nobody_is_anywhere_before_the_first_touchpoint() -> None:
    nothing = journey(THREE, touch("a", 1), as_of=0.5)
    assert (nothing.stage, nothing.activity, nothing.peak_stage, nothing.next) == (None,) * 4
    assert (nothing.cycle, nothing.transitions, nothing.counts) == (1, (), {"a": 0, "b": 0, "c": 0})


def test_a_first_sign_of_life_starts_both_axes() -> None:
    moves = journey(THREE, touch("x", 1), as_of=1).transitions
    assert [(move.axis, move.kind, move.from_, move.to, move.rule) for move in moves] == [
        ("activity", "activity", None, "active", "sign_of_life"),
        ("stage", "start", None, "first", "start"),
    ]
    assert {move.cause for move in moves} == {TouchpointCause("test", "x@1", ())}


def test_a_first_touchpoint_with_a_rule_starts_in_its_stage() -> None:
    (_, move) = journey(THREE, touch("b", 1), as_of=1).transitions
    assert (move.kind, move.to, move.rule) == ("start", "third", "to_third")


def test_an_ignored_touchpoint_may_enter_a_stage_but_not_start_one() -> None:
    ignoring = THREE | {
        "activity": {
            "ignore": {"type": ["a", "sent"]},
            "dormant_after": "P10D",
            "churned_after": "P20D",
        }
    }
    assert journey(ignoring, touch("sent", 1), as_of=2).stage is None
    quiet = journey(ignoring, touch("a", 1), as_of=100)
    assert quiet.stage is not None
    assert quiet.stage.key == "second"
    assert quiet.activity is None


def test_the_highest_stage_wins_then_the_first_rule_in_the_file() -> None:
    both: JsonValue = {"match": {"type": "ab"}}
    rules: JsonValue = [
        {"rule": "one", "when": {"signal": "a"}},
        {"rule": "two", "when": {"signal": "a"}},
    ]
    given = document(
        [
            stage("first"),
            stage("second", enter=[{"rule": "low", "when": {"signal": "a"}}]),
            stage("third", enter=rules),
        ],
        signals={"a": both},
    )
    now = journey(given, touch("ab", 1), as_of=1).stage
    assert now is not None
    assert (now.key, now.rule) == ("third", "one")


def test_nobody_moves_down_without_an_explicit_from() -> None:
    assert stage_of(THREE, touch("b", 1), touch("a", 2), as_of=3) == "third"


def test_an_explicit_from_may_lead_down_and_is_a_regress() -> None:
    given = document(
        [
            stage("first"),
            stage("second", enter=[{"rule": "back", "from": ["third"], "when": {"signal": "a"}}]),
            stage("third", enter=[{"rule": "up", "when": {"signal": "b"}}]),
        ]
    )
    move = journey(given, touch("b", 1), touch("a", 2), as_of=3).transitions[-1]
    assert (move.kind, move.from_, move.to) == ("regress", "third", "second")
    assert stage_of(given, touch("a", 1), as_of=3) == "first"


def test_a_terminal_stage_is_left_only_where_a_from_names_it() -> None:
    stages: list[JsonValue] = [
        stage("first"),
        stage("end", terminal=True, enter=[{"rule": "ending", "when": {"signal": "a"}}]),
        stage("last", enter=[{"rule": "up", "when": {"signal": "b"}}]),
    ]
    assert stage_of(document(stages), touch("a", 1), touch("b", 2), as_of=3) == "end"
    cast("list[JsonObject]", cast("JsonObject", stages[2])["enter"])[0]["from"] = ["end"]
    assert stage_of(document(stages), touch("a", 1), touch("b", 2), as_of=3) == "last"


def test_the_rules_of_the_present_stage_are_never_looked_at() -> None:
    own: JsonValue = [{"rule": "up", "from": ["first", "second"], "when": {"signal": "a"}}]
    given = document([stage("first"), stage("second", enter=own)])
    moves = journey(given, touch("x", 0), touch("a", 1), touch("a", 2), as_of=2).transitions
    assert [move.rule for move in moves] == ["sign_of_life", "start", "up"]


def test_nothing_restarts_from_a_terminal_stage_that_no_from_names() -> None:
    again: JsonObject = {"rule": "again", "when": {"signal": "b"}, "to": "first"}
    end = stage("end", terminal=True, enter=[{"rule": "ending", "when": {"signal": "a"}}])
    for rule, expected in ((again, "end"), ({**again, "from": ["end"]}, "first")):
        given = document([stage("first"), end], cycle={"restart": [rule]})
        assert stage_of(given, touch("a", 1), touch("b", 2), as_of=2) == expected


def test_the_peak_is_the_highest_stage_reached_even_if_others_were_passed_over() -> None:
    assert journey(THREE, touch("b", 1), as_of=1).peak_stage == "third"


CYCLES: JsonObject = THREE | {
    "activity": {"dormant_after": "P10D", "churned_after": "P20D"},
    "cycle": {
        "restart": [
            {
                "rule": "win_back",
                "when": {"all": [{"signal": "c"}, {"activity": ["churned"]}]},
                "to": "first",
            }
        ]
    },
}


def test_a_restart_sees_the_activity_before_its_touchpoint_and_carries_the_new_cycle() -> None:
    won = journey(CYCLES, touch("a", 0), touch("c", 30), as_of=30)
    moves = [(move.kind, move.to, move.cycle, move.at) for move in won.transitions[-2:]]
    assert moves == [("activity", "active", 1, day(30)), ("restart", "first", 2, day(30))]
    assert (won.cycle, won.peak_stage) == (2, "second")


def test_a_restart_into_the_present_stage_is_a_move_all_the_same() -> None:
    again = journey(CYCLES, touch("x", 0), touch("c", 30), as_of=30)
    move = again.transitions[-1]
    assert (move.kind, move.from_, move.to, move.cycle) == ("restart", "first", "first", 2)
    assert again.stage is not None
    assert again.stage.since == day(30)


def test_without_a_stage_nothing_restarts() -> None:
    silent = CYCLES | {
        "activity": {
            "ignore": {"type": "c"},
            "dormant_after": "P10D",
            "churned_after": "P20D",
        },
        "cycle": {"restart": [{"rule": "again", "when": {"signal": "c"}, "to": "first"}]},
    }
    assert journey(silent, touch("c", 1), as_of=1).cycle == 1


def test_an_enter_rule_sees_what_a_restart_did_at_the_same_touchpoint() -> None:
    given = document(
        [
            stage("first"),
            stage("second", enter=[{"rule": "up", "from": ["first"], "when": {"signal": "c"}}]),
            stage("third", enter=[{"rule": "top", "when": {"signal": "b"}}]),
        ],
        cycle={"restart": [{"rule": "again", "when": {"signal": "c"}, "to": "first"}]},
    )
    kinds = [
        move.kind for move in journey(given, touch("b", 1), touch("c", 2), as_of=2).transitions
    ]
    assert kinds == ["activity", "start", "restart", "advance"]


def test_traits_are_those_of_the_last_writer_and_null_unsets() -> None:
    given = two_stages({"all": [{"signal": "a"}, {"trait": "plan.name", "eq": "pro"}]})
    pro = with_traits(touch("x", 1), plan={"name": "pro"}, other=1)
    gone = with_traits(touch("x", 2), plan=None)
    own = with_traits(touch("a", 3), plan={"name": "pro"})
    assert stage_of(given, pro, touch("a", 3), as_of=3) == "second"
    assert stage_of(given, pro, gone, touch("a", 3), as_of=3) == "first"
    assert stage_of(given, pro, gone, own, as_of=3) == "second"


def test_a_matcher_sees_the_traits_of_its_moment() -> None:
    vip: JsonValue = {"match": {"type": "a", "where": {"traits.vip": {"eq": True}}}}
    given = two_stages({"signal": "vip_a"}, signals=signals("b", vip_a=vip))
    early = with_traits(touch("x", 2), vip=True)
    assert stage_of(given, touch("a", 1), early, as_of=3) == "first"
    assert stage_of(given, touch("a", 1), early, touch("a", 3), as_of=3) == "second"


def test_reached_holds_in_any_cycle_and_in_stage_for_counts_from_entering() -> None:
    condition: JsonValue = {
        "all": [{"signal": "c"}, {"reached": "second"}, {"in_stage_for": "P3D"}]
    }
    given = document(
        [
            stage("first"),
            stage(
                "second",
                enter=[{"rule": "to_second", "when": {"signal": "a"}}],
                leave=[{"rule": "back", "after": "P2D", "to": "first"}],
            ),
            stage("third", enter=[{"rule": "to_third", "when": condition}]),
        ]
    )
    assert stage_of(given, touch("x", 0), touch("c", 9), as_of=9) == "first"
    assert stage_of(given, touch("a", 0), touch("c", 4.9), as_of=9) == "first"
    assert stage_of(given, touch("a", 0), touch("c", 5), as_of=9) == "third"


def test_the_first_of_one_identity_counts_and_order_does_not_matter() -> None:
    first, second = touch("a", 2, "same"), touch("b", 1, "same")
    program = compiled(THREE)
    known = fold(program, [first, second, touch("x", 0)], day(3))
    assert known.stage is not None
    assert known.stage.key == "second"
    assert fold(program, [touch("x", 0), first, first], day(3)) == known


def test_what_is_later_than_as_of_is_not_looked_at() -> None:
    late = fold(compiled(THREE), [touch("a", 1), touch("b", 2)], day(1.5))
    assert late == fold(compiled(THREE), [touch("a", 1)], day(1.5))


def test_a_fold_refuses_what_does_not_follow() -> None:
    folding = Fold(compiled(CYCLES))
    folding.apply(touch("a", 5, "m"))
    for earlier in (touch("a", 4), touch("a", 5, "m"), touch("a", 5, "b")):
        assert not folding.follows(earlier)
        with pytest.raises(ValueError, match="does not follow"):
            folding.apply(earlier)
    folding.apply(touch("a", 5, "n"))
    assert folding.place == touch("a", 5, "n").place


def test_a_fold_refuses_what_a_deadline_that_was_run_should_have_followed() -> None:
    folding = Fold(compiled(CYCLES))
    folding.apply(touch("a", 0))
    folding.advance(day(9))
    assert folding.follows(touch("x", 5))
    folding.advance(day(10))
    assert not folding.follows(touch("x", 10))
    with pytest.raises(ValueError, match="does not follow"):
        folding.apply(touch("x", 10))
    assert folding.follows(touch("x", 10.001))


def test_the_source_decides_only_where_a_matcher_asks_for_it() -> None:
    till: JsonValue = {"match": {"type": "a", "source": "till"}}
    given = two_stages({"signal": "at_till"}, signals=signals("b", at_till=till))
    assert stage_of(given, touch("a", 1), as_of=1) == "first"
    sale = touch("a", 2)
    at_till = Touchpoint(
        source="till",
        event_id="1",
        at=sale.at,
        channel="web",
        type="a",
        properties={},
        context={},
        traits={},
    )
    assert stage_of(given, touch("a", 1), at_till, as_of=2) == "second"


def test_going_on_from_a_snapshot_gives_the_journey_of_the_whole() -> None:
    program = compiled(CYCLES)
    chance = random.Random(7)
    history = in_order(
        touch(chance.choice("abcx"), at * 3 + chance.random(), str(at)) for at in range(40)
    )
    whole = fold(program, history, day(200))
    for cut in range(0, 40, 7):
        folding = Fold(program)
        for touchpoint in history[:cut]:
            folding.apply(touchpoint)
        going = Fold(program, FoldState.decode(folding.freeze().encode()))
        for touchpoint in history[cut:]:
            going.apply(touchpoint)
        moves = [*folding.moves, *going.moves]
        assert journey_at(program, going.freeze(), moves, day(200)) == whole


def test_a_deadline_beyond_the_year_9999_never_comes() -> None:
    given = document(
        [
            stage("first", leave=[{"rule": "on", "after": "P3650D", "to": "second"}]),
            stage("second"),
        ],
        activity={"dormant_after": "P1000D", "churned_after": "P2000D"},
    )
    late = Touchpoint(
        source="s",
        event_id="1",
        at=LATEST - 1,
        channel="web",
        type="x",
        properties={},
        context={},
        traits={},
    )
    end = fold(compiled(given), [late], LATEST)
    assert end.next is None
    assert [move.rule for move in end.transitions] == ["sign_of_life", "start"]


def test_a_move_by_a_deadline_names_the_touchpoint_that_entered() -> None:
    given = document(
        [
            stage("first"),
            stage(
                "second",
                enter=[{"rule": "to_second", "when": {"signal": "a"}}],
                leave=[{"rule": "on", "after": "P2D", "to": "third"}],
            ),
            stage("third", leave=[{"rule": "off", "after": "P3D", "to": "first"}]),
        ]
    )
    on, off = journey(given, touch("a", 1), as_of=9).transitions[-2:]
    assert on.cause == DeadlineCause(day(1), "P2D", "entered", Identity("test", "a@1"))
    assert off.cause == DeadlineCause(day(3), "P3D", "entered", None)
    assert (on.kind, off.kind) == ("advance", "regress")
