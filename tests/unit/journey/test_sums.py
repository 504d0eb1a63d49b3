from decimal import Decimal

import pytest

from shared.instants import DAY, Micros
from shared.journey.matchers import reader_of
from shared.journey.needs import SumNeed
from shared.journey.sums import FINAL, RunningSum
from shared.touchpoints import JsonValue, Place
from tests.fixtures.small_models import day, touch

PATH = ("properties", "value")


def running(within: Micros | None, keep_for: Micros | None = FINAL) -> RunningSum:
    return RunningSum(SumNeed(PATH, reader_of(PATH), within), keep_for)


def add(to: RunningSum, at: float, value: JsonValue) -> Place:
    seen = touch("a", at)
    to.add(seen, value)
    return seen.place


def test_a_sum_is_exact_in_what_is_written() -> None:
    total = running(None)
    for at, value in enumerate([0.1, 0.2, 1e300, 2**62, -1e300]):
        add(total, at, value)
    assert total.at(day(9)) == Decimal("0.3") + 2**62


@pytest.mark.parametrize("value", [None, True, "5", [5]])
def test_what_is_no_number_adds_nothing(value: JsonValue) -> None:
    total = running(None)
    add(total, 0, value)
    assert total.at(day(0)) == 0
    assert list(total.newest_first(day(0))) == []


def test_a_number_counts_until_it_is_as_old_as_the_window() -> None:
    total = running(2 * DAY)
    add(total, 0, 5)
    add(total, 1, 7)
    assert [total.at(day(at)) for at in (1, 1.999, 2, 2.999, 3)] == [12, 12, 7, 7, 0]


def test_asking_about_a_later_time_forgets_nothing() -> None:
    total = running(2 * DAY)
    add(total, 0, 5)
    assert total.at(day(100)) == 0
    assert total.at(day(1)) == 5


def test_a_match_taken_back_is_subtracted_once() -> None:
    total = running(10 * DAY, keep_for=10 * DAY)
    five = add(total, 0, 5)
    add(total, 1, 7)
    total.take_back(five)
    total.take_back(five)
    assert total.at(day(1)) == 7


def test_a_match_that_fell_out_of_the_window_is_not_subtracted_again() -> None:
    total = running(2 * DAY, keep_for=10 * DAY)
    five = add(total, 0, 5)
    add(total, 3, 7)
    total.take_back(five)
    assert total.at(day(3)) == 7


def test_over_all_time_only_the_newest_five_are_remembered() -> None:
    total = running(None)
    for at in range(100):
        add(total, at, 1)
    assert total.at(day(100)) == 100
    assert [seen.at for seen in total.newest_first(day(100))] == [
        day(at) for at in (99, 98, 97, 96, 95)
    ]


def test_over_all_time_what_may_be_undone_is_remembered_beside_the_newest_five() -> None:
    total = running(None, keep_for=3 * DAY)
    for at in range(100):
        add(total, at, 1)
    assert len(total.numbers) == 4 + 5


def test_a_frozen_sum_goes_on_as_it_was() -> None:
    total, again = running(5 * DAY), running(5 * DAY)
    for at, value in enumerate([0.1, 1e-7, 12345678901234567890]):
        add(total, at, value)
    again.thaw(total.freeze())
    assert again.freeze() == total.freeze()
    assert [again.at(day(at)) for at in (2, 5, 6)] == [total.at(day(at)) for at in (2, 5, 6)]
