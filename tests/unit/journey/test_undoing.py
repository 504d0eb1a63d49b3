import pytest

from shared.journey.fold import Fold, FoldState
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
)


def undo_by(within: str | None) -> JsonObject:
    window: JsonObject = {"within": within} if within else {}
    bought: JsonObject = {
        "match": {"type": ["bought", "both"]},
        "undone_by": {"signal": "returned", "same": "properties.order", **window},
    }
    returned: JsonObject = {"match": {"type": ["returned", "both"]}}
    return signals("other", bought=bought, returned=returned)


def shop(within: str | None = "P10D") -> JsonObject:
    return two_stages(
        {"signal": "bought"},
        signals=undo_by(within),
        scores={"value": {"half_life": "P1D", "points": {"bought": 8, "other": 1}}},
    )


def count(*touchpoints: Touchpoint, within: str | None = "P10D", as_of: float = 50) -> int:
    return journey(shop(within), *touchpoints, as_of=as_of).counts["bought"]


def bought(at: float, order: JsonValue = "o", event_id: str | None = None) -> Touchpoint:
    return touch("bought", at, event_id, order=order)


def returned(at: float, order: JsonValue = "o", event_id: str | None = None) -> Touchpoint:
    return touch("returned", at, event_id, order=order)


def test_an_undo_takes_back_every_earlier_match_of_its_value() -> None:
    history = [bought(0), bought(1), bought(1.5, "p"), returned(2)]
    assert count(*history) == 1
    assert count(*history, as_of=1.9) == 3


@pytest.mark.parametrize(("at", "left"), [(10, 0), (10.001, 1)])
def test_a_match_exactly_as_old_as_within_is_still_undone(at: float, left: int) -> None:
    assert count(bought(0), returned(at)) == left


def test_values_are_compared_as_json() -> None:
    assert count(bought(0, 1), returned(1, 1.0)) == 0
    assert count(bought(0, 1), returned(1, "1")) == 1
    assert count(bought(0, 1), returned(1, order=True)) == 1


def test_nothing_is_undone_without_a_value() -> None:
    assert count(bought(0, None), returned(1, None)) == 1
    assert count(returned(0, None), bought(1, None)) == 1


def test_an_undo_that_came_first_undoes_the_next_match_only() -> None:
    assert count(returned(0), bought(1)) == 0
    assert count(returned(0), bought(1), bought(2)) == 1
    assert count(returned(0), bought(10.001)) == 1


@pytest.mark.parametrize(("at", "left"), [(10, 0), (10.001, 1)])
def test_an_undo_waits_as_long_as_within(at: float, left: int) -> None:
    assert count(returned(0), bought(at)) == left
    same_instant = [bought(at, "p", "1"), bought(at, "o", "2")]
    assert count(returned(0), *same_instant) == left + 1


def test_several_waiting_undos_take_one_match_each() -> None:
    history = [returned(0), returned(1), bought(2), bought(3), bought(4)]
    assert count(*history) == 1
    assert count(*history, as_of=3) == 0


def test_of_waiting_undos_those_too_old_are_passed_over() -> None:
    assert count(returned(0), returned(5), bought(12), bought(13)) == 1


def test_an_undo_does_not_wait_if_an_earlier_match_was_known_even_undone() -> None:
    assert count(bought(0), returned(1), returned(2), bought(3)) == 1
    assert count(returned(0), bought(1), returned(2), bought(3)) == 1


def test_a_known_match_too_old_to_be_undone_lets_the_undo_wait() -> None:
    assert count(bought(0), returned(11), bought(12)) == 1


def test_without_within_nothing_is_too_old() -> None:
    assert count(bought(0), returned(3000), within=None, as_of=5000) == 0
    assert count(returned(0), bought(3000), within=None, as_of=5000) == 0


def test_a_match_undone_on_arrival_is_no_match_at_all() -> None:
    given = shop()
    assert stage_of(given, returned(0), bought(1), as_of=1) == "first"
    assert journey(given, returned(0), bought(1), as_of=1).scores == {"value": 0.0}


def test_a_touchpoint_that_is_both_undoes_what_came_before_but_not_itself() -> None:
    both = touch("both", 2, order="o")
    assert count(bought(0), both) == 1
    assert count(both) == 1
    assert count(both, bought(3)) == 1
    assert count(returned(0), both) == 0
    assert count(returned(0), both, bought(3)) == 0


def test_an_undo_takes_off_the_points_that_are_left() -> None:
    given = shop()
    history = [touch("other", 0), bought(0), returned(1)]
    assert journey(given, *history, as_of=1).scores == {"value": 0.5}


def test_an_undo_does_not_bring_back_what_the_floor_took() -> None:
    given = shop() | {
        "scores": {
            "value": {"half_life": "P1D", "points": {"bought": 8, "returned": 2, "other": -9}}
        }
    }
    history = [bought(0), touch("other", 0.5), returned(1)]
    assert journey(given, *history, as_of=1).scores == {"value": 2.0}


