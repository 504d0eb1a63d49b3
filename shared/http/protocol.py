"""HTTP/1.1 as uvicorn speaks it, with limits to what a client may do to a connection.

uvicorn's own protocol waits for ever for the rest of a request, takes a header of any length, and
loses the body of a request that offers to upgrade. Here a head has a size and a time, a body has a
length and a time; what is refused is answered with a problem, after which the connection ends.
"""

import asyncio
from enum import IntEnum
from typing import ClassVar, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from shared.errors import JourneylineError, Unreadable
from shared.http.asgi import new_request_id
from shared.http.front import SECURITY_HEADERS
from shared.http.limits import (
    Limits,
    body_header,
    framing_of,
    head_too_large,
    is_import,
    refusal_of_framing,
    size_of_head,
)
from shared.http.problems import RequestTimeout, problem
from shared.metrics import HTTP_REFUSED

_FRAMING_BYTES: Final = 64 * 1024
_FRAMING_RATIO: Final = 16
"""How many bytes of chunk sizes, extensions and trailers a byte of a body may come with."""


class _Phase(IntEnum):
    """What the next byte of a connection belongs to."""

    IDLE = 0
    HEAD = 1
    BODY = 2


_IDLE: Final = _Phase.IDLE
_HEAD: Final = _Phase.HEAD
_BODY: Final = _Phase.BODY


