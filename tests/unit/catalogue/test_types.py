"""The catalogue of touchpoint types, held against the schemas, the stage models and the demo."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from services.standalone.demo.history import demo_history
from shared.acceptance.items import accept
from shared.acceptance.types import TYPE
from shared.catalogue.schemas import schema_of
from shared.catalogue.types import Direction, catalogued_names, touchpoint_types
from shared.catalogue.uses import Use, bundled_models, models_ignoring, uses_of
from shared.journey.bundled import BUNDLED
from shared.touchpoints import JsonObject
from tests.strategies.items import NOW, terms_with

TYPES: Final = touchpoint_types()


class Fixture(msgspec.Struct):
    passing: JsonObject
    failing: JsonObject
    fails_at: str


FIXTURES: Final[Mapping[str, Fixture]] = msgspec.json.decode(
    Path("tests/data/touchpoint_types.json").read_bytes(), type=dict[str, Fixture]
)


def faults(kind: str, touchpoint: JsonObject) -> list[str]:
    """Return the places at which a touchpoint does not fit the schema of its type."""
    schema = schema_of(TYPES[kind])
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [".".join(map(str, error.absolute_path)) for error in validator.iter_errors(touchpoint)]


def test_every_type_has_fixtures_and_every_fixture_a_type() -> None:
    assert list(FIXTURES) == list(TYPES)


@pytest.mark.parametrize("kind", TYPES)
def test_a_touchpoint_as_described_fits_its_schema_and_is_accepted(kind: str) -> None:
    for touchpoint in (FIXTURES[kind].passing, TYPES[kind].example):
        assert faults(kind, touchpoint) == []
        assert accept(touchpoint, terms_with()).data.type == kind


@pytest.mark.parametrize("kind", TYPES)
def test_a_touchpoint_that_is_wrong_does_not_fit_and_the_schema_says_where(kind: str) -> None:
    assert faults(kind, FIXTURES[kind].failing) == [FIXTURES[kind].fails_at]


def test_a_null_is_absent_for_schemas_as_it_is_for_ingest() -> None:
    sale = {**TYPES["order_completed"].example, "text": None, "channel": None}
    assert faults("order_completed", {**sale, "properties": {"value": None}}) == []
    assert faults("order_completed", {**sale, "properties": None}) == []


def test_no_name_stands_twice_and_each_is_one_that_ingest_takes() -> None:
    names = [name for kind in TYPES.values() for name in kind.names]
    assert len(names) == len(set(names)) == len(catalogued_names())
    assert [name for name in names if not TYPE.fullmatch(name)] == []


def test_what_a_type_always_tells_it_may_tell_and_its_example_does() -> None:
    for kind in TYPES.values():
        told = kind.example.get("properties") or {}
        assert isinstance(told, dict)
        assert set(kind.required) <= set(told) <= set(kind.properties) | {"groupId"}, kind.key


def test_every_type_that_a_bundled_stage_model_names_is_in_the_catalogue() -> None:
    for model in bundled_models():
        matchers = [*(signal.match for signal in model.signals), model.activity.ignore]
        for matcher in matchers:
            assert matcher is None or matcher.types <= catalogued_names(), model.key
        for example in model.examples:
            assert {touchpoint.type for touchpoint in example.given} <= catalogued_names()


def test_every_type_of_the_demo_is_in_the_catalogue() -> None:
    history = demo_history(ends_at=NOW, people=20)
    kinds = {str(item["type"]) for batch in history for item in batch.items}
    assert len(kinds) > 10
    assert kinds <= catalogued_names()


@pytest.mark.parametrize("kind", TYPES)
def test_exactly_what_customers_do_not_do_is_no_sign_of_life(kind: str) -> None:
    ignoring = list(models_ignoring(TYPES[kind], bundled_models()))
    outbound = TYPES[kind].direction is Direction.OUTBOUND
    assert ignoring == (list(BUNDLED) if outbound else [])


def test_nothing_that_customers_do_not_do_is_evidence_but_a_period_that_was_paid() -> None:
    used = {
        kind.key: list(uses_of(kind, bundled_models()))
        for kind in TYPES.values()
        if kind.direction is Direction.OUTBOUND
    }
    assert {kind: uses for kind, uses in used.items() if uses} == {
        "invoice_paid": [Use("subscription", "renewed")]
    }


@pytest.mark.parametrize(
    ("kind", "uses"),
    [
        (
            "order_completed",
            [Use("default", "bought"), Use("five-stage", "bought")],
        ),
        ("review_posted", [("default", "complained"), ("default", "praised")]),
        ("call_started", [("default", "asked_service"), ("five-stage", "asked_service")]),
        ("store_visited", [Use("default", "visited")]),
        ("signed_up", [Use("subscription", "signed_up")]),
        ("faq_viewed", []),
    ],
)
def test_which_signals_look_at_a_type_is_what_their_matchers_say(
    kind: str, uses: list[Use]
) -> None:
    found = list(uses_of(TYPES[kind], bundled_models()))
    assert [use for use in found if use in uses] == uses
    assert found or not uses