def test_an_undone_match_still_is_a_base_but_one_undone_on_arrival_is_not() -> None:
    leave: JsonValue = [{"rule": "faded", "after": "P5D", "to": "last", "without": ["bought"]}]
    given = document([stage("first", leave=leave), stage("last")], signals=undo_by("P10D"))
    undone = journey(given, touch("x", 0), bought(1), returned(2), as_of=50).transitions[-1]
    on_arrival = journey(given, returned(0), bought(1), as_of=50).transitions[-1]
    assert (undone.at, on_arrival.at) == (day(6), day(5))


def test_old_matches_count_again_when_newer_ones_are_undone() -> None:
    given = two_stages(
        {"all": [{"signal": "other"}, {"signal": "bought", "at_least": 2, "within": "P100D"}]},
        signals=undo_by("P10D"),
    )
    history = [bought(0, "a"), bought(1, "b")]
    history += [bought(20 + at, f"n{at}") for at in range(5)]
    history += [returned(28 + at / 10, f"n{at}", f"r{at}") for at in range(5)]
    assert stage_of(given, *history, touch("other", 30), as_of=30) == "second"


def test_different_values_count_over_live_matches_only() -> None:
    given = two_stages(
        {
            "all": [
                {"signal": "other"},
                {"signal": "bought", "at_least": 2, "distinct": "properties.sku", "within": "P30D"},
            ]
        },
        signals=undo_by("P10D"),
    )
    first = touch("bought", 0, "1", order="a", sku=1)
    again = touch("bought", 1, "2", order="b", sku=1)
    other = touch("bought", 2, "3", order="c", sku=2)
    asked = touch("other", 5)
    assert stage_of(given, first, again, other, asked, as_of=5) == "second"
    assert stage_of(given, first, again, other, returned(3, "b"), asked, as_of=5) == "second"
    assert stage_of(given, first, again, other, returned(3, "c"), asked, as_of=5) == "first"


def test_different_values_count_as_far_back_as_their_window_beyond_the_undo() -> None:
    given = two_stages(
        {"signal": "bought", "at_least": 3, "distinct": "properties.sku", "within": "P30D"},
        signals=undo_by("P10D"),
    )
    history = [touch("bought", at, order=str(at), sku=at) for at in (0, 12, 24)]
    assert stage_of(given, *history, as_of=24) == "second"


def test_a_sum_forgets_what_was_undone() -> None:
    given = two_stages(
        {
            "all": [
                {"signal": "other"},
                {"signal": "bought", "at_most": 0.3, "sum": "properties.value", "within": "P30D"},
            ]
        },
        signals=undo_by("P10D"),
    )
    history = [
        touch("bought", 0, "1", order="a", value=0.1),
        touch("bought", 1, "2", order="b", value=5),
        touch("bought", 2, "3", order="c", value=0.2),
    ]
    asked = touch("other", 5)
    assert stage_of(given, *history, asked, as_of=5) == "first"
    assert stage_of(given, *history, returned(3, "b"), asked, as_of=5) == "second"


def test_what_is_remembered_is_bounded_by_within() -> None:
    program = compiled(shop())
    folding = Fold(program)
    sizes = []
    for number in range(1000):
        folding.apply(bought(number, f"order {number}"))
        folding.apply(returned(number + 0.5, f"other {number}"))
        sizes.append(len(folding.freeze().encode()))
    assert max(sizes[500:]) <= max(sizes[20:40]) + 100


def test_a_snapshot_keeps_what_may_be_undone_and_what_waits() -> None:
    program = compiled(shop())
    history = [
        bought(0, "a"),
        bought(1, "b"),
        returned(2, "b"),
        returned(3, "w"),
        returned(3.5, "w"),
        bought(4, "w"),
        bought(4.5, "a"),
    ]
    later = [returned(5, "a"), bought(6, "w"), returned(7, "b"), bought(8, "b"), bought(9, "w")]
    whole = Fold(program)
    for touchpoint in history:
        whole.apply(touchpoint)
    frozen = whole.freeze()
    going = Fold(program, FoldState.decode(frozen.encode()))
    assert going.freeze() == frozen
    for touchpoint in later:
        whole.apply(touchpoint)
        going.apply(touchpoint)
        assert going.freeze() == whole.freeze()


def test_a_flood_of_undos_that_wait_is_worked_off_one_by_one() -> None:
    program = compiled(shop())
    folding = Fold(program)
    for number in range(20_000):
        folding.apply(returned(number / 1e6, "o", f"r{number}"))
    for number in range(20_000):
        folding.apply(bought(1 + number / 1e6, "o", f"b{number}"))
    assert folding.journey(day(2)).counts["bought"] == 0
    folding.apply(bought(3))
    assert folding.journey(day(3)).counts["bought"] == 1
