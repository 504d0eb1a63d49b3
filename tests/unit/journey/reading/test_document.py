import json
from collections.abc import Callable
from copy import deepcopy
from typing import cast

import pytest

from shared.errors import Fault, ModelRefused
from shared.journey.loading import load_model
from shared.touchpoints import JsonObject, JsonValue
from tests.fixtures.small_models import document, loaded, signals, stage, two_stages

FULL: JsonObject = two_stages(
    {"all": [{"signal": "a"}, {"trait": "plan", "eq": "pro"}, {"score": "heat", "at_least": 2}]},
    scores={"heat": {"half_life": "P7D", "points": {"a": 1, "b": -1}}},
    signals=signals(
        "b", "c", a={"match": {"type": "a"}, "undone_by": {"signal": "c", "same": "properties.id"}}
    ),
    cycle={"restart": [{"rule": "again", "when": {"signal": "b"}, "to": "first"}]},
    lineage={"old": ["first", "second"]},
    examples=[
        {
            "name": "nothing yet",
            "given": [{"at": "2026-01-01T00:00:00Z", "type": "x", "channel": "web"}],
            "expect": [{"at": "2025-01-01T00:00:00Z", "stage": None, "activity": None, "cycle": 1}],
        }
    ],
)


def faults_after(change: Callable[[JsonObject], None], given: JsonObject = FULL) -> list[Fault]:
    changed = deepcopy(given)
    change(changed)
    with pytest.raises(ModelRefused) as caught:
        load_model(json.dumps(changed))
    return list(caught.value.faults)


def put(path: str, value: object) -> Callable[[JsonObject], None]:
    """Return what puts *value* at *path*, whose steps are parted by blanks."""

    def change(given: JsonObject) -> None:
        *outer, last = path.split()
        place: object = given
        for step in outer:
            place = place[int(step)] if isinstance(place, list) else cast("JsonObject", place)[step]
        if isinstance(place, list):
            place[int(last)] = value
        else:
            cast("JsonObject", place)[last] = value

    return change


def test_the_document_that_these_tests_change_loads() -> None:
    assert loaded(FULL).key == "small"


RULE = "stages[1].enter[0]"
IN_RULE = "stages 1 enter 0"


