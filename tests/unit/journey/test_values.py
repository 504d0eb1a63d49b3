from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.journey.values import at_path, decimal_of, identity_of, same
from shared.touchpoints import JsonObject, JsonValue

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(-3, 3).map(lambda number: round(number, 1))
    | st.sampled_from(["", "a", "1", "true", "s"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        ("a", "a"),
        ([1, {"a": 2}], [1.0, {"a": 2.0}]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ],
)
def test_values_of_one_type_that_are_equal_are_the_same(one: JsonValue, other: JsonValue) -> None:
    assert same(one, other)
    assert identity_of(one) == identity_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (0, False),
        ("1", 1),
        ("true", True),
        ([1], [True]),
        ({"a": 1}, {"a": True}),
        ([1, 2], [1]),
        ({"a": 1}, {"b": 1}),
        ("[1]", [1]),
    ],
)
def test_nothing_is_converted(one: JsonValue, other: JsonValue) -> None:
    assert not same(one, other)
    assert identity_of(one) != identity_of(other)


@given(VALUES, VALUES)
def test_identities_agree_exactly_where_values_are_the_same(
    one: JsonValue, other: JsonValue
) -> None:
    assert (identity_of(one) == identity_of(other)) == same(one, other)


def test_no_value_has_no_identity() -> None:
    assert identity_of(None) is None


def test_the_identity_of_a_long_value_is_short_and_its_own() -> None:
    one, other = "x" * 30_000, "x" * 29_999 + "y"
    assert len(identity_of(one) or "") < 64
    assert identity_of(one) != identity_of(other)


def test_a_path_goes_down_through_objects_only() -> None:
    value: JsonObject = {"a": {"b": 1}, "list": [{"b": 1}], "null": None}
    assert at_path(value, ("a", "b")) == 1
    assert at_path(value, ("a", "c")) is None
    assert at_path(value, ("list", "b")) is None
    assert at_path(value, ("null", "b")) is None


def test_a_number_is_as_exact_as_it_is_written() -> None:
    assert decimal_of(0.1) + decimal_of(0.2) == Decimal("0.3")
    assert decimal_of(2**62 + 1) == 2**62 + 1
