import gzip
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from shared.errors import TooLarge, Unreadable
from shared.http.asgi import (
    MethodNotAllowed,
    by_method,
    header,
    header_text,
    inflated,
    path_segments,
    read_body,
    read_inflated,
    request_id,
    request_id_for,
    respond,
    stream_body,
)


def received(*parts: bytes, gone: bool = False) -> Receive:
    """Return what hands the body over in *parts*; the client is *gone* before the last one."""
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": gone or number < len(parts)}
        for number, part in enumerate(parts, 1)
    ]
    feed = iter([*messages, {"type": "http.disconnect"}])

    async def receive() -> Message:
        return next(feed)

    return receive


def scope_with(headers: Iterable[tuple[bytes, bytes]] = (), raw_path: bytes = b"/") -> Scope:
    return {"type": "http", "method": "POST", "headers": list(headers), "raw_path": raw_path}


@given(st.lists(st.binary(max_size=20), min_size=1))
async def test_a_body_is_the_same_in_however_many_parts_it_comes(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    assert await read_body(received(*parts), limit=len(whole)) == whole
    assert b"".join([part async for part in stream_body(received(*parts))]) == whole


@pytest.mark.parametrize("parts", [(b"12345",), (b"123", b"45"), (b"", b"12345", b"6")])
async def test_a_body_over_the_limit_is_refused(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(TooLarge, match="more than 4 bytes"):
        await read_body(received(*parts), limit=4)


@pytest.mark.parametrize("parts", [(), (b"a",), (b"a", b"b")])
async def test_a_client_that_goes_away_has_sent_nothing_whole(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(ClientDisconnect):
        await read_body(received(*parts, gone=True))
    with pytest.raises(ClientDisconnect):
        async for _ in stream_body(received(*parts, gone=True)):
            pass


@given(st.binary(max_size=5_000), st.sampled_from([None, b"gzip", b" GZIP ", b"identity", b""]))
def test_gzip_is_inflated_whatever_the_header_says(body: bytes, encoding: bytes | None) -> None:
    assert inflated(gzip.compress(body), encoding) == body


@given(st.binary(max_size=200).filter(lambda body: not body.startswith(b"\x1f\x8b")))
def test_a_body_that_is_not_gzipped_stays_as_it_is(body: bytes) -> None:
    assert inflated(body, None) == body
    assert inflated(body, b"gzip") == body


def test_gzip_files_one_after_the_other_are_one_body() -> None:
    assert inflated(gzip.compress(b"a\n") + gzip.compress(b"b\n"), None) == b"a\nb\n"


def test_a_body_may_inflate_to_the_limit_and_not_beyond() -> None:
    packed = gzip.compress(b"x" * 1_000)
    assert len(inflated(packed, None, limit=1_000)) == 1_000
    with pytest.raises(TooLarge, match="999 bytes inflated"):
        inflated(packed, None, limit=999)
    with pytest.raises(TooLarge):
        inflated(gzip.compress(b"x" * 600) * 2, None, limit=1_000)


@pytest.mark.parametrize(
    "body",
    [
        b"\x1f\x8b",
        gzip.compress(b"hello", mtime=0)[:-1],
        gzip.compress(b"hello", mtime=0)[:-5] + b"12345",
        gzip.compress(b"hello", mtime=0) + b"trailing",
        gzip.compress(b"hello", mtime=0) * 17,
        b"\x1f\x8b" + zlib.compress(b"hello"),
    ],
)
def test_broken_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        inflated(body, b"gzip")
    assert refused.value.code == "bad_encoding"


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"deflate", b"gzip, gzip"])
def test_other_encodings_are_refused(encoding: bytes) -> None:
    with pytest.raises(Unreadable, match="gzip"):
        inflated(b"{}", encoding)


async def test_the_encoding_is_taken_from_the_header() -> None:
    scope = scope_with([(b"content-encoding", b"br")])
    with pytest.raises(Unreadable):
        await read_inflated(scope, received(b"{}"))
    packed = gzip.compress(b"{}")
    with pytest.raises(TooLarge):
        await read_inflated(scope_with(), received(packed), inflated_limit=1)
    with pytest.raises(TooLarge):
        await read_inflated(scope_with(), received(packed), limit=len(packed) - 1)


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        (b"/", ("",)),
        (b"/v1/customers/email:a%2Fb@c", ("v1", "customers", "email:a/b@c")),
        (b"/a//b/", ("a", "", "b", "")),
        (b"/%E2%82%AC%00", ("\u20ac\0",)),
    ],
)
def test_a_path_is_split_before_it_is_decoded(raw: bytes, segments: tuple[str, ...]) -> None:
    assert path_segments(scope_with(raw_path=raw)) == segments


@pytest.mark.parametrize("raw", [b"/%FF", b"/\xff"])
def test_a_path_that_is_no_text_is_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        path_segments(scope_with(raw_path=raw))
    assert refused.value.code == "bad_path"


@pytest.mark.parametrize("given_id", [b"a", b"A-1_b.c", b"x" * 128])
def test_a_sound_request_id_is_kept(given_id: bytes) -> None:
    assert request_id_for(scope_with([(b"x-request-id", given_id)])) == given_id.decode()


@pytest.mark.parametrize("given_id", [b"", b"x" * 129, b"a b", b"a\n", b"\xff", b'"'])
def test_an_unsound_request_id_is_replaced(given_id: bytes) -> None:
    scope = scope_with([(b"x-request-id", given_id)])
    first, second = request_id_for(scope), request_id_for(scope)
    assert first != second
    assert len(first) == 32


def test_a_request_keeps_the_id_that_it_was_given() -> None:
    scope = scope_with()
    assert request_id(scope) == request_id(scope)
    assert request_id({**scope_with(), "state": {"request_id": "given"}}) == "given"


def test_headers_are_found_by_name() -> None:
    scope = scope_with([(b"a", b"\xe9"), (b"a", b"2")])
    assert header(scope, b"a") == b"\xe9"
    assert header_text(scope, b"a") == "\xe9"
    assert header(scope, b"b") is None
    assert header_text(scope, b"b") is None


async def test_methods_find_their_endpoints_and_head_finds_get() -> None:
    called: list[str] = []

    async def get(scope: Scope, _: Receive, __: Send) -> None:
        called.append(scope["method"])

    endpoint = by_method({"GET": get})
    for method in ("GET", "HEAD"):
        await endpoint({**scope_with(), "method": method}, received(), _nowhere)
    assert called == ["GET", "HEAD"]
    with pytest.raises(MethodNotAllowed) as refused:
        await endpoint({**scope_with(), "method": "POST"}, received(), _nowhere)
    assert refused.value.allowed == ("GET", "HEAD")


async def _nowhere(_: Message) -> None:
    pass


@pytest.mark.parametrize(("status", "has_length"), [(200, True), (204, False), (304, False)])
async def test_an_answer_tells_its_length_unless_it_has_no_body(
    status: int, *, has_length: bool
) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await respond(send, status, b"")
    assert ((b"content-length", b"0") in sent[0]["headers"]) == has_length
