import pytest

from shared.journey.bundled import BUNDLED, bundled_model
from shared.journey.lint import lint, lint_on_data
from shared.journey.loading import load_model
from shared.touchpoints import JsonObject, JsonValue
from tests.fixtures.small_models import compiled, day, document, loaded, signals, stage, touch


def found(given: JsonObject, code: str) -> list[str]:
    return [warning.path for warning in lint(loaded(given)) if warning.code == code]


def enter(name: str, when: JsonValue, **parts: JsonValue) -> JsonObject:
    return {"rule": name, "when": when, **parts}


def leave(name: str, after: str, to: str = "first", **parts: JsonValue) -> JsonObject:
    return {"rule": name, "after": after, "to": to, **parts}


def second(
    *rules: JsonValue, leaving: tuple[JsonValue, ...] = (), **parts: JsonValue
) -> JsonObject:
    own: JsonObject = {"leave": list(leaving)} if leaving else {}
    return document([stage("first"), stage("second", enter=list(rules), **own)], **parts)


@pytest.mark.parametrize("key", BUNDLED)
def test_bundled_models_are_free_of_warnings(key: str) -> None:
    assert lint(load_model(bundled_model(key))) == ()


def test_a_stage_that_nothing_enters() -> None:
    given = document([stage("first"), stage("second")])
    assert found(given, "unreachable_stage") == ["stages[1]"]
    led = document([stage("first", leave=[leave("on", "P1D", "second")]), stage("second")])
    assert found(led, "unreachable_stage") == []


def test_a_stage_that_nothing_leaves_and_is_not_terminal() -> None:
    up = enter("up", {"signal": "a"})
    assert found(second(up), "no_exit") == ["stages[1]"]
    assert found(second(up, leaving=(leave("off", "P1D"),)), "no_exit") == []
    ending = document([stage("first"), stage("second", enter=[up], terminal=True)])
    assert found(ending, "no_exit") == []
    restart: JsonValue = {"restart": [{"rule": "r", "when": {"signal": "b"}, "to": "first"}]}
    assert found(second(up, cycle=restart), "no_exit") == []


def test_a_signal_that_no_rule_uses() -> None:
    undone: JsonValue = {
        "match": {"type": "a"},
        "undone_by": {"signal": "b", "same": "properties.x", "within": "P1D"},
    }
    given = second(
        enter("up", {"any": [{"signal": "a"}, {"score": "heat", "at_least": 1}]}),
        leaving=(leave("off", "P1D", without=["e"]),),
        signals=signals("b", "d", "e", "lonely", "pointed", a=undone),
        scores={
            "heat": {"half_life": "P1D", "points": {"d": 1}},
            "cold": {"half_life": "P1D", "points": {"pointed": 1}},
        },
    )
    assert found(given, "unused_signal") == ["signals.lonely", "signals.pointed"]


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({"signal": "a"}, {"signal": "a"}),
        ({"signal": "a"}, {"all": [{"signal": "b", "at_least": 1}, {"signal": "a"}]}),
        ({"any": [{"signal": "a"}, {"signal": "b"}]}, {"signal": "b"}),
        ({"signal": "a", "at_least": 1}, {"signal": "a"}),
        ({"signal": "a", "at_least": 2}, {"signal": "a", "at_least": 3, "within": "P9D"}),
        (
            {"signal": "a", "at_least": 2, "within": "P9D"},
            {"signal": "a", "at_least": 2, "within": "P8D"},
        ),
        (
            {"all": [{"signal": "a"}, {"signal": "b", "at_most": 3}]},
            {"all": [{"signal": "a"}, {"signal": "b", "at_most": 2}]},
        ),
    ],
)
def test_a_rule_that_an_earlier_one_always_beats(first: JsonValue, later: JsonValue) -> None:
    given = second(enter("one", first), enter("two", later))
    assert found(given, "always_beaten") == ["stages[1].enter[1]"]


@pytest.mark.parametrize(
    ("first", "later", "parts"),
    [
        ({"signal": "a"}, {"signal": "b"}, {}),
        ({"signal": "a", "at_least": 3}, {"signal": "a", "at_least": 2}, {}),
        (
            {"signal": "a", "at_least": 2, "within": "P8D"},
            {"signal": "a", "at_least": 2, "within": "P9D"},
            {},
        ),
        ({"signal": "a"}, {"signal": "a", "at_least": 1}, {}),
        (
            {"signal": "a", "at_least": 1},
            {"all": [{"signal": "b"}, {"signal": "a", "at_least": 1}]},
            {},
        ),
        ({"signal": "a"}, {"any": [{"signal": "a"}, {"signal": "b"}]}, {}),
        ({"signal": "a"}, {"signal": "a"}, {"from": ["none"]}),
        (
            {"all": [{"signal": "a"}, {"signal": "b", "at_most": 2}]},
            {"all": [{"signal": "a"}, {"signal": "b", "at_most": 3}]},
            {},
        ),
    ],
)
def test_a_rule_that_may_decide_alone_is_left_in_peace(
    first: JsonValue, later: JsonValue, parts: JsonObject
) -> None:
    given = second(enter("one", first, **parts), enter("two", later))
    assert found(given, "always_beaten") == []


