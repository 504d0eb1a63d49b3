import pytest

from shared.errors import PolicyRefused
from shared.identity.policy_text import plain_value


def refusal_of(document: str | bytes) -> PolicyRefused:
    with pytest.raises(PolicyRefused) as refused:
        plain_value(document)
    return refused.value


def test_every_scalar_is_the_text_it_is_written_as() -> None:
    assert plain_value("a: [null, 0, 1.50, on, '2', \"x\", 10:30]\nb: {c: }") == {
        "a": ["null", "0", "1.50", "on", "2", "x", "10:30"],
        "b": {"c": ""},
    }


def test_json_with_tabs_and_a_byte_order_mark_is_read() -> None:
    assert plain_value(b'\xef\xbb\xbf{\n\t"a":\t["x\\/\\u00e9"]\n}') == {"a": ["x/é"]}


def test_an_empty_document_is_an_empty_text() -> None:
    assert plain_value("# nothing but a comment") == ""


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        ("a: [1", "syntax", "line 2, column 1"),
        ("a: 1\n---\nb: 2", "syntax", "another document"),
        ("a: \x01", "syntax", "not YAML"),
        (b"\xff\xfe\xff", "bad_text", "UTF-8"),
        ("\ud800", "bad_text", "UTF-8"),
        ("a: 1\na: 2", "duplicate", "key a at line 2"),
        ("? [a]\n: 1", "bad_key", "line 1"),
        ("a: &x [b]\nc: *x", "alias", "line 1"),
        ("&x [*x]", "alias", "line 1"),
        ("[" * 100_000, "syntax", "depth"),
        ("x" * (256 * 1024 + 1), "too_large", "256 KiB"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    document: str | bytes, code: str, message: str
) -> None:
    refusal = refusal_of(document)
    assert [fault.code for fault in refusal.faults] == [code]
    assert message in refusal.message
