import msgspec
import pytest

from shared.journey.matchers import (
    Comparison,
    Matcher,
    PathTests,
    Shape,
    compile_matcher,
    compile_tests,
)
from shared.journey.reading.matchers import read_matcher
from shared.journey.reading.shape import Faults, Node
from shared.touchpoints import JsonObject, JsonValue, Touchpoint

WEB_ORDER = Touchpoint(
    source="shop",
    event_id="1",
    at=0,
    channel="web",
    type="order",
    properties={"value": 10, "currency": "EUR", "tags": ["new", 2], "gone": None},
    context={"page": {"url": "/basket"}},
    traits={},
)


def matches(
    document: JsonObject,
    traits: JsonObject | None = None,
    touchpoint: Touchpoint = WEB_ORDER,
) -> bool:
    faults = Faults()
    matcher = read_matcher(Node(document, "match", faults))
    faults.refuse_if_any()
    shape = Shape(touchpoint.type, touchpoint.channel, touchpoint.source)
    compiled = compile_matcher(matcher, shape)
    return compiled if isinstance(compiled, bool) else compiled(touchpoint, traits or {})


def passes(value: JsonValue, **tests: JsonValue) -> bool:
    where: JsonObject = {name.rstrip("_"): operand for name, operand in tests.items()}
    faults = Faults()
    matcher = read_matcher(Node({"where": {"traits.value": where}}, "match", faults))
    faults.refuse_if_any()
    compiled = compile_matcher(matcher, Shape("", "", ""))
    assert not isinstance(compiled, bool)
    return compiled(WEB_ORDER, {} if value is None else {"value": value})


@pytest.mark.parametrize(
    "document",
    [
        {"type": "order"},
        {"type": ["visit", "order"]},
        {"channel": "web", "source": "shop"},
        {"where": {"properties.value": {"gte": 10, "lt": 11}}},
        {"where": {"context.page.url": {"prefix": "/bas"}, "traits.plan": {"eq": "pro"}}},
        {"any": [{"type": "visit"}, {"channel": "web"}]},
        {"all": [{"type": "order"}, {"where": {"properties.value": {"gt": 9}}}]},
        {"not": {"type": "visit"}},
        {
            "any": [
                {"where": {"properties.value": {"lt": 5}}},
                {"where": {"traits.plan": {"in": ["pro"]}}},
            ]
        },
        {"not": {"where": {"properties.value": {"gt": 10}}}},
    ],
)
def test_a_matcher_matches_when_all_its_parts_hold(document: JsonObject) -> None:
    assert matches(document, {"plan": "pro"})


@pytest.mark.parametrize(
    "document",
    [
        {"type": "order", "channel": "email"},
        {"source": ["till", "pos"]},
        {"type": "order", "where": {"properties.value": {"gt": 10}}},
        {"any": [{"type": "visit"}, {"where": {"properties.value": {"gt": 10}}}]},
        {"all": [{"type": "order"}, {"not": {"channel": "web"}}]},
        {"not": {"any": [{"type": "order"}]}},
        {"where": {"properties.gone": {"exists": True}}},
    ],
)
def test_one_part_that_fails_is_enough_not_to_match(document: JsonObject) -> None:
    assert not matches(document)


@pytest.mark.parametrize(
    ("value", "tests"),
    [
        (1, {"eq": 1.0}),
        (2, {"ne": 1}),
        (True, {"ne": 1}),
        (None, {"ne": 1}),
        (None, {"exists": False}),
        ([], {"exists": True}),
        (1, {"in_": [3, 1.0]}),
        ({"a": 1}, {"in_": [{"a": 1}]}),
        ("ärger", {"contains": "rg"}),
        (["a", 1], {"contains": 1.0}),
        ("b", {"gt": "a", "lte": "b"}),
        (-0.0, {"gte": 0}),
    ],
)
def test_a_value_passes(value: JsonValue, tests: dict[str, JsonValue]) -> None:
    assert passes(value, **tests)


@pytest.mark.parametrize(
    ("value", "tests"),
    [
        (None, {"eq": 1}),
        (True, {"eq": 1}),
        ("1", {"eq": 1}),
        ("2", {"gt": 1}),
        (2, {"gt": "1"}),
        (True, {"gte": 0}),
        (None, {"lt": 1}),
        (None, {"in_": [1]}),
        (True, {"in_": [1]}),
        (12, {"contains": 1}),
        ("12", {"contains": 1}),
        ([True], {"contains": 1}),
        (1, {"prefix": "1"}),
        (1, {"exists": False}),
    ],
)
def test_a_value_of_another_type_or_size_does_not_pass(
    value: JsonValue, tests: dict[str, JsonValue]
) -> None:
    assert not passes(value, **tests)


def test_strings_compare_by_code_point() -> None:
    upper_than_emoji = compile_tests([Comparison("gt", "\N{GRINNING FACE}")])
    assert not upper_than_emoji("\uffff")
    assert upper_than_emoji("\U0010ffff")


def test_what_the_shape_decides_asks_nothing_more() -> None:
    where = (PathTests(("properties", "value"), (Comparison("gt", 1),)),)
    matcher = Matcher(type=frozenset({"order"}), where=where)
    assert compile_matcher(matcher, Shape("visit", "web", "shop")) is False
    assert callable(compile_matcher(matcher, Shape("order", "web", "shop")))
    assert compile_matcher(Matcher(negated=matcher), Shape("visit", "web", "shop")) is True


def test_a_matcher_knows_whether_it_looks_at_the_source_and_which_types_it_names() -> None:
    inner = Matcher(source=frozenset({"till"}), type=frozenset({"sale"}))
    assert Matcher(any=(Matcher(negated=inner),)).looks_at_source
    assert Matcher(all=(inner,), type=frozenset({"visit"})).types == {"sale", "visit"}
    assert not Matcher(type=frozenset({"visit"})).looks_at_source


@pytest.mark.parametrize(
    ("consent", "expected"),
    [
        ({"marketing": True}, True),
        ({"marketing": False, "analytics": True}, False),
        ({"marketing": "true"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_consent_for_a_purpose_can_be_asked_for(consent: JsonValue, *, expected: bool) -> None:
    asked: JsonObject = {"where": {"context.consent.marketing": {"eq": True}}}
    touchpoint = msgspec.structs.replace(WEB_ORDER, context={"consent": consent})
    assert matches(asked, touchpoint=touchpoint) is expected
