"""What histories show of a stage model, in counts."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.journey.fold import fold, in_order
from shared.journey.observing import MOST_TYPES, OTHERS, Observations, Observer, Seen
from shared.touchpoints import Touchpoint
from tests.fixtures.small_models import compiled, day, document, signals, stage, touch, two_stages
from tests.reference.engine import program_of
from tests.strategies.journeys import Case, cases, histories

TWICE = two_stages({"signal": "a", "at_least": 2, "within": "P10D"})


def observed(given: dict[str, object], *people: list[Touchpoint], as_of: float) -> Observations:
    observer = Observer(compiled(given), day(as_of))
    for history in people:
        observer.take(in_order(history))
        observer.end_customer()
    return observer.end()


def test_types_are_counted_with_their_customers_and_channels() -> None:
    seen = observed(TWICE, [touch("a", 1), touch("x", 2), touch("x", 3)], [touch("x", 4)], as_of=9)
    assert (seen.customers, seen.touchpoints) == (2, 4)
    x = seen.types["x"]
    assert (x.touchpoints, x.customers, x.matched, x.alive, x.channels) == (3, 2, 0, 3, {"web": 3})
    assert seen.types["a"].matched == 1
    assert (seen.first_at, seen.last_at) == ("2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z")


def test_counts_tell_how_far_customers_ever_got_within_the_window() -> None:
    steady = [touch("a", 1), touch("a", 2), touch("a", 3)]
    slow = [touch("a", 1), touch("a", 30), touch("a", 35)]
    once = [touch("a", 1)]
    [count] = observed(TWICE, steady, slow, once, as_of=90).counts
    assert (count.rule, count.signal, count.within, count.needed) == (
        "enter_second",
        "a",
        "P10D",
        2,
    )
    assert count.reached[:4] == (3, 2, 1, 0)


def test_a_window_ends_where_the_model_says_it_does() -> None:
    edge = [touch("a", 1), touch("a", 11)]
    inside = [touch("a", 1), touch("a", 10.99)]
    [count] = observed(TWICE, edge, as_of=90).counts
    assert count.reached[:2] == (1, 0)
    [count] = observed(TWICE, inside, as_of=90).counts
    assert count.reached[:2] == (1, 1)


def test_pauses_lie_between_signs_of_life() -> None:
    ignoring = {
        **TWICE,
        "activity": {
            "dormant_after": "P1000D",
            "churned_after": "P2000D",
            "ignore": {"type": "mail"},
        },
    }
    history = [touch("a", 0), touch("a", 0.5), touch("mail", 2), touch("b", 4), touch("c", 5.5)]
    assert observed(ignoring, history, [touch("a", 9)], as_of=90).pauses == {3: 1, 1: 1}


def test_nothing_later_than_asked_is_seen() -> None:
    seen = observed(TWICE, [touch("a", 1), touch("a", 2)], [touch("a", 8)], as_of=5)
    assert (seen.customers, seen.touchpoints) == (1, 2)


def test_senders_cannot_make_up_any_number_of_types() -> None:
    history = [touch(f"t{number}", number / 10_000) for number in range(MOST_TYPES + 7)]
    seen = observed(TWICE, history, as_of=9)
    assert len(seen.types) == MOST_TYPES + 1
    assert seen.types[OTHERS].touchpoints == 7


def test_only_plain_counts_of_rules_that_let_customers_in_are_told() -> None:
    rules = [
        {"rule": "sums", "when": {"signal": "a", "sum": "properties.v", "at_least": 2}},
        {"rule": "values", "when": {"signal": "a", "distinct": "properties.v", "at_least": 2}},
        {
            "rule": "counts",
            "when": {"all": [{"signal": "b", "at_least": 3}, {"signal": "c", "at_most": 1}]},
        },
    ]
    given_ = document(
        [stage("first"), stage("second", enter=rules)], signals=signals("a", "b", "c")
    )
    assert [count.rule for count in observed(given_, as_of=9).counts] == ["counts"]


@given(cases(), st.lists(histories(), max_size=4), st.integers(1, 4))
def test_rules_fire_as_often_as_journeys_move_by_them(
    case: Case, crowd: list[list[Touchpoint]], size: int
) -> None:
    program = program_of(case.document)
    observer = Observer(program, case.as_of)
    for history in crowd:
        ordered = in_order(history)
        for start in range(0, len(ordered), size):
            observer.take(ordered[start : start + size])
        observer.end_customer()
    seen = observer.end()
    fired: Counter[str] = Counter()
    moved: Counter[str] = Counter()
    for history in crowd:
        moves = fold(program, history, case.as_of).transitions
        rules = [move.rule for move in moves if move.axis == "stage"]
        fired.update(rules)
        moved.update(set(rules))
    names = {rule.name for _, rule in program.model.rules()}
    assert seen.rules == {name: Seen(fired[name], moved[name]) for name in names}
    counted = [one for history in crowd for one in history if one.at <= case.as_of]
    assert seen.touchpoints == len(counted) == sum(one.touchpoints for one in seen.types.values())
    assert seen.customers == sum(any(one.at <= case.as_of for one in each) for each in crowd)
    for count in seen.counts:
        assert list(count.reached) == sorted(count.reached, reverse=True)
        assert count.reached[0] <= seen.signals[count.signal].customers
