import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.identity.globs import Glob

_TEXTS = st.text("ab.?[", max_size=12)
_PATTERNS = st.text("ab.?[*", max_size=8).filter(lambda pattern: "*" in pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*", ""),
        ("*@example.invalid", "ana@example.invalid"),
        ("test*", "test"),
        ("a*b*c", "abc"),
        ("a*b*c", "a-b-b-c"),
        ("*a*a*", "aa"),
        ("x?*", "x?y"),
        ("*\nb", "a\nb"),
    ],
)
def test_a_pattern_covers_a_text_from_end_to_end(pattern: str, text: str) -> None:
    assert Glob.parse(pattern).matches(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*@example.invalid", "ana@example.invalid.org"),
        ("test*", "a test"),
        ("a*a", "a"),
        ("ab*bc", "abc"),
        ("*a*a*", "ba"),
        ("a*bc*c", "abc"),
        ("x?*", "xyz"),
        ("*A", "a"),
    ],
)
def test_a_pattern_leaves_other_texts_alone(pattern: str, text: str) -> None:
    assert not Glob.parse(pattern).matches(text)


@given(_PATTERNS, _TEXTS)
def test_matching_agrees_with_a_regular_expression(pattern: str, text: str) -> None:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    expected = re.fullmatch(expression, text, re.DOTALL) is not None
    assert Glob.parse(pattern).matches(text) == expected


def test_many_wildcards_against_a_long_text_end_at_once() -> None:
    """A backtracking matcher would need longer than the age of the universe for this one."""
    assert not Glob.parse("*a" * 100 + "*b").matches("a" * 100_000)


def test_a_pattern_without_wildcard_is_refused() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        Glob.parse("plain")
