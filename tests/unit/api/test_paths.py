from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.paths import Target, routed, segment_of, segment_text

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(texts)
def test_any_text_is_one_segment_and_comes_back(text: str) -> None:
    raw = f"/v1/customers/{quote(text, safe='')}/timeline".encode()
    path = routed(raw, b"").path
    _, v1, customers, segment, timeline = path.split("/")
    assert (v1, customers, timeline) == ("v1", "customers", "timeline")
    assert segment_text(segment) == text
    assert segment_of(text) == segment


@given(texts, st.sampled_from(["", "/timeline", "/journey"]))
def test_the_query_form_is_the_path_form(text: str, rest: str) -> None:
    query = urlencode({"limit": "5", "ref": text}).encode()
    by_path = routed(f"/v1/customers/{quote(text, safe='')}{rest}".encode(), b"limit=5")
    assert routed(f"/v1/customers/lookup{rest}".encode(), query) == by_path


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (b"/v1/customers/lookup", b""),
        (b"/v1/customers/lookup", b"reference=x"),
        (b"/v1/receipts", b"ref=x"),
        (b"/v1/customers/lookups", b"ref=x"),
        (b"/v1/customers", b"ref=x"),
        (b"/docs/swagger-ui.css", b""),
    ],
)
def test_everything_else_stays_as_it_is(path: bytes, query: bytes) -> None:
    assert routed(path, query) == Target(path.decode(), query)


def test_a_repeated_reference_is_left_in_the_query_to_be_refused() -> None:
    target = routed(b"/v1/customers/lookup", b"ref=a&ref=b")
    assert target == Target("/v1/customers/a", b"ref=b")


def test_bytes_that_are_no_utf8_reach_the_router_and_read_as_nothing() -> None:
    segment = routed(b"/v1/customers/user_id:%FF", b"").path.rsplit("/", 1)[1]
    assert segment_text(segment) is None