@pytest.mark.parametrize(
    ("where", "value", "path", "code"),
    [
        ("format", 2, "format", "bad_format"),
        ("format", True, "format", "bad_format"),
        ("entity", "account", "entity", "not_supported"),
        ("entity", "robot", "entity", "wrong_type"),
        ("key", "Big", "key", "bad_key"),
        ("key", "a" * 65, "key", "bad_key"),
        ("title", 3, "title", "wrong_type"),
        ("surprise", 1, "surprise", "unknown_key"),
        ("signals", {}, "signals", "empty"),
        ("signals a", {"match": {}}, "signals.a.match", "empty"),
        ("signals a match type", [], "signals.a.match.type", "empty"),
        ("signals a match channel", "phone", "signals.a.match.channel", "unknown_channel"),
        ("signals a match where", {"value": {"eq": 1}}, "signals.a.match.where.value", "bad_path"),
        (
            "signals a match where",
            {"properties.a": {"eq": None}},
            'signals.a.match.where["properties.a"].eq',
            "wrong_type",
        ),
        (
            "signals a match where",
            {"properties.a": {"gt": True}},
            'signals.a.match.where["properties.a"].gt',
            "wrong_type",
        ),
        (
            "signals a match where",
            {"properties..a": {"in": [1]}},
            'signals.a.match.where["properties..a"]',
            "bad_path",
        ),
        (
            "signals a match where",
            {"properties.a": {"in": []}},
            'signals.a.match.where["properties.a"].in',
            "empty",
        ),
        (
            "signals a match where",
            {"properties.a": {"matches": ".*"}},
            'signals.a.match.where["properties.a"].matches',
            "unknown_key",
        ),
        ("signals Bad", {"match": {"type": "x"}}, "signals.Bad", "bad_key"),
        ("signals a undone_by signal", "x", "signals.a.undone_by.signal", "unknown_signal"),
        ("signals a undone_by within", "P1M", "signals.a.undone_by.within", "bad_duration"),
        ("scores heat points", {"x": 1}, "scores.heat.points.x", "unknown_signal"),
        ("scores heat points", {"a": 1e16}, "scores.heat.points.a", "bad_number"),
        ("scores heat half_life", "P0D", "scores.heat.half_life", "bad_duration"),
        ("activity churned_after", "P1000D", "activity.churned_after", "bad_duration"),
        ("activity", {"dormant_after": "P1D"}, "activity.churned_after", "missing"),
        ("start", "third", "start", "unknown_stage"),
        ("stages", [], "stages", "empty"),
        ("stages 0 key", "none", "stages[0].key", "bad_key"),
        ("stages 0 key", "second", "stages[1]", "duplicate_key"),
        ("stages 0 role", "idle", "stages[0].role", "unknown_role"),
        ("stages 0 terminal", True, "start", "terminal_start"),
        ("stages 0 enter", [], "stages[0].enter", "empty"),
        (f"{IN_RULE} rule", "Big Rule", f"{RULE}.rule", "bad_key"),
        (f"{IN_RULE} from", ["third"], f"{RULE}.from[0]", "unknown_stage"),
        (f"{IN_RULE} from", "first", f"{RULE}.from", "wrong_type"),
        (f"{IN_RULE} when", {}, f"{RULE}.when", "empty"),
        (f"{IN_RULE} when", {"seen": "a"}, f"{RULE}.when", "wrong_type"),
        (f"{IN_RULE} when all 0 signal", "x", f"{RULE}.when.all[0].signal", "unknown_signal"),
        (f"{IN_RULE} when all 0 within", "P1D", f"{RULE}.when.all[0].within", "no_bound"),
        (f"{IN_RULE} when all 0 at_least", 0, f"{RULE}.when.all[0].at_least", "too_small"),
        (f"{IN_RULE} when all 0 at_least", 1.5, f"{RULE}.when.all[0].at_least", "wrong_type"),
        (f"{IN_RULE} when all 1", {"trait": "plan"}, f"{RULE}.when.all[1].trait", "no_test"),
        (f"{IN_RULE} when all 2 score", "x", f"{RULE}.when.all[2].score", "unknown_score"),
        (f"{IN_RULE} when all 2 at_most", 1, f"{RULE}.when.all[2].score", "bad_bound"),
        (f"{IN_RULE} when", {"any": []}, f"{RULE}.when.any", "empty"),
        (f"{IN_RULE} when", {"reached": "x"}, f"{RULE}.when.reached", "unknown_stage"),
        (f"{IN_RULE} when", {"activity": ["gone"]}, f"{RULE}.when.activity[0]", "unknown_activity"),
        (f"{IN_RULE} when", {"in_stage_for": "1h"}, f"{RULE}.when.in_stage_for", "bad_duration"),
        ("cycle restart 0 from", ["none"], "cycle.restart[0].from[0]", "unknown_stage"),
        ("cycle restart 0 to", "third", "cycle.restart[0].to", "unknown_stage"),
        ("lineage old", ["third"], "lineage.old[0]", "unknown_stage"),
        ("lineage old", [], "lineage.old", "empty"),
        ("examples 0 given 0 at", "2026-01-01", "examples[0].given[0].at", "bad_time"),
        ("examples 0 given 0 channel", "x", "examples[0].given[0].channel", "unknown_channel"),
        ("examples 0 given 0 text", "x", "examples[0].given[0].text", "unknown_key"),
        ("examples 0 expect 0", {"at": "2026-01-01T00:00:00Z"}, "examples[0].expect[0]", "missing"),
        ("examples 0 expect 0 stage", "third", "examples[0].expect[0].stage", "unknown_stage"),
    ],
)
def test_what_is_wrong_is_refused_at_its_path(
    where: str, value: object, path: str, code: str
) -> None:
    assert (path, code) in [(fault.path, fault.code) for fault in faults_after(put(where, value))]


