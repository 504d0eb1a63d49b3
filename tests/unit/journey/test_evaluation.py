import pytest

from shared.journey.moves import TouchpointCause
from shared.touchpoints import JsonObject, JsonValue, Touchpoint
from tests.fixtures.small_models import journey, signals, stage_of, touch, two_stages

HEAT: JsonObject = {"heat": {"half_life": "P1D", "points": {"a": 4, "b": -3, "c": 0}}}


def enters(when: JsonValue, *touchpoints: Touchpoint) -> bool:
    """Tell whether the second stage is entered at the last touchpoint, and not before."""
    given = two_stages(when, scores=HEAT)
    *before, last = touchpoints
    as_of = max(touchpoint.at for touchpoint in touchpoints)
    end = journey(given, *touchpoints, as_of=1000)
    moves = [move for move in end.transitions if move.to == "second"]
    assert all(move.at == as_of for move in moves)
    del before, last
    return bool(moves)


def evidence(when: JsonValue, *touchpoints: Touchpoint) -> list[str]:
    end = journey(two_stages(when, scores=HEAT), *touchpoints, as_of=1000)
    cause = end.transitions[-1].cause
    assert isinstance(cause, TouchpointCause)
    return [place.event_id for place in cause.evidence]


def test_a_count_is_reached_by_the_match_that_makes_it_full() -> None:
    when: JsonValue = {"signal": "a", "at_least": 3}
    assert not enters(when, touch("a", 1), touch("a", 2))
    assert enters(when, touch("a", 1), touch("a", 2), touch("b", 3), touch("a", 900))


def test_a_match_exactly_as_old_as_the_window_does_not_count() -> None:
    when: JsonValue = {"signal": "a", "at_least": 2, "within": "P2D"}
    assert not enters(when, touch("a", 1), touch("a", 3))
    assert enters(when, touch("a", 1.001), touch("a", 3))


def test_at_most_is_the_opposite_of_one_more() -> None:
    when: JsonValue = {"all": [{"signal": "b"}, {"signal": "a", "at_most": 1, "within": "P5D"}]}
    assert enters(when, touch("a", 1), touch("b", 2))
    assert not enters(when, touch("a", 1), touch("a", 2), touch("b", 3))
    assert enters(when, touch("a", 1), touch("a", 2), touch("b", 6))


def test_different_values_count_once_and_no_value_not_at_all() -> None:
    when: JsonValue = {"signal": "a", "at_least": 2, "distinct": "properties.sku", "within": "P9D"}
    one, same, other = touch("a", 1, sku=1), touch("a", 2, sku=1.0), touch("a", 4, sku="1")
    assert not enters(when, one, same, touch("a", 3))
    assert enters(when, one, same, touch("a", 3), other)


def test_a_value_counts_from_its_latest_match() -> None:
    when: JsonValue = {"signal": "a", "at_least": 2, "distinct": "properties.sku", "within": "P3D"}
    early, again = touch("a", 1, sku=1), touch("a", 3, sku=1)
    assert enters(when, early, again, touch("a", 5, sku=2))
    assert not enters(when, early, touch("a", 5, sku=2))


def test_a_value_that_comes_again_is_among_the_newest() -> None:
    when: JsonValue = {"signal": "a", "at_least": 2, "distinct": "properties.sku", "within": "P2D"}
    history = [touch("a", 1, sku=1), touch("a", 4, sku=2), touch("a", 8, sku=1)]
    assert enters(when, *history, touch("a", 9, sku=3))


