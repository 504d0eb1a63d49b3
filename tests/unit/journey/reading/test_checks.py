import pytest

from shared.errors import ModelRefused
from shared.touchpoints import JsonObject, JsonValue
from tests.fixtures.small_models import document, loaded, signals, stage, two_stages

SCORES: JsonObject = {
    "up": {"half_life": "P1D", "points": {"a": 1}},
    "down": {"half_life": "P1D", "points": {"a": -1}},
}


def refusals(given: JsonObject) -> list[tuple[str, str]]:
    with pytest.raises(ModelRefused) as caught:
        loaded(given)
    return [(fault.path, fault.code) for fault in caught.value.faults]


@pytest.mark.parametrize(
    "when",
    [
        {"signal": "a", "at_most": 1},
        {"not": {"signal": "a"}},
        {"trait": "plan", "eq": "pro"},
        {"score": "down", "at_least": 0},
        {"score": "up", "at_most": 3},
        {"signal": "a", "sum": "properties.x", "at_most": 3},
        {"all": [{"reached": "first"}, {"activity": ["churned"]}, {"in_stage_for": "P1D"}]},
    ],
)
def test_a_rule_that_no_touchpoint_triggers_is_refused(when: JsonValue) -> None:
    assert refusals(two_stages(when, scores=SCORES)) == [("stages[1].enter[0].when", "no_trigger")]


@pytest.mark.parametrize(
    "when",
    [
        {"signal": "a"},
        {"signal": "a", "at_least": 2},
        {"signal": "a", "at_least": 2, "distinct": "properties.x"},
        {"signal": "a", "sum": "properties.x", "at_least": 3},
        {"score": "up", "at_least": 3},
        {"any": [{"reached": "first"}, {"all": [{"signal": "a"}]}]},
    ],
)
def test_a_rule_with_a_trigger_anywhere_outside_of_not_loads(when: JsonValue) -> None:
    assert len(loaded(two_stages(when, scores=SCORES)).stages) == 2


def test_a_restart_rule_needs_a_trigger_too() -> None:
    restart: JsonValue = [{"rule": "again", "when": {"activity": ["churned"]}, "to": "first"}]
    given = two_stages({"signal": "a"}, cycle={"restart": restart})
    assert refusals(given) == [("cycle.restart[0].when", "no_trigger")]


def test_a_rule_name_stands_only_once_in_a_document() -> None:
    leave: JsonValue = [{"rule": "enter_second", "after": "P1D", "to": "second"}]
    second = stage("second", enter=[{"rule": "enter_second", "when": {"signal": "a"}}])
    restart: JsonValue = [{"rule": "enter_second", "when": {"signal": "a"}, "to": "first"}]
    given = document([stage("first", leave=leave), second], cycle={"restart": restart})
    assert refusals(given) == [
        ("stages[1].enter[0].rule", "duplicate_rule"),
        ("cycle.restart[0].rule", "duplicate_rule"),
    ]


def undone(signal: str) -> JsonObject:
    return {
        "match": {"type": "a"},
        "undone_by": {"signal": signal, "same": "properties.id", "within": "P1D"},
    }


def test_a_signal_cannot_undo_itself() -> None:
    given = two_stages({"signal": "a"}, signals=signals("b", a=undone("a")))
    assert refusals(given) == [("signals.a.undone_by.signal", "bad_undo")]


def test_a_signal_that_undoes_has_no_undone_by_of_its_own() -> None:
    given = two_stages({"signal": "a"}, signals=signals("c", a=undone("b"), b=undone("c")))
    assert refusals(given) == [("signals.a.undone_by.signal", "bad_undo")]


def test_a_signal_with_negative_points_cannot_be_undone() -> None:
    given = two_stages({"signal": "a"}, signals=signals("b", a=undone("b")), scores=SCORES)
    assert refusals(given) == [("signals.a.undone_by", "negative_points")]


def test_leave_rules_in_a_circle_are_refused_with_the_circle_named() -> None:
    def leads(to: str) -> JsonValue:
        return [{"rule": f"to_{to}", "after": "P1D", "to": to, "when": {"reached": "first"}}]

    stages: list[JsonValue] = [
        stage("first"),
        stage("a", leave=leads("b")),
        stage("b", leave=leads("c")),
        stage("c", leave=leads("a")),
    ]
    with pytest.raises(ModelRefused) as caught:
        loaded(document(stages))
    (fault,) = caught.value.faults
    assert (fault.path, fault.code) == ("stages[3].leave[0].to", "circle")
    assert "a -> b -> c -> a" in fault.message


def test_leave_rules_that_meet_again_are_no_circle() -> None:
    stages: list[JsonValue] = [
        stage("first"),
        stage("a", leave=[{"rule": "a_first", "after": "P1D", "to": "first"}]),
        stage("b", leave=[{"rule": "b_first", "after": "P1D", "to": "first"}]),
        stage(
            "c",
            leave=[
                {"rule": "c_a", "after": "P2D", "to": "a"},
                {"rule": "c_b", "after": "P1D", "to": "b"},
            ],
        ),
    ]
    assert len(loaded(document(stages)).stages) == 4
