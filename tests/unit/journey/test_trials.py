import json

import pytest

from shared.errors import ModelRefused
from shared.journey.loading import read_model
from shared.touchpoints import JsonObject, JsonValue
from tests.fixtures.small_models import loaded, two_stages


def with_example(given: list[JsonValue], expect: list[JsonValue]) -> JsonObject:
    example: JsonValue = {"name": "a tries", "given": given, "expect": expect}
    return two_stages({"signal": "a", "at_least": 2}, examples=[example])


def given(type_: str, at: str, **more: JsonValue) -> JsonObject:
    return {"at": at, "type": type_, "channel": "web", **more}


def test_an_example_that_holds_lets_the_model_load() -> None:
    touchpoints: list[JsonValue] = [
        given("a", "2026-01-02T00:00:00Z"),
        given("a", "2026-01-01T00:00:00Z"),
    ]
    expect: list[JsonValue] = [
        {"at": "2026-01-02T00:00:00Z", "stage": "second", "activity": "active", "cycle": 1},
        {"at": "2026-01-01T23:59:59.999999Z", "stage": "first"},
        {"at": "2025-12-31T00:00:00Z", "stage": None, "activity": None},
    ]
    assert loaded(with_example(touchpoints, expect)).examples[0].name == "a tries"


def test_an_example_that_fails_refuses_the_model_and_says_the_difference() -> None:
    expect: list[JsonValue] = [
        {"at": "2026-01-01T00:00:00Z", "stage": "first"},
        {"at": "2026-01-01T00:00:00Z", "stage": "second", "cycle": 2},
    ]
    with pytest.raises(ModelRefused) as caught:
        loaded(with_example([given("a", "2026-01-01T00:00:00Z")], expect))
    (fault,) = caught.value.faults
    assert (fault.path, fault.code) == ("examples[0].expect[1]", "example_failed")
    assert "stage is first, expected second" in fault.message
    assert "cycle is 1, expected 2" in fault.message


def test_entries_of_one_identity_are_one_touchpoint() -> None:
    twice: list[JsonValue] = [
        given("a", "2026-01-01T00:00:00Z", event_id="1"),
        given("a", "2026-01-02T00:00:00Z", event_id="1"),
    ]
    expect: list[JsonValue] = [{"at": "2026-01-03T00:00:00Z", "stage": "first"}]
    assert len(loaded(with_example(twice, expect)).examples) == 1


def test_a_model_can_be_read_without_running_its_examples() -> None:
    wrong = with_example(
        [given("a", "2026-01-01T00:00:00Z")], [{"at": "2026-01-01T00:00:00Z", "stage": "second"}]
    )
    assert read_model(json.dumps(wrong)).key == "small"