def test_a_rule_of_a_lower_stage_may_be_beaten_by_one_of_a_higher() -> None:
    given = document(
        [
            stage("first"),
            stage("second", enter=[enter("low", {"signal": "a"})]),
            stage("third", enter=[enter("high", {"signal": "a"})]),
        ]
    )
    assert found(given, "always_beaten") == ["stages[1].enter[0]"]


@pytest.mark.parametrize(
    ("first", "later", "warned"),
    [
        (leave("one", "P2D"), leave("two", "P3D"), ["stages[1].leave[1]"]),
        (leave("one", "P3D"), leave("two", "P2D"), ["stages[1].leave[0]"]),
        (leave("one", "P2D"), leave("two", "P2D"), ["stages[1].leave[1]"]),
        (leave("one", "P2D"), leave("two", "P3D", idle=True), ["stages[1].leave[1]"]),
        (leave("one", "P2D", without=["a"]), leave("two", "P3D"), []),
        (
            leave("one", "P2D", without=["a"]),
            leave("two", "P3D", without=["b", "a"]),
            ["stages[1].leave[1]"],
        ),
        (leave("one", "P2D", idle=True), leave("two", "P3D", without=["a"]), []),
        (leave("one", "P2D", when={"reached": "first"}), leave("two", "P3D"), []),
    ],
)
def test_a_leave_rule_that_another_always_forestalls(
    first: JsonValue, later: JsonValue, warned: list[str]
) -> None:
    given = second(enter("up", {"signal": "a"}), leaving=(first, later))
    assert found(given, "never_due") == warned


def test_a_leave_rule_with_a_condition_and_none_beside_it() -> None:
    asked = leave("asked", "P1D", when={"reached": "first"})
    up = enter("up", {"signal": "a"})
    assert found(second(up, leaving=(asked,)), "may_be_spent") == ["stages[1].leave[0].when"]
    assert found(second(up, leaving=(asked, leave("last", "P9D"))), "may_be_spent") == []


def test_a_from_that_names_its_own_stage() -> None:
    given = second(enter("up", {"signal": "a"}, **{"from": ["first", "second"]}))
    assert found(given, "own_stage_in_from") == ["stages[1].enter[0].from"]


def test_what_grows_with_the_history() -> None:
    undone: JsonValue = {
        "match": {"type": "a", "where": {"properties.id": {"exists": True}}},
        "undone_by": {"signal": "b", "same": "properties.id"},
    }
    given = second(
        enter("one", {"signal": "a", "at_least": 2, "distinct": "properties.x"}),
        enter("two", {"signal": "a", "at_least": 2, "sum": "properties.x"}),
        enter("three", {"signal": "a", "at_least": 2, "distinct": "properties.x", "within": "P1D"}),
        signals=signals("b", a=undone),
    )
    assert found(given, "unbounded") == [
        "signals.a.undone_by",
        "stages[1].enter[0].when",
        "stages[1].enter[1].when",
    ]


@pytest.mark.parametrize(
    ("match", "warned"),
    [
        ({"type": "a"}, True),
        ({"where": {"properties.id": {"exists": True}}}, False),
        ({"any": [{"type": "a"}, {"where": {"properties.id": {"prefix": "o"}}}]}, False),
        ({"where": {"properties.id": {"ne": 1}}}, True),
        ({"where": {"properties.id": {"exists": False}}}, True),
        ({"type": "a", "not": {"where": {"properties.id": {"exists": True}}}}, True),
    ],
)
def test_an_undo_by_a_value_that_the_matcher_never_requires(
    match: JsonValue, *, warned: bool
) -> None:
    undone: JsonValue = {
        "match": match,
        "undone_by": {"signal": "b", "same": "properties.id", "within": "P1D"},
    }
    given = second(enter("up", {"signal": "a"}), signals=signals("b", a=undone))
    paths = ["signals.a.undone_by.same"] if warned else []
    assert found(given, "undo_path_not_required") == paths


def test_data_shows_what_never_happened() -> None:
    given = second(
        enter("up", {"signal": "a"}),
        enter("never", {"signal": "c"}),
        leaving=(leave("off", "P5D"),),
        activity={"ignore": {"type": "sent"}, "dormant_after": "P9D", "churned_after": "P10D"},
    )
    histories = [[touch("a", 1), touch("odd", 2)], [touch("b", 1), touch("sent", 3)]]
    warnings = lint_on_data(compiled(given), histories, day(4))
    assert [(warning.code, warning.path) for warning in warnings] == [
        ("never_matched", "signals.c"),
        ("never_fired", "stages[1].enter[1]"),
        ("never_fired", "stages[1].leave[0]"),
        ("unknown_type", "signals"),
    ]
    assert "'odd'" in warnings[-1].message
    later = lint_on_data(compiled(given), histories, day(6))
    assert "stages[1].leave[0]" not in [warning.path for warning in later]


def test_warnings_stand_in_the_order_of_the_document() -> None:
    stages: list[JsonValue] = [stage(f"s{number}") for number in range(12)]
    given = document(stages, start="s0")
    paths = [warning.path for warning in lint(loaded(given)) if warning.code == "no_exit"]
    assert paths == [f"stages[{number}]" for number in range(12)]
