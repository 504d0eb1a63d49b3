"""Histories that no one plans for: far times, silence, oscillation, crowds, nothing at all."""

import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given

from shared.instants import DAY, EARLIEST, HOUR, LATEST, Instant, parse_rfc3339, rfc3339
from shared.journey.fold import Fold, FoldState
from shared.touchpoints import Touchpoint
from tests.reference.engine import engine_journey, program_of
from tests.reference.interpreter import interpret
from tests.strategies.journeys import START, Case, cases

NOW = parse_rfc3339("2026-01-05T10:00:00Z")

MODEL: dict[str, Any] = {
    "format": 1,
    "key": "odd",
    "signals": {
        "look": {"match": {"type": "look"}},
        "buy": {
            "match": {"type": "buy"},
            "undone_by": {"signal": "refund", "same": "properties.id", "within": "P30D"},
        },
        "refund": {"match": {"type": "refund"}},
    },
    "scores": {"heat": {"half_life": "P7D", "points": {"look": 1}}},
    "activity": {"ignore": {"type": "seen"}, "dormant_after": "P60D", "churned_after": "P180D"},
    "start": "new",
    "stages": [
        {"key": "new", "role": "aware"},
        {
            "key": "keen",
            "role": "consider",
            "enter": [
                {"rule": "looked", "when": {"signal": "look", "at_least": 2, "within": "P1D"}}
            ],
            "leave": [{"rule": "faded", "after": "P1D", "without": ["look"], "to": "new"}],
        },
        {
            "key": "owner",
            "role": "use",
            "enter": [{"rule": "bought", "when": {"signal": "buy"}}],
            "leave": [{"rule": "quiet", "after": "P90D", "idle": True, "to": "new"}],
        },
    ],
    "cycle": {
        "restart": [
            {
                "rule": "back",
                "when": {"all": [{"signal": "look"}, {"activity": ["churned"]}]},
                "to": "keen",
            }
        ]
    },
}


def touchpoint(kind: str, at: Instant, event_id: str = "1", **properties: object) -> Touchpoint:
    return Touchpoint(
        source="s",
        event_id=event_id,
        at=at,
        channel="web",
        type=kind,
        properties=properties,
        context={},
        traits={},
    )


def told(
    history: list[Touchpoint], as_of: Instant, model: dict[str, Any] = MODEL
) -> dict[str, Any]:
    return engine_journey(model, history, as_of, "ana")


def agreed(history: list[Touchpoint], as_of: Instant) -> dict[str, Any]:
    """The engine's answer, which is the reference interpreter's too."""
    answer = told(history, as_of)
    assert answer == interpret(MODEL, history, as_of, "ana")
    return answer


def test_a_touchpoint_of_the_year_9000_waits_for_its_time() -> None:
    future = touchpoint("buy", parse_rfc3339("9000-06-01T00:00:00Z"))
    assert agreed([future], NOW)["stage"] is None
    then = agreed([future], parse_rfc3339("9000-06-01T00:00:00Z"))
    assert then["stage"]["since"] == "9000-06-01T00:00:00Z"
    assert then["next"]["at"] == "9000-07-31T00:00:00Z"


def test_a_journey_may_be_read_far_ahead_of_its_last_touchpoint() -> None:
    far = agreed([touchpoint("buy", NOW)], parse_rfc3339("9999-12-31T23:59:59.999999Z"))
    assert (far["stage"]["key"], far["activity"]["state"], far["next"]) == ("new", "churned", None)


def test_the_last_instant_there_is_can_be_told() -> None:
    last = agreed([touchpoint("buy", LATEST)], LATEST)
    assert last["stage"]["since"] == "9999-12-31T23:59:59.999999Z"
    assert last["next"] is None


def test_a_history_at_the_very_beginning_of_time_can_be_told() -> None:
    first = agreed(
        [touchpoint("look", EARLIEST), touchpoint("buy", EARLIEST + 1, "2")], EARLIEST + 1
    )
    assert [move["at"] for move in first["transitions"]][-1] == "0001-01-01T00:00:00.000001Z"


@given(cases())
def test_a_history_around_the_epoch_is_told_like_any_other(case: Case) -> None:
    """Instant 0 is no missing time, and negative instants are no errors."""
    for zero in {case.touchpoints[0].at, max(one.at for one in case.touchpoints), START}:
        moved = [msgspec.structs.replace(one, at=one.at - zero) for one in case.touchpoints]
        answer = engine_journey(case.document, moved, case.as_of - zero, "ana")
        assert answer == interpret(case.document, moved, case.as_of - zero, "ana")


def test_deadlines_count_from_the_epoch_itself() -> None:
    history = [touchpoint("buy", 0), touchpoint("seen", 70 * DAY, "2")]
    answer = agreed(history, 90 * DAY)
    assert [(move["to"], move["at"]) for move in answer["transitions"]] == [
        ("active", "1970-01-01T00:00:00Z"),
        ("owner", "1970-01-01T00:00:00Z"),
        ("dormant", "1970-03-02T00:00:00Z"),
        ("new", "1970-04-01T00:00:00Z"),
    ]


def test_five_silent_years_make_the_moves_that_were_due_in_them_and_no_more() -> None:
    back = NOW + 5 * 365 * DAY
    answer = agreed([touchpoint("buy", NOW), touchpoint("look", back, "2")], back)
    assert [(move["to"], parse_rfc3339(move["at"]) - NOW) for move in answer["transitions"]] == [
        ("active", 0),
        ("owner", 0),
        ("dormant", 60 * DAY),
        ("new", 90 * DAY),
        ("churned", 180 * DAY),
        ("active", 5 * 365 * DAY),
        ("keen", 5 * 365 * DAY),
    ]
    assert answer["cycle"] == 2


