from itertools import islice

import pytest

from shared.journey.histories import History
from shared.journey.matchers import reader_of
from shared.journey.needs import DistinctNeed, Needs
from shared.journey.situation import Situation
from shared.touchpoints import JsonValue
from tests.fixtures.small_models import touch

SKU = ("properties", "sku")


def history(newest: int, values: int = 0) -> History:
    need = DistinctNeed(SKU, reader_of(SKU), values)
    return History(Needs(newest=newest, distinct=(need,) if values else ()))


def add(to: History, at: float, sku: JsonValue = None) -> None:
    to.add(touch("a", at, sku=sku), {})


def test_all_are_counted_and_the_newest_few_remembered() -> None:
    matches = history(2)
    for at in range(5):
        add(matches, at)
    assert matches.count == 5
    assert [seen.event_id for seen in matches.newest_first()] == ["a@4", "a@3"]
    assert matches.last is not None
    assert matches.last.event_id == "a@4"


def test_the_nth_is_counted_from_the_newest() -> None:
    matches = history(3)
    add(matches, 1)
    add(matches, 2)
    found = [matches.nth(number) for number in (1, 2, 3)]
    assert [seen and seen.event_id for seen in found] == ["a@2", "a@1", None]


def test_nothing_is_remembered_that_nothing_asks_for() -> None:
    matches = history(0)
    add(matches, 1)
    assert (matches.count, matches.last, matches.nth(1)) == (1, None, None)


def test_the_latest_match_of_the_newest_values_is_remembered() -> None:
    matches = history(0, values=2)
    for at, sku in enumerate([1, 2, 1.0, None, 3, "1"]):
        add(matches, at, sku)
    assert [seen.event_id for seen in matches.values_newest_first(SKU)] == ["a@5", "a@4"]


def test_what_no_rule_asks_for_has_no_sum_and_no_values() -> None:
    matches = history(1)
    with pytest.raises(KeyError):
        matches.sum_of(SKU, None)
    assert list(islice(matches.values_newest_first(SKU), 1)) == []


def test_only_a_signal_with_an_undo_has_an_undoable_history() -> None:
    situation = Situation((Needs(newest=1),), scores=0)
    assert situation.history(0).count == 0
    with pytest.raises(TypeError, match="nothing undoes"):
        situation.undoable(0)
