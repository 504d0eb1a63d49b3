import pytest

from shared.acceptance.values import BadJsonError, is_json, object_without_nul, read_object
from shared.errors import Invalid
from shared.touchpoints import JsonValue
from tests.strategies.items import as_json, nested


def fault_in(raw: bytes) -> tuple[str, str]:
    with pytest.raises(Invalid) as refused:
        read_object(raw)
    fault = refused.value.faults[0]
    assert refused.value.code == fault.code
    return fault.path, fault.code


def holding(value: bytes) -> bytes:
    return b'{"properties": {"x": [0, ' + value + b"]}}"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (rb'"\ud800"', "lone_surrogate"),
        (rb'"a\udc00b"', "lone_surrogate"),
        (rb'"\ud800\u0041"', "lone_surrogate"),
        (rb'"\udc00\ud800"', "lone_surrogate"),
        (b"9223372036854775808", "number_out_of_range"),
        (b"-9223372036854775809", "number_out_of_range"),
        (b"18446744073709551616", "number_out_of_range"),
        (b"1" + b"0" * 5_000, "number_out_of_range"),
        (b"-1" + b"0" * 5_000, "number_out_of_range"),
        (b"1e400", "number_out_of_range"),
        (b"-1e400", "number_out_of_range"),
        (b"1" * 400 + b".5", "number_out_of_range"),
    ],
)
def test_a_value_that_some_layer_cannot_hold_is_a_fault_at_its_place(
    value: bytes, code: str
) -> None:
    assert fault_in(holding(value)) == ("properties.x[1]", code)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"1.7976931348623157e308", 1.7976931348623157e308),
        (b"1e-400", 0.0),
        (b"-0", 0),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\\ud800"', r"\ud800"),
        ('"\ufffe\uffff"'.encode(), "\ufffe\uffff"),
        (b'"' + b"x" * 30_000 + b'"', "x" * 30_000),
    ],
)
def test_a_value_at_the_edge_of_what_every_layer_holds_is_taken(
    value: bytes, read: JsonValue
) -> None:
    assert read_object(holding(value)) == {"properties": {"x": [0, read]}}


@pytest.mark.parametrize("array", [False, True], ids=["objects", "arrays"])
def test_thirty_two_levels_are_taken_and_one_more_is_too_deep(*, array: bool) -> None:
    at_the_limit = {"properties": nested(31, array=array)}
    assert read_object(as_json(at_the_limit)) == at_the_limit
    path, code = fault_in(as_json({"properties": nested(32, array=array)}))
    assert code == "too_deep"
    assert path.startswith("properties")


@pytest.mark.parametrize("levels", [900, 5_000, 15_000])
def test_no_depth_is_deep_enough_to_break_anything(levels: int) -> None:
    assert fault_in(b'{"a":' * levels + b"1" + b"}" * levels)[1] == "too_deep"
    assert fault_in(b"[" * levels + b"]" * levels)[1] == "too_deep"


def test_names_of_two_hundred_characters_are_taken_and_longer_ones_are_not() -> None:
    assert read_object(as_json({"a": {"é" * 200: 1}})) == {"a": {"é" * 200: 1}}
    assert fault_in(as_json({"a": {"x" * 201: 1}})) == ("a", "too_long")
    assert fault_in(as_json({"x" * 201: 1})) == ("", "too_long")


def test_a_lone_surrogate_in_a_name_is_a_fault_of_what_holds_it() -> None:
    assert fault_in(rb'{"a": {"\ud800": 1}}') == ("a", "lone_surrogate")


@pytest.mark.parametrize("raw", [b"5", b"null", b'"x"', b"[]", b'[{"type": "a"}]', b"true"])
def test_anything_but_an_object_is_no_item(raw: bytes) -> None:
    assert fault_in(raw) == ("", "not_an_object")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b"{a: 1}",
        b'{"a": 1,}',
        b'{"a": 1} {}',
        b"// x\n{}",
        b'{"a": 01}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        rb'{"a": NaN, "b": "\ud800"}',
        b'{"a": "\x01"}',
        rb'{"a": "\x41"}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b"\xff\xfe{\x00}\x00",
    ],
)
def test_what_is_not_json_in_utf_8_is_told_apart_from_what_is_merely_wrong(raw: bytes) -> None:
    with pytest.raises(BadJsonError):
        read_object(raw)
    assert not is_json(raw)


def test_what_is_hostile_is_json_all_the_same() -> None:
    assert is_json(rb'{"a": "\ud800"}')
    assert is_json(b"[" * 5_000 + b"]" * 5_000)


def test_the_last_of_two_members_by_one_name_counts() -> None:
    assert read_object(b'{"a": 1, "b": {"c": 1, "c": 2}, "a": 3}') == {"a": 3, "b": {"c": 2}}


def test_no_more_than_ten_faults_are_told() -> None:
    with pytest.raises(Invalid) as refused:
        read_object(as_json({"x": [2**70] * 50}))
    assert len(refused.value.faults) == 10


def test_nul_is_replaced_in_values_and_in_names_at_any_depth() -> None:
    value: dict[str, JsonValue] = {"a\0": ["\0", {"b": "x\0y", "c\0": None}], "d": 1}
    assert object_without_nul(value) == {
        "a\ufffd": ["\ufffd", {"b": "x\ufffdy", "c\ufffd": None}],
        "d": 1,
    }
