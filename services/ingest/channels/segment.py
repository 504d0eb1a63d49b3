"""The Segment HTTP Tracking API, as SDKs of Segment, RudderStack, Customer.io and Jitsu speak it.

A request holds one message (``/v1/track``), or ``{"batch": [...]}`` beside which members stand that
hold for all of its messages. Whatever can be read is taken: a batch that is refused is a batch that
is lost, because SDKs do not send it again. The Content-Type is not looked at.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from types import MappingProxyType
from typing import Final

import msgspec

from services.ingest.channels.contract import Delivery, Document, Misfit, Read, Refused
from services.ingest.channels.segment_items import item_of
from services.ingest.channels.segment_messages import (
    BatchMembers,
    Kind,
    checked_message,
    coerced_message,
    sent_at_of,
)
from shared.acceptance.bodies import array_type, members_of
from shared.acceptance.hostile_bodies import cut_hostile, is_perhaps_hostile
from shared.acceptance.limits import ITEM_BYTES
from shared.acceptance.native import Given
from shared.acceptance.reasons import Reason
from shared.acceptance.values import ESCAPED_NUL, BadJsonError, object_without_nul, read_object
from shared.errors import Invalid, TooLarge, Unreadable
from shared.touchpoints import JsonObject

MOST_MESSAGES: Final = 2_500
MAX_BYTES_REPEATED: Final = 16 << 20
"""What the context of a batch may come to, once it is in each of its messages."""

KIND_OF_ROUTE: Final = MappingProxyType(
    {kind.value: kind for kind in Kind} | {kind.value[0]: kind for kind in Kind}
)
"""What a path takes that takes one message, by its last segment, in full or short."""

BATCH_ROUTES: Final = frozenset({"batch", "b", "import"})

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_NO_BATCH: Final = BatchMembers()
_SMALL: Final = 128 * 1024
"""Bytes in which no list can have so many members that it is a burden."""
_NOTHING: Final = msgspec.Raw(b"null")


class _Batch(msgspec.Struct):
    """The messages of a batch, and what stands beside them."""

    batch: list[msgspec.Raw]
    context: msgspec.Raw = _NOTHING
    sent_at: msgspec.Raw = msgspec.field(name="sentAt", default=_NOTHING)


class _WithKey(msgspec.Struct):
    write_key: str | None = msgspec.field(name="writeKey", default=None)

    def __repr__(self) -> str:
        return "_WithKey(…)"


_batch: Final = msgspec.json.Decoder(_Batch)
_with_key: Final = msgspec.json.Decoder(_WithKey)
_value: Final = msgspec.json.Decoder(object)


def read_segment(delivery: Delivery) -> Iterator[Read]:
    """Read a request to any path of the Tracking API.

    Raises:
        Unreadable: It is not JSON, or no batch where one belongs; code ``bad_json``,
            ``empty_body`` or ``no_batch``.
        TooLarge: It has more than MOST_MESSAGES; code ``too_many_items``.
    """
    body = delivery.body.removeprefix(_BYTE_ORDER_MARK).strip()
    if not body:
        raise Unreadable("The request's body is empty.", code="empty_body")
    route = delivery.path[-1]
    if route not in BATCH_ROUTES:
        yield _read_single(body, KIND_OF_ROUTE.get(route))
        return
    messages, members = _opened(body)
    for raw in messages:
        yield _read(bytes(raw), None, members)


def write_key_in(body: bytes) -> str | None:
    """Return the ``writeKey`` of a body; None if there is none that can be read."""
    try:
        return _with_key.decode(body.removeprefix(_BYTE_ORDER_MARK)).write_key
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _read_single(body: bytes, kind: Kind | None) -> Read:
    read = _read(body, kind, _NO_BATCH)
    if isinstance(read, Refused) and read.code == Reason.BAD_JSON:
        raise Unreadable(f"The body is not JSON: {read.message}.", code=Reason.BAD_JSON)
    return read


def _opened(body: bytes) -> tuple[Iterable[bytes | msgspec.Raw], BatchMembers]:
    """Return the messages of a batch, and what holds for all of them."""
    try:
        messages, context, sent_at = _split(body)
    except (msgspec.DecodeError, RecursionError) as error:
        messages, context, sent_at = _split_otherwise(body, error)
    if len(messages) > MOST_MESSAGES:
        raise TooLarge(
            f"The request holds more than {MOST_MESSAGES} messages; send fewer at a time.",
            code="too_many_items",
        )
    return messages, _members_beside(bytes(context), sent_at, len(messages))


def _split(body: bytes) -> tuple[tuple[bytes, ...] | list[msgspec.Raw], msgspec.Raw, msgspec.Raw]:
    if len(body) <= _SMALL:
        batch = _batch.decode(body)
        return batch.batch, batch.context, batch.sent_at
    messages, context, sent_at = msgspec.structs.astuple(_large_batch().decode(body))
    return members_of(messages), context, sent_at


@cache
def _large_batch() -> msgspec.json.Decoder[msgspec.Struct]:
    """Return a decoder that takes one message more than allowed and skips all others."""
    fields: list[tuple[str, type] | tuple[str, type, msgspec.Raw]] = [
        ("batch", array_type(MOST_MESSAGES)),
        ("context", msgspec.Raw, _NOTHING),
        ("sentAt", msgspec.Raw, _NOTHING),
    ]
    return msgspec.json.Decoder(msgspec.defstruct("LargeBatch", fields))


def _split_otherwise(
    body: bytes, error: Exception
) -> tuple[tuple[bytes, ...], msgspec.Raw, msgspec.Raw]:
    """Take a body apart that only the content of a message makes hard to read."""
    if isinstance(error, msgspec.ValidationError):
        message = 'The body must be an object with an array "batch".'
        raise Unreadable(message, code="no_batch") from None
    if is_perhaps_hostile(body):
        messages, rest = cut_hostile(body, b"batch", MOST_MESSAGES)
        with suppress(msgspec.DecodeError, RecursionError):
            return (messages, *_split(rest)[1:])
    raise Unreadable(f"The body is not JSON: {error}.", code=Reason.BAD_JSON) from None


def _members_beside(context: bytes, sent_at: msgspec.Raw, messages: int) -> BatchMembers:
    """Read what holds for all messages of a batch.

    Raises:
        TooLarge: The context, repeated in each of them, is; code ``body_too_large``.
    """
    sent = sent_at_of(_lenient(sent_at))
    if len(context) <= len(_NOTHING):
        return BatchMembers(None, sent)
    if len(context) * messages > MAX_BYTES_REPEATED:
        message = "the batch's context is too large to hold for so many messages: send it in parts"
        raise TooLarge(message, code="body_too_large")
    try:
        value = object_without_nul(read_object(context))
    except (BadJsonError, Invalid) as error:
        return BatchMembers(None, sent, misfit=Misfit("context", Reason.INVALID_VALUE, str(error)))
    return BatchMembers(value, sent, len(context))


def _lenient(raw: msgspec.Raw) -> object:
    try:
        return _value.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _read(raw: bytes, kind: Kind | None, members: BatchMembers) -> Read:
    if len(raw) + members.size > ITEM_BYTES:
        told = f"a message must be at most {ITEM_BYTES} bytes, the context of its batch included"
        return Refused(Reason.ITEM_TOO_LARGE, told, raw)
    message = None if ESCAPED_NUL in raw else checked_message(raw)
    try:
        if message is not None:
            return Document(item_of(message, kind, members), raw)
        return _read_kindly(raw, kind, members)
    except Misfit as misfit:
        return misfit.refused(raw, _message_id_in(raw))


def _read_kindly(raw: bytes, kind: Kind | None, members: BatchMembers) -> Read:
    """Read a message that is not as it should be; its limits are checked where it is judged."""
    try:
        message = coerced_message(read_object(raw))
    except BadJsonError as error:
        return Refused(Reason.BAD_JSON, str(error), raw)
    except Invalid as error:
        path = error.faults[0].path
        return Refused(error.code, error.message, raw, path, _message_id_in(raw))
    item = item_of(message, kind, members)
    return Document(_members_of_item(item), raw)


def _members_of_item(item: Given) -> JsonObject:
    return {name: value for name in item.__struct_fields__ if (value := getattr(item, name))}


class _WithId(msgspec.Struct):
    message_id: str | None = msgspec.field(name="messageId", default=None)


_with_id: Final = msgspec.json.Decoder(_WithId)


def _message_id_in(raw: bytes) -> str | None:
    try:
        return _with_id.decode(raw).message_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
