from shared.journey.fold import Fold
from shared.journey.program import MOST_REMEMBERED
from shared.touchpoints import JsonValue
from tests.fixtures.small_models import compiled, day, signals, stage_of, touch, two_stages


def test_a_flood_of_types_is_not_remembered_without_bound() -> None:
    program = compiled(two_stages({"signal": "a", "at_least": 2}))
    folding = Fold(program)
    folding.apply(touch("a", 0))
    for number in range(MOST_REMEMBERED + 10):
        folding.apply(touch(f"type {number}", 1 + number / 1e6, str(number)))
    folding.apply(touch("a", 2))
    assert program.shapes_known <= MOST_REMEMBERED
    journey = folding.journey(day(2))
    assert journey.stage is not None
    assert journey.stage.key == "second"


def test_what_a_shape_leaves_open_is_asked_of_each_touchpoint() -> None:
    big: JsonValue = {"match": {"type": "a", "where": {"properties.value": {"gt": 10}}}}
    given = two_stages({"signal": "big"}, signals=signals("a", "b", big=big))
    assert stage_of(given, touch("a", 1, value=1), touch("a", 2, value=10), as_of=3) == "first"
    assert stage_of(given, touch("a", 1, value=1), touch("a", 2, value=11), as_of=3) == "second"


def test_what_is_ignored_may_depend_on_properties() -> None:
    ignore: JsonValue = {"type": "mail", "where": {"properties.opened": {"ne": True}}}
    activity: JsonValue = {"ignore": ignore, "dormant_after": "P1D", "churned_after": "P2D"}
    given = two_stages({"signal": "a"}, activity=activity)
    assert stage_of(given, touch("mail", 1), as_of=1) is None
    assert stage_of(given, touch("mail", 1, opened=True), as_of=1) == "first"