@pytest.mark.parametrize(("gap", "moves"), [(DAY, 0), (DAY + 1, 99)])
def test_a_customer_at_the_threshold_moves_each_time_or_never(gap: int, moves: int) -> None:
    """A look at the instant of the deadline keeps the stage; a microsecond later is too late."""
    pairs = [(NOW + i * gap, f"{i:03}") for i in range(100)]
    history = [touchpoint("look", at, f"{name}{half}") for at, name in pairs for half in "ab"]
    answer = agreed(history, pairs[-1][0]) if moves == 0 else told(history, pairs[-1][0])
    rules = [move["rule"] for move in answer["transitions"] if move["axis"] == "stage"]
    assert rules.count("faded") == moves
    assert rules.count("looked") == moves + 1
    assert answer["stage"]["key"] == "keen"


def test_ten_thousand_touchpoints_told_backwards_are_the_journey_told_forwards() -> None:
    kinds = ["look", "seen", "buy", "other", "refund"]
    history = [
        touchpoint(kinds[i % 5], NOW + i * HOUR, f"{i:05}", id=i // 5 % 7) for i in range(10_000)
    ]
    as_of = history[-1].at + 400 * DAY
    forwards = told(history, as_of)
    shuffled = random.Random(7).sample(history, len(history))
    assert told(history[::-1], as_of) == forwards
    assert told(shuffled, as_of) == forwards
    assert forwards["counts"] == {"look": 2_000, "buy": 0, "refund": 2_000}
    assert forwards["activity"]["last_active_at"] == rfc3339(history[-1].at)
    assert forwards["stage"]["key"] == "new"


def test_ten_thousand_touchpoints_leave_a_small_snapshot() -> None:
    """What a bounded model needs to go on with does not grow with the history."""

    def snapshot_size(touchpoints: int) -> int:
        fold = Fold(program_of(MODEL))
        for i in range(touchpoints):
            fold.apply(touchpoint("look", NOW + i * HOUR, f"{i:05}"))
        state = fold.freeze().encode()
        assert FoldState.decode(state).encode() == state
        return len(state)

    assert snapshot_size(10_000) <= snapshot_size(100) + 64


def test_a_thousand_touchpoints_at_one_instant_go_by_their_identities() -> None:
    crowd = [touchpoint("look", NOW, f"{i:04}") for i in range(1_000)]
    answer = told(crowd[::-1], NOW)
    moves = [move for move in answer["transitions"] if move["axis"] == "stage"]
    assert [move["cause"]["touchpoint"]["event_id"] for move in moves] == ["0000", "0001"]
    assert answer["counts"]["look"] == 1_000
    assert answer["scores"]["heat"] == 1_000


def test_applying_out_of_order_is_refused_rather_than_guessed() -> None:
    fold = Fold(program_of(MODEL))
    fold.apply(touchpoint("look", NOW, "2"))
    for late in (touchpoint("buy", NOW - 1, "3"), touchpoint("buy", NOW, "1")):
        with pytest.raises(ValueError, match=r"."):
            fold.apply(late)


def test_the_same_touchpoint_cannot_be_applied_twice() -> None:
    fold = Fold(program_of(MODEL))
    fold.apply(touchpoint("look", NOW))
    with pytest.raises(ValueError, match=r"."):
        fold.apply(touchpoint("look", NOW))


def test_no_touchpoint_no_rule_no_score_is_a_journey_all_the_same() -> None:
    bare: dict[str, Any] = {
        "format": 1,
        "key": "bare",
        "signals": {"any": {"match": {"type": "x"}}},
        "activity": {"dormant_after": "PT1S", "churned_after": "PT2S"},
        "start": "only",
        "stages": [{"key": "only", "role": "aware"}],
    }
    nothing = told([], NOW, bare)
    assert nothing == {
        "customer_id": "ana",
        "as_of": "2026-01-05T10:00:00Z",
        "model": "bare",
        "version": program_of(bare).model.version,
        "stage": None,
        "activity": None,
        "cycle": 1,
        "peak_stage": None,
        "next": None,
        "transitions": [],
        "counts": {"any": 0},
        "scores": {},
    }
    empty = Touchpoint(
        source="", event_id="", at=0, channel="", type="", properties={}, context={}, traits={}
    )
    assert told([empty], 2_000_000, bare)["activity"]["state"] == "churned"
    assert told([empty], 0, bare) == interpret(bare, [empty], 0, "ana")


def test_forty_stages_are_climbed_one_by_one() -> None:
    ladder = {
        **MODEL,
        "signals": {"step": {"match": {"type": "look"}}},
        "scores": {},
        "start": "s0",
        "stages": [
            {"key": "s0", "role": "aware"},
            *(
                {
                    "key": f"s{rank}",
                    "role": "use",
                    "enter": [
                        {"rule": f"r{rank}", "when": {"signal": "step"}, "from": [f"s{rank - 1}"]}
                    ],
                }
                for rank in range(1, 40)
            ),
        ],
    }
    del ladder["scores"], ladder["cycle"]
    history = [touchpoint("look", NOW + i, f"{i:02}") for i in range(50)]
    moves = [
        move for move in told(history, NOW + 50, ladder)["transitions"] if move["axis"] == "stage"
    ]
    assert [move["to"] for move in moves] == [f"s{rank}" for rank in range(40)]
    assert all(one["to"] == other["from"] for one, other in pairwise(moves))
