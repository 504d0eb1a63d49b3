"""CloudEvents 1.0 over HTTP: binary, structured and batched, and JSON that holds such events.

Some senders (Twilio's Event Streams) put structured events under ``application/json``, one or an
array of them; they are known by their ``specversion``.

Source: the CloudEvents specification 1.0, "HTTP Protocol Binding" and "JSON Event Format".
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from services.ingest.channels.cloudevents_items import Event, document_of
from services.ingest.channels.contract import Delivery, Misfit, Read, Refused
from shared.acceptance.bodies import split
from shared.acceptance.reasons import Reason
from shared.acceptance.values import BadJsonError, read_object
from shared.errors import Invalid, Unreadable, UnsupportedMedia
from shared.touchpoints import JsonObject

_PREFIX: Final = b"ce-"
_STRUCTURED: Final = "application/cloudevents"
_STRUCTURED_JSON: Final = frozenset(
    {"application/cloudevents+json", "application/cloudevents-batch+json"}
)
_JSON: Final = frozenset({"", "application/json", "text/json"})
_CHARSETS: Final = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_QUOTED: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)


def read_cloudevents(delivery: Delivery) -> Iterator[Read]:
    """Read one event, or an array of them, of which any may be refused alone.

    Raises:
        Unreadable: It is not JSON, or nothing in it is an event; code ``bad_json``,
            ``empty_body`` or ``bad_event``.
        UnsupportedMedia: It is in another format.
        TooLarge: There are too many events; code ``too_many_items``.
    """
    media, charset = _media_type(delivery.headers)
    if charset not in _CHARSETS:
        raise UnsupportedMedia("events must be in UTF-8")
    if not media.startswith(_STRUCTURED) and _is_binary(delivery.headers):
        yield _read_binary(delivery, media)
    elif media in _STRUCTURED_JSON or media in _JSON:
        yield from _read_json(delivery.body, is_batch="batch" in media)
    else:
        raise UnsupportedMedia(
            "send an event as application/cloudevents+json, several as "
            "application/cloudevents-batch+json, or its attributes as ce- headers"
        )


def _media_type(headers: Mapping[bytes, bytes]) -> tuple[str, str]:
    """Return the media type and the charset of a request, in lower case; empty where not given."""
    media, *parameters = headers.get(b"content-type", b"").decode("latin-1").lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            return media.strip(), value.strip().strip('"')
    return media.strip(), ""


def _is_binary(headers: Mapping[bytes, bytes]) -> bool:
    return any(name.startswith(_PREFIX) for name in headers)


def _read_binary(delivery: Delivery, media: str) -> Read:
    try:
        attributes: JsonObject = {
            name.removeprefix(_PREFIX).decode("latin-1"): header_value(value)
            for name, value in delivery.headers.items()
            if name.startswith(_PREFIX)
        }
        event = Event.of(attributes).with_body(delivery.body, media)
    except Misfit as misfit:
        raise _no_event(misfit) from None
    except Invalid as error:
        return _over_limit(error, delivery.body)
    return document_of(event, delivery.body)


def header_value(value: bytes) -> str:
    """Return the text of an attribute that came as a header: unquoted, then percent-decoded, once.

    Raises:
        Misfit: It is no UTF-8 then, or a quote has no end.
    """
    quoted = _QUOTED.fullmatch(value)
    if quoted is not None:
        value = _ESCAPED.sub(rb"\1", quoted[1])
    elif value.startswith(b'"'):
        raise Misfit("a ce- header", Reason.INVALID_VALUE, "must end its quote")
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        message = "must be UTF-8 once it is percent-decoded"
        raise Misfit("a ce- header", Reason.INVALID_VALUE, message) from None


def _read_json(body: bytes, *, is_batch: bool) -> Iterator[Read]:
    sent = split(body)
    if sent.as_lines or (is_batch and not body.lstrip().startswith((b"[", b"\xef\xbb\xbf"))):
        raise Unreadable("The body must be a JSON array of events.", code=Reason.BAD_JSON)
    reads: list[Read] = []
    misfits: list[Misfit] = []
    for raw in sent.items:
        try:
            reads.append(document_of(Event.of(_members_in(raw)), raw))
        except Misfit as misfit:
            misfits.append(misfit)
            reads.append(misfit.refused(raw))
        except Invalid as error:
            reads.append(_over_limit(error, raw))
    if misfits and len(misfits) == len(reads):
        raise _no_event(misfits[0])
    yield from reads


def _members_in(raw: bytes) -> JsonObject:
    try:
        return read_object(raw)
    except BadJsonError as error:
        raise Misfit("", Reason.BAD_JSON, f"an event must be JSON: {error}") from None
    except Invalid as error:
        if error.code == Reason.NOT_AN_OBJECT:
            raise Misfit("", Reason.NOT_AN_OBJECT, "an event must be a JSON object") from None
        raise


def _over_limit(error: Invalid, raw: bytes) -> Refused:
    return Refused(error.code, error.message, raw, error.faults[0].path)


def _no_event(misfit: Misfit) -> Unreadable:
    return Unreadable(f"This is no CloudEvent 1.0: {misfit.message}.", code="bad_event")
