"""What a real server does with clients that keep to no rules."""

import asyncio
import gzip
from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

from shared.http.asgi import read_body, read_inflated, respond, stream_body
from shared.http.front import Front
from shared.http.limits import Limits
from tests.fixtures.http_servers import Served, served

SHORT = Limits(
    head_seconds=0.15,
    body_idle_seconds=0.15,
    body_seconds=0.4,
    body_bytes=1_000,
    imports=frozenset({b"/imports", b"/sleepy"}),
    linger_seconds=0.5,
)
GET = b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path and the body that was read."""
    body = await read_inflated(scope, receive, inflated_limit=1 << 20)
    await respond(send, 200, scope["path"].encode() + b"|" + body)


async def names(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the names of the headers, after the body."""
    await read_body(receive)
    await respond(send, 200, b",".join(name for name, _ in scope["headers"]))


async def swallow(_: Scope, receive: Receive, send: Send) -> None:
    """Answer with the length of a body of any length."""
    length = 0
    async for part in stream_body(receive):
        length += len(part)
    await respond(send, 200, str(length).encode())


async def sleepy(_: Scope, receive: Receive, send: Send) -> None:
    """Answer with the length of a body that is not read for longer than a body may stop."""
    await asyncio.sleep(0.4)
    await respond(send, 200, str(len(await read_body(receive))).encode())


async def hasty(_: Scope, __: Receive, send: Send) -> None:
    """Answer without reading the body."""
    await respond(send, 200, b"early")


APP = Front(
    {"/echo": echo, "/names": names, "/imports": swallow, "/hasty": hasty, "/sleepy": sleepy}
)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def patient() -> AsyncGenerator[Served]:
    async with served(APP) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict() -> AsyncGenerator[Served]:
    async with served(APP, SHORT) as server:
        yield server


def post(body: bytes, *headers: bytes, path: bytes = b"/echo") -> bytes:
    length = b"Content-Length: %d" % len(body)
    lines = [b"POST %s HTTP/1.1" % path, b"Host: h", length, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def test_a_connection_is_used_again(patient: Served) -> None:
    async with patient.connection() as connection:
        for body in (b"one", b"two", b""):
            await connection.send(post(body))
            answer = await connection.answer()
            assert (answer.status, answer.body) == (200, b"/echo|" + body)
            assert "connection" not in answer.headers


async def test_requests_in_one_packet_are_answered_in_order(patient: Served) -> None:
    bodies = [b"%d" % number * 100 for number in range(30)]
    async with patient.connection() as connection:
        await connection.send(b"".join(post(body) for body in bodies))
        for body in bodies:
            assert (await connection.answer()).body == b"/echo|" + body


async def test_a_request_may_come_byte_by_byte(patient: Served) -> None:
    async with patient.connection() as connection:
        for byte in post(b"slow") + GET:
            await connection.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await connection.answer()).body == b"/echo|slow"
        assert (await connection.answer()).body == b"/echo|"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 9_000 + b"\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 1_500 + b"\r\n",
        b"GET /echo HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 300_000,
        b"\r\n" * 10_000,
    ],
    ids=["url", "header", "headers", "unfinished", "blank lines"],
)
async def test_a_head_that_is_too_large_is_refused(patient: Served, head: bytes) -> None:
    async with patient.connection() as connection:
        await connection.send(head)
        answer = await connection.answer()
        assert (answer.status, answer.problem["code"]) == (431, "head_too_large")
        assert answer.headers["connection"] == "close"
        assert await connection.rest() == b""


async def test_a_large_head_that_comes_in_parts_is_refused_before_its_end(patient: Served) -> None:
    async with patient.connection() as connection:
        await connection.send(GET + b"GET /echo HTTP/1.1\r\nHost: h\r\nX: ")
        assert (await connection.answer()).status == 200
        for _ in range(9):
            await connection.send(b"a" * 1_000)
            await asyncio.sleep(0)
        assert (await connection.answer()).status == 431


