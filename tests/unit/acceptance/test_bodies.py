from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.acceptance.bodies import split
from shared.errors import TooLarge, Unreadable
from shared.touchpoints import JsonValue
from tests.strategies.items import as_json, json_values

A, B = b'{"type":"a"}', b'{"type": "b"}'


def unreadable_code(body: bytes) -> str:
    with pytest.raises(Unreadable) as refused:
        split(body)
    return refused.value.code


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (A, (A,)),
        (b" \n" + A + b"\r\n ", (A,)),
        (b"\xef\xbb\xbf" + A, (A,)),
        (b"[" + A + b" ,\n" + B + b"]", (A, B)),
        (b'{"touchpoints": [' + A + b"," + B + b"]}", (A, B)),
        (b' { "touchpoints" :\t[' + A + b"] } ", (A,)),
        (A + b"\n" + B, (A, B)),
        (A + b"\r\n\r\n  \n" + B + b"\n", (A, B)),
        (b"[]", ()),
        (b'{"touchpoints": []}', ()),
    ],
)
def test_each_of_the_four_forms_gives_its_items_as_they_were_sent(
    body: bytes, items: tuple[bytes, ...]
) -> None:
    assert split(body).items == items


@pytest.mark.parametrize(
    "body", [b"5", b'"text"', b"null", b'{"touchpoints": 5}', b'{"touchpoints": [1], "x": 2}']
)
def test_json_of_another_form_is_one_item_which_is_judged_as_such(body: bytes) -> None:
    assert split(body).items == (body,)


@pytest.mark.parametrize("bad", [b"nope", b'{"type": "a", "cust', b'{"a": NaN}', b"\xff\xfe", b"]"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_bad_line_is_an_item_of_its_own_wherever_it_stands(bad: bytes, place: int) -> None:
    lines = [A, B]
    lines.insert(place, bad)
    sent = split(b"\n".join(lines))
    assert sent.as_lines
    assert sent.items == tuple(lines)


def test_a_single_line_is_not_lines() -> None:
    assert not split(A + b"\n").as_lines


@pytest.mark.parametrize(
    "body",
    [
        b"nope",
        b"{",
        A + B,
        b'{"a": NaN}',
        b'[{"a": Infinity}]',
        b"[" + A + b",]",
        b"[" + A + B + b"]",
        b"[" + A,
        b"[\n" + A + b",\n" + B + b"\n",
        b'{"touchpoints": [\n' + A + b"\n",
        b'{"touchpoints": [\n' + A + b",\n" + B,
        b'{\n  "type": "a",\n  "customer": {"user_id": "u"},\n',
        b'{"type": "a", "properties": {"items": [\n{"x": 1},\n{"x": 2}\n]}',
        b"1f8b",
    ],
)
def test_a_syntax_error_in_any_other_form_makes_the_request_unreadable(body: bytes) -> None:
    assert unreadable_code(body) == "bad_json"


@pytest.mark.parametrize("body", [b"", b"  \r\n\t", b"\xef\xbb\xbf"])
def test_an_empty_body_says_that_it_is_empty(body: bytes) -> None:
    assert unreadable_code(body) == "empty_body"


@pytest.mark.parametrize(
    "frame",
    [
        lambda items: b"[" + b",".join(items) + b"]",
        lambda items: b'{"touchpoints":[' + b",".join(items) + b"]}",
        b"\n".join,
        lambda items: b"[" + b",".join([rb'"\ud800"', *items[1:]]) + b"]",
    ],
    ids=["array", "wrapper", "lines", "hostile array"],
)
def test_a_thousand_items_are_taken_and_one_more_is_too_many(
    frame: Callable[[list[bytes]], bytes],
) -> None:
    assert len(split(frame([A] * 1_000)).items) == 1_000
    with pytest.raises(TooLarge) as refused:
        split(frame([A] * 1_001))
    assert refused.value.code == "too_many_items"


def test_another_limit_of_items_can_be_set() -> None:
    body = b"[" + b",".join([A] * 2_500) + b"]"
    assert len(split(body, most_items=2_500).items) == 2_500
    with pytest.raises(TooLarge):
        split(body, most_items=2_499)


def test_millions_of_items_are_refused_without_holding_them() -> None:
    with pytest.raises(TooLarge):
        split(b"[" + b"0," * 4_000_000 + b"0]")
    with pytest.raises(TooLarge):
        split(b"0\n" * 4_000_000)


HOSTILE = [rb'{"a":"\ud800"}', rb'["\uDFFF]]}}"]', b"[" * 3_000 + b"]" * 3_000]


@pytest.mark.parametrize("hostile", HOSTILE, ids=["surrogate", "in a string", "deep"])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("prefix", [b"", b'{"touchpoints":'], ids=["array", "wrapper"])
def test_an_item_that_hides_its_end_from_the_decoder_does_not_take_others_with_it(
    hostile: bytes, place: int, prefix: bytes
) -> None:
    items = [A, rb'{"quotes \" and ]": "\\"}']
    items.insert(place, hostile)
    body = prefix + b"[ " + b" , ".join(items) + b" ]" + (b"}" if prefix else b"")
    assert split(body).items == tuple(items)


@pytest.mark.parametrize(
    "hostile",
    [rb'{"a":"\ud800"}', b'{"a":' * 3_000 + b"1" + b"}" * 3_000],
    ids=["surrogate", "deep"],
)
def test_a_hostile_item_alone_or_on_a_line_is_still_an_item(hostile: bytes) -> None:
    assert split(hostile).items == (hostile,)
    assert split(hostile + b"\n" + A).items == (hostile, A)
    assert split(hostile + b"\n" + hostile).items == (hostile, hostile)


@pytest.mark.parametrize(
    "body",
    [
        rb'["\ud800"',
        rb'["\ud800",]',
        rb'[,"\ud800"]',
        rb'["\ud800"}',
        rb'["\ud800"] 5',
        rb'{"touchpoints": ["\ud800"]',
        rb'{"touchpoints": ["\ud800"], "x": 1}',
        b"[" * 100_000,
        b'["' + rb"\"" * 200_000 + b"{" * 600,
        b"[" + b"{}," * 300_000 + rb'"\ud800"',
    ],
)
def test_a_hostile_body_with_a_broken_frame_is_unreadable(body: bytes) -> None:
    with pytest.raises((Unreadable, TooLarge)):
        split(body)


@given(st.lists(json_values, min_size=1, max_size=5))
def test_items_framed_as_an_array_come_out_as_they_went_in(values: list[JsonValue]) -> None:
    items = tuple(map(as_json, values))
    assert split(b"[" + b" ,".join(items) + b"]").items == items
    assert split(b'{"touchpoints":[' + b",".join(items) + b"]}").items == items


@given(st.lists(st.dictionaries(st.text(), json_values), min_size=2, max_size=5))
def test_objects_on_lines_come_out_as_they_went_in(values: list[JsonValue]) -> None:
    items = tuple(map(as_json, values))
    assert split(b"\n".join(items)).items == items


@given(st.binary(max_size=60) | st.text('[]{}",:\\u0d8n\n', max_size=40).map(str.encode))
def test_any_bytes_are_split_into_parts_of_them_or_refused(body: bytes) -> None:
    try:
        sent = split(body)
    except Unreadable:
        return
    assert all(item in body for item in sent.items)
