import pytest

from shared.journey.explain import Explanation, explain, explanation_document
from shared.journey.fold import Fold, in_order
from shared.touchpoints import JsonObject, JsonValue, Touchpoint
from tests.fixtures.small_models import compiled, day, document, stage, touch, with_traits


def explained(
    when: JsonValue, *touchpoints: Touchpoint, as_of: float, **rule: JsonValue
) -> Explanation:
    given = document(
        [stage("first"), stage("second", enter=[{"rule": "up", "when": when, **rule}])],
        scores={"heat": {"half_life": "P1D", "points": {"a": 4}}},
    )
    folding = Fold(compiled(given))
    for touchpoint in in_order(touchpoints):
        folding.apply(touchpoint)
    folding.advance(day(as_of))
    return explain(folding, day(as_of))


def figures(when: JsonValue, *touchpoints: Touchpoint, as_of: float) -> list[tuple[object, ...]]:
    (report,) = explained(when, *touchpoints, as_of=as_of).why_not
    return [(part.needed, part.have, part.holds, part.until) for part in report.conditions]


def test_why_is_the_move_that_led_to_the_present_stage() -> None:
    now = explained({"signal": "a"}, touch("x", 1), touch("a", 2), as_of=3)
    assert now.why is not None
    assert (now.why.rule, now.why.at) == ("up", day(2))
    assert now.why_not == ()


def test_why_not_goes_through_the_stages_of_higher_rank() -> None:
    stages: list[JsonValue] = [
        stage(key, enter=[{"rule": f"to_{key}", "when": {"signal": "a", "at_least": rank}}])
        for rank, key in enumerate(["second", "third", "fourth"], 1)
    ]
    folding = Fold(compiled(document([stage("first"), *stages])))
    nobody = explain(folding, day(0))
    assert [report.stage for report in nobody.why_not] == ["second", "third", "fourth"]
    folding.apply(touch("a", 1))
    somebody = explain(folding, day(1))
    assert [report.stage for report in somebody.why_not] == ["third", "fourth"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"signal": "a"}, (1, 0, False, None)),
        ({"signal": "a", "at_least": 5, "within": "P3D"}, (5, 2, False, day(5))),
        ({"signal": "a", "at_least": 5}, (5, 3, False, None)),
        ({"signal": "a", "at_most": 1}, (1, 3, False, None)),
        ({"signal": "a", "at_least": 3, "distinct": "properties.v"}, (3, 2, False, None)),
        ({"signal": "a", "sum": "properties.v", "at_least": 9}, (9, 5.0, False, None)),
        ({"score": "heat", "at_least": 7}, (7, 6.5, False, None)),
        ({"trait": "plan", "eq": "pro"}, ({"eq": "pro"}, "free", False, None)),
        ({"in_stage_for": "P9D"}, ("P9D", "P3D", False, None)),
        ({"activity": ["dormant"]}, (["dormant"], "active", False, None)),
        ({"reached": "second"}, ("second", False, False, None)),
        ({"reached": "first"}, ("first", True, True, None)),
        ({"any": [{"signal": "b", "at_most": 0}, {"signal": "c"}]}, (1, 1, True, None)),
        ({"not": {"signal": "a", "at_least": 1}}, (0, 1, False, None)),
    ],
)
def test_each_condition_says_what_it_needs_and_what_there_is(
    condition: JsonValue, expected: tuple[object, ...]
) -> None:
    when: JsonValue = {"all": [{"signal": "c"}, condition]}
    history = [with_traits(touch("a", 0, v=1), plan="free"), touch("a", 2, v=2), touch("a", 3, v=2)]
    assert figures(when, *history, as_of=3)[1] == expected


def test_a_rule_that_does_not_apply_here_says_where_it_does() -> None:
    (report,) = explained(
        {"signal": "a", "at_least": 1}, touch("x", 1), as_of=1, **{"from": ["none"]}
    ).why_not
    first = report.conditions[0]
    assert (first.condition, first.have, first.holds) == ({"from": ["none"]}, "first", False)


def test_a_group_shows_its_parts() -> None:
    when: JsonValue = {"any": [{"signal": "a", "at_least": 2}, {"signal": "b", "at_least": 3}]}
    (report,) = explained(when, touch("a", 1), as_of=1).why_not
    (group,) = report.conditions
    assert [part.have for part in group.parts] == [1, 0]


def test_an_explanation_is_written_as_json_and_as_sentences() -> None:
    when: JsonObject = {"signal": "a", "at_least": 2, "within": "P14D"}
    now = explained({"all": [when, {"reached": "first"}]}, touch("a", 1), as_of=1)
    written = explanation_document(now)
    assert written["why_not"] == [
        {
            "stage": "second",
            "rule": "up",
            "conditions": [
                {
                    "condition": when,
                    "needed": 2,
                    "have": 1,
                    "holds": False,
                    "until": "2026-01-16T00:00:00Z",
                },
                {
                    "condition": {"reached": "first"},
                    "needed": "first",
                    "have": True,
                    "holds": True,
                    "until": None,
                },
            ],
        }
    ]
    assert written["text"] == [
        "In First since 2026-01-02T00:00:00Z by rule start; decided by test/a@1.",
        "second (up) needs at least 2 a within P14D (has 1).",
        "Without a touchpoint, dormant at 2028-09-28T00:00:00Z by dormant_after.",
    ]


def test_sentences_say_figures_only_where_something_is_counted() -> None:
    when: JsonValue = {
        "all": [{"signal": "a"}, {"trait": "plan", "in": ["pro"]}, {"score": "heat", "at_least": 9}]
    }
    (_, sentence, _) = explained(when, touch("x", 1), as_of=1).text
    assert sentence == (
        'second (up) needs a touchpoint that is a; a trait plan that is one of ["pro"]; '
        "a score heat of at least 9 (has 0.0)."
    )


def test_a_stage_that_time_led_to_says_since_when_it_was_due() -> None:
    leaving: JsonValue = [{"rule": "on", "after": "P2D", "to": "second"}]
    folding = Fold(compiled(document([stage("first", leave=leaving), stage("second")])))
    folding.apply(touch("x", 0))
    folding.advance(day(2))
    assert explain(folding, day(2)).text[0] == (
        "In Second since 2026-01-03T00:00:00Z by rule on: P2D passed since 2026-01-01T00:00:00Z."
    )


def test_a_rule_that_holds_by_now_waits_for_a_touchpoint() -> None:
    when: JsonValue = {"any": [{"signal": "a"}, {"signal": "b", "at_most": 0, "within": "P1D"}]}
    given: JsonValue = {"all": [{"signal": "c", "at_least": 1}, when]}
    (_, sentence, _) = explained(given, touch("b", 0), touch("c", 0.5), as_of=2).text
    assert sentence == "second (up): holds, but only a touchpoint can decide it."


def test_without_a_touchpoint_there_is_no_why() -> None:
    nobody = explained({"signal": "a"}, as_of=1)
    assert explanation_document(nobody)["why"] is None
    assert "no stage" in nobody.text[0]


def test_explaining_changes_nothing() -> None:
    folding = Fold(compiled(document([stage("first")])))
    folding.apply(touch("a", 1))
    before = folding.freeze()
    explain(folding, day(5))
    assert folding.freeze() == before