class GuardedProtocol(HttpToolsProtocol):
    """One connection; ``with_limits`` makes the class that uvicorn is given.

    Most requests come as one packet: nothing here sets a timer, or counts a byte, for those.
    """

    limits: ClassVar[Limits] = Limits()

    # Of one connection; defaults here, because uvicorn owns the constructor.
    _number = 1
    _phase = _HEAD
    _watched = (1, _HEAD)
    _timer: asyncio.TimerHandle | None = None
    _silent = True
    _handed_on = False
    _packet_bytes = 0
    _head_bytes = 0
    _others_bytes = 0
    _body_began = 0.0
    _last_byte = 0.0
    _wire_bytes = 0
    _body_bytes = 0
    _body_header = b""
    _refused = False
    _refusal: JourneylineError | None = None

    @classmethod
    def with_limits(cls, limits: Limits) -> "type[GuardedProtocol]":
        """Return this protocol with other *limits*."""
        return type(cls.__name__, (cls,), {"limits": limits})

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self._arm(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._silent = False
        self._packet_bytes = len(data)
        number, phase = self._number, self._phase
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offered:
            self._decline_upgrades(memoryview(data)[offered.args[0] :])
        except httptools.HttpParserError:
            self._refuse_unparsed()
        if self._refused:
            return
        if self._phase is not _IDLE:
            self._measure(number, phase)
            self._watch()
        elif self._timer is not None:
            self._disarm()

    def on_message_begin(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if self._phase is _IDLE:
            self._number += 1
            self._head_bytes = self._others_bytes = 0
        self._phase = _HEAD
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        self._check_head()
        super().on_headers_complete()
        self._handed_on = True
        self._phase = _BODY
        self._wire_bytes = self._body_bytes = 0
        self.headers = []  # trailers, which must not join the headers after the fact, go here

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._body_header:
            self.finish_message()
        # else the parser takes the body for another protocol's; it is still to come

    def finish_message(self) -> None:
        """Note that the body of the request has come to its end."""
        self._phase = _IDLE
        super().on_message_complete()

    def refuse(self, error: JourneylineError) -> None:
        """Answer with *error* as soon as what came before is answered, and end the connection."""
        self._refused = True
        self._disarm()
        HTTP_REFUSED.labels(error.code).inc()
        if self._phase is not _BODY and self._owes_answer():
            self.cycle.keep_alive = False  # the last answer that is owed ends the connection
        elif self._phase is not _BODY:
            self._answer(error)
        elif self.pipeline or self.cycle.response_started:
            self.transport.close()
        else:
            self.cycle.disconnected = True  # whatever the application still says goes nowhere
            self.cycle.message_event.set()
            self._answer(error)

    def _owes_answer(self) -> bool:
        return self._handed_on and not self.cycle.response_complete

    def _check_head(self) -> None:
        """Raise what a request is refused with whose head is complete, and not sound."""
        framing = framing_of(self.headers)
        refusal = refusal_of_framing(self.limits, self.url, framing, self.parser.get_http_version())
        if self._head_bytes + self._packet_bytes > self.limits.head_bytes:
            size = size_of_head(self.url, self.headers)
            refusal = head_too_large(self.limits) if size > self.limits.head_bytes else refusal
        if refusal is not None:
            self._refusal = refusal
            raise refusal
        self._body_header = body_header(framing) if self.parser.should_upgrade() else b""

    def _refuse_unparsed(self) -> None:
        self.refuse(self._refusal or Unreadable("this is not HTTP/1.1", code="bad_http"))

    def _decline_upgrades(self, rest: memoryview) -> None:
        """Go on with HTTP/1.1 in *rest*, which comes after an offer of another protocol.

        The Java HTTP client offers h2c with every first request, also with a body, which the
        parser leaves out then: a parser of its own reads it, behind a head that offers nothing.
        """
        while True:
            if self._phase is _BODY:
                self.parser = httptools.HttpRequestParser(_BodyOfUpgrade(self))
                self.parser.feed_data(b"POST / HTTP/1.1\r\n" + self._body_header + b"\r\n")
                self._body_header = b""
            try:
                self.parser.feed_data(rest)
            except httptools.HttpParserUpgrade as offered:
                rest = rest[offered.args[0] :]
            except httptools.HttpParserError:
                return self._refuse_unparsed()
            else:
                return None

    def _measure(self, number: int, phase: _Phase) -> None:
        """Refuse a head, or what a body is wrapped in, that is too large to be kept.

        Args:
            number: Of the request that the packet's first byte belonged to.
            phase: Of that request, at that byte.
        """
        goes_on = number == self._number and phase is self._phase
        if self._phase is _HEAD:
            self._head_bytes += self._packet_bytes
            if not goes_on and not (phase is _IDLE and number == self._number - 1):
                self._others_bytes = self._packet_bytes  # it began somewhere inside the packet
            if self._head_bytes - self._others_bytes > self.limits.head_bytes:
                self.refuse(head_too_large(self.limits))
        elif goes_on:
            self._wire_bytes += self._packet_bytes
            framing = self._wire_bytes - self._body_bytes
            if framing > _FRAMING_BYTES + _FRAMING_RATIO * self._body_bytes:
                self.refuse(Unreadable("the body is hardly more than its chunks", code="bad_http"))

    def _watch(self) -> None:
        """Keep a timer for what is being sent now, and has not been sent as a whole."""
        if self._refused:
            return
        stage = (self._number, self._phase)
        if stage != self._watched:
            self._watched = stage
            self._disarm()
            if self._phase is _HEAD:
                self._arm(self.limits.head_seconds)
            elif self._phase is _BODY:
                self._body_began = self._last_byte = self.loop.time()
                self._arm(self._body_time_left())
        elif self._phase is _BODY:
            self._last_byte = self.loop.time()

    def _body_time_left(self) -> float:
        idle = self._last_byte + self.limits.body_idle_seconds
        whole = self._body_began + self.limits.body_seconds
        ends = idle if is_import(self.limits, self.url) else min(idle, whole)
        return ends - self.loop.time()

    def _late(self) -> None:
        self._timer = None
        if self._phase is _BODY and self.flow.read_paused:
            self._last_byte = self.loop.time()  # it is the application that is slow
            self._arm(self.limits.body_idle_seconds)
        elif self._phase is _BODY and (left := self._body_time_left()) > 0:
            self._arm(left)
        elif self._silent:
            self.transport.close()
        else:
            self.refuse(RequestTimeout("the request took too long to arrive"))

    def _answer(self, error: JourneylineError) -> None:
        """Write the problem of *error*, then throw away what comes until the client has read it."""
        identity = new_request_id()
        status, headers, body = problem(error, identity)
        fields = [
            *self.server_state.default_headers,
            *headers,
            *SECURITY_HEADERS,
            (b"x-request-id", identity.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(self.limits.linger_seconds, self.transport.close)

    def _arm(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _BodyOfUpgrade:
    """What a parser tells that reads only the body of a request, behind a head made for it."""

    def __init__(self, protocol: GuardedProtocol) -> None:
        self._protocol = protocol
        self._heads = 0

    def on_message_begin(self) -> None:
        self._heads += 1
        if self._heads > 1:
            raise Unreadable("another request came before the answer to an offer to upgrade")

    def on_body(self, body: bytes) -> None:
        self._protocol.on_body(body)

    def on_message_complete(self) -> None:
        self._protocol.finish_message()
        self._protocol.parser = httptools.HttpRequestParser(self._protocol)