def test_distinct_and_sum_exclude_each_other() -> None:
    both = {"signal": "a", "at_least": 1, "distinct": "properties.x", "sum": "properties.y"}
    faults = faults_after(put(f"{IN_RULE} when", both))
    assert [(fault.path, fault.code) for fault in faults] == [(f"{RULE}.when.sum", "two_forms")]


def test_all_faults_of_shape_are_named_at_once() -> None:
    def change(given: JsonObject) -> None:
        put("start", "third")(given)
        put("stages 0 role", "idle")(given)
        put("surprise", 1)(given)

    paths = {fault.path for fault in faults_after(change)}
    assert paths == {"start", "stages[0].role", "surprise"}


@pytest.mark.parametrize(
    ("leave", "path", "code"),
    [
        ({"to": "second"}, "to", "own_stage"),
        ({"to": "first", "without": ["a"], "idle": True}, "idle", "two_forms"),
        ({"to": "first", "without": ["x"]}, "without[0]", "unknown_signal"),
        ({"to": "first", "when": {"not": {"signal": "a"}}}, "when.not.signal", "bare_signal"),
        ({"to": "first", "after": "PT0S"}, "after", "bad_duration"),
        ({"to": "first", "after": "P3651D"}, "after", "bad_duration"),
    ],
)
def test_a_leave_rule_that_cannot_be_is_refused(leave: JsonObject, path: str, code: str) -> None:
    rule = {"rule": "leaving", "after": "P1D", **leave}
    faults = faults_after(put("stages 1 leave", [rule]))
    assert [(fault.path, fault.code) for fault in faults] == [(f"stages[1].leave[0].{path}", code)]


def test_a_terminal_stage_has_no_leave_rules() -> None:
    def change(given: JsonObject) -> None:
        put("stages 1 terminal", value=True)(given)
        put("stages 1 leave", [{"rule": "leaving", "after": "P1D", "to": "first"}])(given)

    assert [(fault.path, fault.code) for fault in faults_after(change)] == [
        ("stages[1].leave", "terminal_leave")
    ]


def test_40_stages_load_and_41_are_refused() -> None:
    stages: list[JsonValue] = [stage("first"), *(stage(f"s{number}") for number in range(39))]
    assert len(loaded(document(stages)).stages) == 40
    faults = faults_after(lambda _: None, document([*stages, stage("last")]))
    assert [(fault.path, fault.code) for fault in faults] == [("stages", "too_many_stages")]


def test_a_document_that_is_no_object_is_refused() -> None:
    with pytest.raises(ModelRefused) as caught:
        load_model("just text")
    assert [fault.code for fault in caught.value.faults] == ["wrong_type"]


def test_defaults_are_those_of_the_format() -> None:
    model = loaded(
        document(
            [
                stage("first_steps"),
                stage("second", terminal=True),
                stage("last", enter=[{"rule": "r", "when": {"signal": "a"}}]),
            ],
            start="first_steps",
        )
    )
    assert model.title == "Small"
    assert [one.label for one in model.stages] == ["First steps", "Second", "Last"]
    assert model.stages[0].phase is None
    assert model.stages[2].enter[0].from_ == {"none", "first_steps"}
    assert model.activity.ignore is None
    assert (model.scores, model.restarts, model.examples) == ((), (), ())


def test_a_fault_names_what_is_known_and_not_what_has_no_name() -> None:
    def unname(given: JsonObject) -> None:
        put("scores heat points", {"x": 1})(given)
        put("stages 0 key", "")(given)

    messages = {fault.path: fault.message for fault in faults_after(unname)}
    assert messages["scores.heat.points.x"] == "'x' is no signal here; known: a, b, c"
    assert messages["start"] == "'first' is no stage here; known: second"


def test_null_is_no_choice_of_an_in() -> None:
    match = {"type": "a", "where": {"properties.plan": {"in": ["pro", None]}}}
    [fault] = faults_after(put("signals a match", match))
    assert fault.path == 'signals.a.match.where["properties.plan"].in[1]'
    assert fault.message == "must not be null; use exists: false for a missing value"