async def test_a_large_head_is_refused_wherever_packets_end(patient: Served) -> None:
    async with patient.connection() as connection:
        await connection.send(GET + b"GET /echo HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 9_000)
        assert (await connection.answer()).status == 200
        await connection.send(b"\r\n\r\n")
        assert (await connection.answer()).status == 431


async def test_a_head_just_below_the_limit_is_read(patient: Served) -> None:
    head = b"GET /echo HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 8_000 + b"\r\n\r\n"
    assert (await patient.exchange(head)).status == 200


@pytest.mark.parametrize("sent", [b"GET /echo HTTP/1.1\r\nHost:", b"\r\n", GET[:-1]])
async def test_a_head_that_does_not_end_is_given_up(strict: Served, sent: bytes) -> None:
    async with strict.connection() as connection:
        await connection.send(sent)
        answer = await connection.answer()
        assert (answer.status, answer.problem["code"]) == (408, "request_timeout")
        assert await connection.rest() == b""


async def test_a_head_that_comes_drop_by_drop_is_given_up_all_the_same(strict: Served) -> None:
    async with strict.connection() as connection:
        await connection.send(GET)
        assert (await connection.answer()).status == 200
        await connection.send(b"GET /echo HTTP/1.1\r\n")
        drops = asyncio.create_task(drip(connection.writer, b"X: y\r\n"))
        assert (await connection.answer()).status == 408
        drops.cancel()


async def drip(writer: asyncio.StreamWriter, drop: bytes) -> None:
    while not writer.is_closing():
        writer.write(drop)
        await asyncio.sleep(0.02)


async def test_a_connection_that_says_nothing_is_ended_without_a_word(strict: Served) -> None:
    async with strict.connection() as connection:
        assert await connection.rest() == b""


async def test_a_body_that_stops_is_given_up(strict: Served) -> None:
    async with strict.connection() as connection:
        await connection.send(post(b"x" * 10)[:-5])
        answer = await connection.answer()
        assert (answer.status, answer.problem["code"]) == (408, "request_timeout")
        assert await connection.rest() == b""


async def test_a_body_that_comes_drop_by_drop_is_given_up_after_its_whole_time(
    strict: Served,
) -> None:
    async with strict.connection() as connection:
        await connection.send(post(b"x" * 900)[:-899])
        drops = asyncio.create_task(drip(connection.writer, b"x"))
        assert (await connection.answer()).status == 408
        drops.cancel()


async def test_an_import_may_take_its_time_and_any_length(strict: Served) -> None:
    async with strict.connection() as connection:
        await connection.send(post(b"x" * 3_000, path=b"/imports?source=a")[:-2_900])
        for _ in range(29):
            await asyncio.sleep(0.02)
            await connection.send(b"x" * 100)
        assert (await connection.answer()).body == b"3000"


async def test_an_import_that_stops_is_given_up(strict: Served) -> None:
    async with strict.connection() as connection:
        await connection.send(post(b"x" * 3_000, path=b"/imports")[:-1])
        assert (await connection.answer()).status == 408


async def test_a_client_is_not_blamed_for_a_body_that_is_not_being_read(strict: Served) -> None:
    answer = await strict.exchange(post(b"x" * 1_000_000, path=b"/sleepy"))
    assert (answer.status, answer.body) == (200, b"1000000")


async def test_a_body_after_its_answer_has_no_more_time_than_others(strict: Served) -> None:
    async with strict.connection() as connection:
        await connection.send(post(b"x" * 10, path=b"/hasty")[:-5])
        assert (await connection.answer()).body == b"early"
        assert await connection.rest() == b""


async def test_a_length_over_the_limit_is_refused_before_the_body(strict: Served) -> None:
    async with strict.connection() as connection:
        await connection.send(post(b"x" * 1_001, b"Expect: 100-continue")[:-1_001])
        answer = await connection.answer()
        assert (answer.status, answer.problem["code"]) == (413, "body_too_large")


async def test_a_client_that_sends_all_the_same_can_read_why_it_was_refused(
    strict: Served,
) -> None:
    async with strict.connection() as connection:
        await connection.send(post(b"x" * 2_000_000))
        assert (await connection.answer()).status == 413


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /echo HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0, 5\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
        b"POST /echo HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n",
        b"GET /echo HTTP/1.1\nHost: h\n\n",
        b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET http://h HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_an_ambiguous_request_is_refused_and_nothing_behind_it_carried_out(
    patient: Served, request_: bytes
) -> None:
    async with patient.connection() as connection:
        await connection.send(request_ + SMUGGLED)
        answer = await connection.answer()
        assert (answer.status, answer.problem["code"]) == (400, "bad_http")
        assert await connection.rest() == b""


async def test_nothing_behind_the_last_request_is_carried_out(patient: Served) -> None:
    async with patient.connection() as connection:
        await connection.send(post(b"", b"Connection: close") + SMUGGLED)
        assert (await connection.answer()).headers["connection"] == "close"
        assert await connection.rest() == b""


