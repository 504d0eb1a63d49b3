"""The wire of the log: what ingest appends and the classifier reads.

Every record is one CloudEvent 1.0 in structured JSON mode, so that any consumer of the topic can
read it. There are two types: an accepted touchpoint, and a rejected item on its way into the
quarantine. A third takes the place of either where a person was erased from the log. The record's
key is the touchpoint's primary identifier (``kind:value``), or the quarantine id.
"""

from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

import msgspec

from shared.errors import Fault
from shared.instants import instant_of
from shared.touchpoints import Channel, Identifier, JsonObject, Touchpoint

SOURCE_PREFIX: Final = "/sources/"
RAW_KEPT_BYTES: Final = 65_536
"""How much of a rejected item's raw bytes is kept."""


class TouchpointData(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """An accepted touchpoint, normalised, with everything that a fold or a reader may need.

    ``identifiers`` are ``kind:value``, the primary one first. ``occurred_at`` and ``sent_at`` are
    as the sender gave them, None where it gave none; ``effective_at`` is fixed here once.
    """

    type: str
    channel: Channel
    identifiers: tuple[str, ...]
    received_at: datetime
    effective_at: datetime
    occurred_at: datetime | None = None
    sent_at: datetime | None = None
    properties: JsonObject = {}
    context: JsonObject = {}
    traits: JsonObject = {}
    text: str | None = None
    flags: tuple[str, ...] = ()
    links: bool = True
    """False where the source's setting keeps this touchpoint from linking identifiers."""
    historical: bool = False
    redrive_of: UUID | None = None
    """The quarantine id this touchpoint was repaired from."""


class RejectedData(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """An item that ingest refused, with its reason and its first 64 KiB as sent.

    ``raw`` travels as base64; ``raw_length`` and ``raw_sha256`` are of the whole item. ``event_id``
    is what the sender gave, where it could be read. Where ``raw`` is no touchpoint in the native
    form, ``format`` names the wire format, and ``item`` is the touchpoint that was read out of it,
    as JSON, if that could be done and it is short enough. ``phone_region`` is the source's: an
    erasure recognises phone numbers without a country code by it.
    """

    reason: str
    message: str
    received_at: datetime
    raw: bytes
    raw_length: int
    raw_sha256: str
    event_id: str | None = None
    errors: tuple[Fault, ...] = ()
    channel: Channel | None = None
    format: str | None = None
    item: bytes | None = None
    phone_region: str | None = None


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=False):
    id: str
    source: str
    time: datetime
    specversion: str = "1.0"
    datacontenttype: str = "application/json"

    @property
    def sender(self) -> str:
        """The name of the source that posted this."""
        return self.source.removeprefix(SOURCE_PREFIX)


class TouchpointRecord(_Envelope, frozen=True, kw_only=True, tag="journeyline.touchpoint.accepted"):
    """An accepted touchpoint in its envelope; ``id`` is the touchpoint's event id."""

    data: TouchpointData

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        """What the touchpoint carries; it belongs to the first one.

        Raises:
            ValueError: There is none, or one is not ``kind:value``.
        """
        if not self.data.identifiers:
            raise ValueError("a touchpoint needs an identifier")
        return tuple(_identifier(text) for text in self.data.identifiers)

    @property
    def touchpoint(self) -> Touchpoint:
        """The touchpoint as a stage model sees it."""
        data = self.data
        return Touchpoint(
            source=self.sender,
            event_id=self.id,
            at=instant_of(data.effective_at),
            channel=data.channel.value,
            type=data.type,
            properties=data.properties,
            context=data.context,
            traits=data.traits,
        )


class RejectedRecord(_Envelope, frozen=True, kw_only=True, tag="journeyline.touchpoint.rejected"):
    """A rejected item in its envelope; ``id`` is its quarantine id, a UUID."""

    data: RejectedData


class ErasedData(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What is left of an erased record: when it was received, and whether it had been accepted."""

    received_at: datetime
    accepted: bool = True


class ErasedRecord(_Envelope, frozen=True, kw_only=True, tag="journeyline.touchpoint.erased"):
    """What stands on the log in place of a record that was erased; ``id`` is empty."""

    data: ErasedData


Record: TypeAlias = TouchpointRecord | RejectedRecord
"""What is appended."""

Event: TypeAlias = Record | ErasedRecord
"""What may be read: erased records too."""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[Record]] = msgspec.json.Decoder(Record)
_event_decoder: Final[msgspec.json.Decoder[Event]] = msgspec.json.Decoder(Event)


def touchpoint_record(source: str, event_id: str, data: TouchpointData) -> TouchpointRecord:
    """Put *data* into its envelope."""
    return TouchpointRecord(
        id=event_id, source=SOURCE_PREFIX + source, time=data.received_at, data=data
    )


def rejected_record(source: str, quarantine_id: UUID, data: RejectedData) -> RejectedRecord:
    """Put *data* into its envelope."""
    return RejectedRecord(
        id=str(quarantine_id), source=SOURCE_PREFIX + source, time=data.received_at, data=data
    )


def erased_record(record: Record) -> ErasedRecord:
    """Return what is left of *record* once it is erased: its source, and the time of receipt."""
    received_at = record.data.received_at
    data = ErasedData(received_at=received_at, accepted=isinstance(record, TouchpointRecord))
    return ErasedRecord(id="", source=record.source, time=received_at, data=data)


def key_of(record: Record) -> bytes:
    """Return the log key that keeps one customer's records in one partition."""
    key = record.data.identifiers[0] if isinstance(record, TouchpointRecord) else record.id
    return key.encode()


def encode(record: Event) -> bytes:
    """Write *record* as structured-mode JSON."""
    return _encoder.encode(record)


def decode(value: bytes) -> Record:
    """Read what ``encode`` wrote.

    Raises:
        msgspec.DecodeError: *value* is no such record.
    """
    return _decoder.decode(value)


def decode_event(value: bytes) -> Event:
    """Read what ``encode`` wrote, also what is left of an erased record.

    Raises:
        msgspec.DecodeError: *value* is no such record.
    """
    return _event_decoder.decode(value)


def _identifier(text: str) -> Identifier:
    kind, colon, value = text.partition(":")
    if not (kind and colon and value):
        raise ValueError(f"{text!r} is not kind:value")
    return Identifier(kind, value)