@pytest.mark.parametrize(
    ("bound", "expected"),
    [({"at_least": 0.3}, True), ({"at_least": 0.31}, False), ({"at_most": 0.3}, True)],
)
def test_a_sum_is_compared_exactly(bound: JsonObject, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    summed: JsonObject = {"signal": "a", "sum": "properties.v", **bound}
    when: JsonValue = {"all": [{"signal": "b"}, summed]}
    assert enters(when, touch("a", 1, v=0.1), touch("a", 2, v=0.2), touch("b", 3)) == expected


def test_a_sum_over_nothing_is_zero() -> None:
    when: JsonValue = {
        "all": [{"signal": "b"}, {"signal": "a", "sum": "properties.v", "at_least": 0}]
    }
    assert enters(when, touch("b", 3))


def test_a_score_halves_with_time() -> None:
    when: JsonValue = {"score": "heat", "at_least": 6}
    assert enters(when, touch("a", 1), touch("a", 2))
    assert not enters(when, touch("a", 1), touch("a", 2.001))


def test_a_score_does_not_fall_below_zero_and_forgets_what_the_floor_took() -> None:
    scores = journey(
        two_stages({"signal": "c"}, scores=HEAT),
        touch("b", 1, "1"),
        touch("b", 1, "2"),
        touch("a", 1, "3"),
        as_of=2,
    ).scores
    assert scores == {"heat": 2.0}


def test_points_of_one_touchpoint_are_added_at_once() -> None:
    both: JsonValue = {"match": {"type": ["a", "b"]}}
    given = two_stages({"signal": "c"}, signals=signals("b", "c", a=both), scores=HEAT)
    assert journey(given, touch("b", 1), as_of=1).scores == {"heat": 1.0}


def test_all_any_and_not_mean_what_they_say() -> None:
    when: JsonValue = {
        "any": [
            {"all": [{"signal": "a"}, {"not": {"signal": "b", "at_least": 1}}]},
            {"all": [{"signal": "c"}, {"signal": "b", "at_least": 1}]},
        ]
    }
    assert enters(when, touch("a", 1))
    assert not enters(when, touch("b", 0), touch("a", 1))
    assert enters(when, touch("b", 0), touch("c", 1))
    assert not enters(when, touch("c", 1))


def test_a_rule_is_only_looked_at_for_a_touchpoint_that_triggers_it() -> None:
    when: JsonValue = {"all": [{"signal": "a", "at_least": 1}, {"signal": "b", "at_most": 0}]}
    loose: JsonValue = {"all": [{"signal": "a", "at_least": 1}, {"not": {"signal": "b"}}]}
    for condition in (when, loose):
        assert enters(condition, touch("a", 1))
    waiting: JsonValue = {
        "all": [{"signal": "a", "at_least": 1}, {"signal": "b", "at_most": 0, "within": "P1D"}]
    }
    assert (
        stage_of(two_stages(waiting), touch("b", 0), touch("a", 0.5), touch("c", 9), as_of=9)
        == "first"
    )


def test_evidence_is_the_newest_that_a_condition_counted_newest_first() -> None:
    when: JsonValue = {"signal": "a", "at_least": 2, "within": "P9D"}
    assert evidence(
        {"all": [{"signal": "b"}, when]}, *[touch("a", at) for at in range(4)], touch("b", 4)
    ) == [
        "a@3",
        "a@2",
    ]


def test_evidence_names_a_touchpoint_once_and_nothing_takes_its_place() -> None:
    one: JsonValue = {"signal": "a", "at_least": 1}
    two: JsonValue = {"signal": "a", "at_least": 2}
    history = [touch("a", 1), touch("a", 2), touch("a", 3), touch("b", 4)]
    assert evidence({"all": [{"signal": "b"}, one, two]}, *history) == ["a@3", "a@2"]


def test_evidence_comes_from_every_part_that_holds_by_itself_but_not_from_under_a_not() -> None:
    when: JsonValue = {
        "all": [
            {"signal": "b"},
            {"not": {"signal": "a", "at_least": 5}},
            {"any": [{"signal": "c", "at_least": 9}, {"signal": "c", "at_least": 1}]},
            {"not": {"not": {"signal": "a", "at_least": 1}}},
        ]
    }
    assert evidence(when, touch("a", 1), touch("c", 2), touch("b", 3)) == ["c@2"]


def test_a_bare_signal_and_at_most_add_no_evidence() -> None:
    when: JsonValue = {"all": [{"signal": "a"}, {"signal": "b", "at_most": 3}]}
    assert evidence(when, touch("b", 1), touch("a", 2)) == []


def test_evidence_of_different_values_is_the_latest_match_of_each() -> None:
    when: JsonValue = {"signal": "a", "at_least": 2, "distinct": "properties.sku"}
    history = [touch("a", 1, sku=1), touch("a", 2, sku=1), touch("a", 3, sku=2)]
    assert evidence(when, *history) == ["a@3", "a@2"]


def test_evidence_of_a_sum_is_its_newest_five_numbers() -> None:
    when: JsonValue = {"signal": "a", "at_least": 7, "sum": "properties.v", "within": "P30D"}
    history = [touch("a", at, v=1) for at in range(6)]
    assert evidence(when, *history, touch("a", 6, v="1"), touch("a", 7, v=1)) == [
        "a@7",
        "a@5",
        "a@4",
        "a@3",
        "a@2",
    ]


def test_evidence_of_a_score_is_the_newest_five_with_positive_points() -> None:
    when: JsonValue = {"score": "heat", "at_least": 7}
    history = [touch("a", 1), touch("b", 1.5), touch("c", 1.7), touch("a", 1.8)]
    assert evidence(when, *history, touch("a", 1.9)) == ["a@1.9", "a@1.8", "a@1"]


def test_a_sum_asked_for_long_after_its_window_is_zero_each_time() -> None:
    summed: JsonObject = {"signal": "a", "sum": "properties.v", "at_most": 0, "within": "P1D"}
    when: JsonValue = {"all": [{"signal": "b"}, {"trait": "never", "exists": True}, summed]}
    late: JsonValue = {"all": [{"signal": "c"}, summed]}
    given = two_stages({"any": [when, late]})
    history = [touch("a", at / 1e6, str(at), v=1) for at in range(5_000)]
    asked = [touch("b", 2 + at / 1e6, str(at)) for at in range(5_000)]
    assert stage_of(given, *history, *asked, touch("c", 3), as_of=3) == "second"
    assert stage_of(given, *history, touch("c", 0.5), as_of=3) == "first"