async def test_what_is_wrong_behind_a_good_request_does_not_spoil_its_answer(
    patient: Served,
) -> None:
    async with patient.connection() as connection:
        await connection.send(post(b"good") + b"nonsense\r\n\r\n")
        answer = await connection.answer()
        assert (answer.status, answer.body) == (200, b"/echo|good")
        assert await connection.rest() == b""


async def test_a_chunked_body_is_read_and_its_trailers_are_not(patient: Served) -> None:
    chunked = (
        b"POST /names HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;ext=1\r\nabc\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
    )
    async with patient.connection() as connection:
        await connection.send(chunked + GET)
        assert (await connection.answer()).body == b"host,transfer-encoding"
        assert (await connection.answer()).status == 200


async def test_bytes_as_chunks_of_their_own_are_read(patient: Served) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"1\r\nx\r\n" * 30_000
    answer = await patient.exchange(head + body + b"0\r\n\r\n")
    assert answer.body == b"/echo|" + b"x" * 30_000


@pytest.mark.parametrize("wrapping", [b"1;" + b"a" * 300_000, b"0\r\nX: " + b"a" * 300_000])
async def test_a_body_that_is_nearly_all_wrapping_is_refused(
    patient: Served, wrapping: bytes
) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with patient.connection() as connection:
        await connection.send(head)
        for start in range(0, len(wrapping), 30_000):
            await connection.send(wrapping[start : start + 30_000])
        assert (await connection.answer()).status == 400


async def test_a_broken_chunk_ends_the_request_that_it_belongs_to(patient: Served) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await patient.exchange(head + b"3\r\nabcd\r\n0\r\n\r\n")
    assert answer.problem["code"] == "bad_http"


UPGRADE = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAM")


@pytest.mark.parametrize("pause", [False, True], ids=["one packet", "two packets"])
async def test_a_body_that_comes_with_an_offer_to_upgrade_is_read(
    patient: Served, *, pause: bool
) -> None:
    async with patient.connection() as connection:
        for body in (b"first", b"second"):
            request = post(body, *UPGRADE)
            await connection.send(request[: -len(body)])
            if pause:
                await asyncio.sleep(0.05)
            await connection.send(request[-len(body) :])
            assert (await connection.answer()).body == b"/echo|" + body
        await connection.send(GET)
        assert (await connection.answer()).status == 200


async def test_a_chunked_body_with_an_offer_to_upgrade_is_read(patient: Served) -> None:
    lines = [b"POST /echo HTTP/1.1", b"Host: h", b"Transfer-Encoding: chunked", *UPGRADE]
    chunked = b"\r\n".join(lines) + b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    async with patient.connection() as connection:
        await connection.send(chunked)
        assert (await connection.answer()).body == b"/echo|abc"
        await connection.send(GET)
        assert (await connection.answer()).status == 200


async def test_offers_to_upgrade_without_a_body_are_answered_as_they_are(patient: Served) -> None:
    offer = b"\r\n".join([b"GET /echo HTTP/1.1", b"Host: h", *UPGRADE]) + b"\r\n\r\n"
    async with patient.connection() as connection:
        await connection.send(offer * 20 + GET)
        for _ in range(21):
            assert (await connection.answer()).status == 200


async def test_a_request_hidden_in_the_body_of_an_offer_stays_a_body(patient: Served) -> None:
    async with patient.connection() as connection:
        await connection.send(post(SMUGGLED, *UPGRADE) + GET)
        assert (await connection.answer()).body == b"/echo|" + SMUGGLED
        assert b"smuggled" not in await connection.rest()


async def test_a_gzip_bomb_is_refused(patient: Served) -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    answer = await patient.exchange(post(bomb, b"Content-Encoding: gzip"))
    assert (answer.status, answer.problem["code"]) == (413, "body_too_large")


async def test_a_gzipped_body_is_read_whether_it_says_so_or_not(patient: Served) -> None:
    packed = gzip.compress(b"hello")
    for headers in ([b"Content-Encoding: gzip"], []):
        assert (await patient.exchange(post(packed, *headers))).body == b"/echo|hello"


async def test_many_slow_clients_do_not_hinder_a_good_one(strict: Served) -> None:
    async def slow() -> bytes:
        async with strict.connection() as connection:
            await connection.send(b"POST /echo HTTP/1.1\r\n")
            return await connection.rest()

    slow_ones = [asyncio.create_task(slow()) for _ in range(200)]
    async with httpx.AsyncClient(base_url=strict.url) as client:
        answers = [await client.post("/echo", content=b"x") for _ in range(50)]
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.startswith(b"HTTP/1.1 408") for answer in await asyncio.gather(*slow_ones))
