"""CloudEvents as touchpoints; pure."""

import base64
import binascii
import hashlib
from dataclasses import dataclass, replace
from typing import Final, Self

from services.ingest.channels.contract import Document, Misfit
from shared.acceptance.limits import LONGEST_NAME
from shared.acceptance.loose_times import loose_rfc3339
from shared.acceptance.reasons import Reason
from shared.acceptance.times import read_time
from shared.acceptance.values import BadJsonError, read_any
from shared.touchpoints import Channel, JsonObject, JsonValue

_REQUIRED: Final = ("id", "source", "type")
_DATA: Final = ("data", "data_base64")
_USER: Final = ("user_id", "customer_id")
_IDENTIFIERS: Final = ("email", "phone", "anonymous_id", "loyalty_id", "crm_id")
_CHANNELS: Final = frozenset(channel.value for channel in Channel)


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its attributes, extensions among them, and its data, of which there may be none.

    ``id``, ``source`` and ``type`` are there, and strings; so are ``subject`` and ``time``, or
    there is none of it.
    """

    attributes: JsonObject
    data: JsonValue = None

    @classmethod
    def of(cls, members: JsonObject) -> Self:
        """Take an event from the members of its JSON, or from its headers.

        Raises:
            Misfit: It is no CloudEvent 1.0.
            Invalid: Its data are over a limit.
        """
        if members.get("specversion") != "1.0":
            raise Misfit("specversion", Reason.INVALID_VALUE, 'must be "1.0"')
        attributes = {
            name: value
            for name, value in members.items()
            if name not in _DATA and value is not None
        }
        for name in _REQUIRED:
            if not isinstance(attributes.get(name), str) or not attributes[name]:
                raise Misfit(name, Reason.REQUIRED, "must be given, as a string")
        for name in ("subject", "time"):
            if not isinstance(attributes.get(name, ""), str):
                raise Misfit(name, Reason.INVALID_TYPE, "must be a string")
        _check_time(attributes.get("time"))
        return cls(attributes, _data_in(members))

    def with_body(self, body: bytes, media: str) -> Self:
        """Return the event with the body of its request, of type *media*, as its data.

        Raises:
            Misfit: It says that it is JSON, and is not.
            Invalid: It is over a limit.
        """
        if not body:
            return self
        attributes = {**self.attributes, "datacontenttype": media} if media else self.attributes
        return replace(self, attributes=attributes, data=_decoded(body, media))

    @property
    def touchpoint_id(self) -> str:
        """What makes it unique: source and id, or their digest if that is longer than an id."""
        text = f"{self.attributes['source']}#{self.attributes['id']}"
        if len(text) <= LONGEST_NAME:
            return text
        return hashlib.sha256(text.encode()).hexdigest()


def document_of(event: Event, raw: bytes) -> Document:
    """Return *event* in the native form: data are its properties, the subject its user."""
    data = event.data if isinstance(event.data, dict) else {}
    properties = data if data or event.data is None else {"data": event.data}
    item: JsonObject = {
        "event_id": event.touchpoint_id,
        "type": event.attributes["type"],
        "customer": _customer(event, data),
        "channel": _channel(event, data),
        "occurred_at": loose_rfc3339(event.attributes.get("time")),
        "properties": properties,
        "context": {"cloudevent": _remembered(event)},
    }
    return Document(item, raw)


def _check_time(time: JsonValue) -> None:
    if time is None:
        return
    try:
        read_time(loose_rfc3339(time) or "")
    except ValueError:
        message = "must be an RFC 3339 time such as 2026-01-05T10:00:00Z"
        raise Misfit("time", Reason.INVALID_TIME, message) from None


def _data_in(members: JsonObject) -> JsonValue:
    encoded = members.get("data_base64")
    if encoded is None:
        return members.get("data")
    if members.get("data") is not None:
        raise Misfit("data_base64", Reason.INVALID_VALUE, "must not stand beside data")
    if not isinstance(encoded, str):
        raise Misfit("data_base64", Reason.INVALID_TYPE, "must be a string")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise Misfit("data_base64", Reason.INVALID_VALUE, "must be Base64") from None
    return _decoded(data, _media(members))


def _media(members: JsonObject) -> str:
    media = members.get("datacontenttype")
    return media.partition(";")[0].strip().lower() if isinstance(media, str) else ""


def _decoded(body: bytes, media: str) -> JsonValue:
    """Return data as JSON, or as text, or as Base64 of what is neither."""
    is_json = media in ("application/json", "text/json") or media.endswith("+json")
    if is_json or not media:
        try:
            return read_any(body)
        except BadJsonError as error:
            if is_json:
                raise Misfit("data", Reason.BAD_JSON, f"must be JSON: {error}") from None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()


def _customer(event: Event, data: JsonObject) -> JsonObject:
    named = data.get("customer")
    customer: JsonObject = dict(named) if isinstance(named, dict) else {}
    subject = event.attributes.get("subject")
    users = [subject, *(data.get(name) for name in _USER)]
    found = {"user_id": next((user for user in users if _is_name(user)), None)}
    found.update({name: data.get(name) for name in _IDENTIFIERS})
    return {**customer, **{kind: value for kind, value in found.items() if _is_name(value)}}


def _is_name(value: JsonValue) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int) and not isinstance(value, bool)


def _channel(event: Event, data: JsonObject) -> JsonValue:
    said = (data.get("channel"), event.attributes.get("channel"))
    return next((name for name in said if isinstance(name, str) and name in _CHANNELS), None)


def _remembered(event: Event) -> JsonObject:
    """Return what of the envelope has no place of its own in a touchpoint."""
    elsewhere = ("specversion", "type", "time", "subject")
    return {name: value for name, value in event.attributes.items() if name not in elsewhere}
