import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ModelRefused
from shared.journey.reading.text import read_text
from shared.touchpoints import JsonValue

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=10,
)


def refusal(document: str | bytes) -> tuple[str, str]:
    with pytest.raises(ModelRefused) as caught:
        read_text(document)
    return caught.value.faults[0].path, caught.value.faults[0].code


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("10:30", "10:30"),
        ("2026-01-05", "2026-01-05"),
        ("<<", "<<"),
        ("1_000", "1_000"),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 17),
        ("-12", -12),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("!!str 1", "1"),
        ("a: &x [1, 2]\nb: *x", {"a": [1, 2], "b": [1, 2]}),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
    ],
)
def test_yaml_is_read_with_the_types_of_json(text: str, value: JsonValue) -> None:
    read = read_text(text)
    assert read == value
    assert type(read) is type(value)


@given(JSON_VALUES)
def test_json_text_is_read_as_json(value: JsonValue) -> None:
    assert read_text(json.dumps(value)) == value
    assert read_text(json.dumps(value, ensure_ascii=False).encode()) == value


def test_json_escapes_of_a_surrogate_pair_are_one_character() -> None:
    assert read_text(r'{"a": "\ud83d\ude00\/"}') == {"a": "\N{GRINNING FACE}/"}


def test_a_byte_order_mark_is_no_content() -> None:
    assert read_text(b"\xef\xbb\xbf{}") == {}


@pytest.mark.parametrize("text", ["a: 1\nb: {c: 1, c: 2}", '{"a": 1, "b": {"c": 1, "c": 2}}'])
def test_a_duplicate_key_is_refused_at_its_place(text: str) -> None:
    assert refusal(text) == ("b.c", "duplicate_key")


@pytest.mark.parametrize("text", ["1: a", "true: a", "null: a", "[a]: b", "{a: 1}: b"])
def test_a_key_that_is_no_string_is_refused(text: str) -> None:
    assert refusal(text) == ("", "bad_key")


@pytest.mark.parametrize(
    "text",
    ["[.inf]", "[-.INF]", "[.nan]", "[1e999]", "[NaN]", "[9007199254740992]", f"[{'9' * 9000}]"],
)
def test_a_number_that_json_cannot_carry_is_refused(text: str) -> None:
    assert refusal(text) == ("[0]", "bad_number")


@pytest.mark.parametrize("text", ["[!!int 1]", "[!!python/name:os.system x]", "[!!omap {a: 1}]"])
def test_tags_are_refused(text: str) -> None:
    assert refusal(text) == ("[0]", "tag")


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "*unknown", "\x00", "--- a\n--- b"])
def test_what_is_no_yaml_document_is_refused(text: str) -> None:
    assert refusal(text) == ("", "syntax")


@pytest.mark.parametrize("document", [b"\xff\xfe", "\ud800"])
def test_what_is_no_utf8_text_is_refused(document: str | bytes) -> None:
    assert refusal(document) == ("", "bad_text")


def test_half_of_a_surrogate_pair_is_refused() -> None:
    assert refusal(r'{"a": "\ud83d"}') == ("a", "bad_text")


def test_256_kibibytes_are_read_and_one_more_is_refused() -> None:
    text = json.dumps("x" * (256 * 1024 - 2))
    assert read_text(text)
    assert refusal(text + " ") == ("", "too_large")


@pytest.mark.parametrize("template", ["{}", "x: {}"])
def test_16_levels_are_read_and_17_are_refused(template: str) -> None:
    inside = 16 - template.count("x")
    assert read_text(template.format("[" * inside + "]" * inside))
    deeper = template.format("[" * (inside + 1) + "]" * (inside + 1))
    assert refusal(deeper) == ("", "too_deep")


def test_levels_are_counted_with_aliases_written_out() -> None:
    chain = "a: &a [1]\n" + "".join(
        f"{name}: &{name} [*{before}]\n"
        for before, name in zip("abcdefghijklmno", "bcdefghijklmnop", strict=True)
    )
    assert refusal(chain) == ("", "too_deep")


@pytest.mark.parametrize("text", ["&a [*a]", "&a {b: *a}"])
def test_an_alias_inside_of_its_own_anchor_is_refused(text: str) -> None:
    assert refusal(text) == ("", "too_deep")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 20_000])
def test_endless_nesting_is_refused_without_harm(text: str) -> None:
    assert refusal(text)[1] in {"too_deep", "syntax"}


def test_100000_values_are_read_and_one_more_is_refused() -> None:
    assert read_text(f"[{','.join(['1'] * 99_999)}]")
    assert refusal(f"[{','.join(['1'] * 100_000)}]") == ("", "too_many_values")


def test_values_are_counted_with_aliases_written_out() -> None:
    doubling = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
        for before, name in zip("abcd", "bcde", strict=True)
    )
    assert refusal(doubling) == ("", "too_many_values")


def test_characters_are_counted_with_aliases_written_out() -> None:
    text = f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 50)}]"
    assert refusal(text) == ("", "too_large")
