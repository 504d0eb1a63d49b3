import pytest

from shared.journey.fold import Fold, FoldState
from shared.touchpoints import JsonObject
from tests.fixtures.small_models import compiled, day, touch, two_stages, with_traits

RICH: JsonObject = two_stages(
    {
        "all": [
            {"signal": "a", "at_least": 9, "within": "P30D"},
            {"signal": "b", "at_least": 3, "distinct": "properties.sku", "within": "P30D"},
            {"signal": "b", "at_least": 3, "sum": "properties.v", "within": "P30D"},
            {"score": "heat", "at_least": 100},
        ]
    },
    scores={"heat": {"half_life": "P7D", "points": {"a": 1}}},
)


def folded(count: int) -> Fold:
    folding = Fold(compiled(RICH))
    for number in range(count):
        folding.apply(touch("ab"[number % 2], number, f"e{number:06}", sku=number, v=0.1))
    return folding


def test_a_snapshot_is_the_same_after_encoding_and_after_thawing() -> None:
    state = folded(50).freeze()
    assert FoldState.decode(state.encode()) == state
    assert Fold(compiled(RICH), state).freeze() == state


def test_a_snapshot_does_not_change_when_the_fold_goes_on() -> None:
    folding = folded(10)
    folding.apply(with_traits(touch("x", 20), plan="pro"))
    state = folding.freeze()
    before = state.encode()
    folding.apply(with_traits(touch("a", 21), plan="free"))
    folding.advance(day(5000))
    assert state.encode() == before


def test_advancing_in_steps_or_at_once_gives_the_same_snapshot() -> None:
    steps, at_once = folded(10), folded(10)
    for at in (11, 500, 1009, 1500, 3000):
        steps.advance(day(at))
    at_once.advance(day(3000))
    assert steps.freeze() == at_once.freeze()
    assert steps.moves == at_once.moves


def test_a_snapshot_knows_which_deadlines_were_run() -> None:
    folding = folded(10)
    folding.advance(day(1500))
    going = Fold(compiled(RICH), folding.freeze())
    assert not going.follows(touch("x", 1000))
    assert going.follows(touch("x", 1500))


def test_a_trait_that_was_unset_is_not_remembered() -> None:
    folding = Fold(compiled(RICH))
    folding.apply(with_traits(touch("x", 0), plan="pro", seats=2))
    folding.apply(with_traits(touch("x", 1), plan=None))
    assert folding.freeze().traits == {"seats": 2}


def test_the_size_of_a_snapshot_is_bounded_by_the_model() -> None:
    assert len(folded(5000).freeze().encode()) <= len(folded(100).freeze().encode()) + 64


def test_a_customer_of_one_touchpoint_is_small() -> None:
    assert len(folded(1).freeze().encode()) < 300


def test_a_snapshot_of_another_version_is_refused() -> None:
    other = compiled(RICH | {"key": "other"})
    with pytest.raises(ValueError, match="another version"):
        Fold(other, folded(1).freeze())


@pytest.mark.parametrize("data", [b"", b"\x00", b"nonsense"])
def test_what_is_no_snapshot_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        FoldState.decode(data)
