"""Erasure: what was erased, remembered by keyed digests alone; pure.

Nobody can tell from a digest what it is of, but whoever holds the deployment's pepper recognises
the thing when it comes again: an identifier, a touchpoint's identity, or a quarantined item.
"""

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from shared.identity.identifiers import KIND_PATTERN
from shared.identity.normalisation import normalise
from shared.records import (
    ErasedRecord,
    Event,
    RejectedData,
    RejectedRecord,
    TouchpointData,
    TouchpointRecord,
    erased_record,
)
from shared.touchpoints import Identifier

REFERRED_BY: Final = "referred_by"
ERASED_NAME: Final = "erased"
"""What stands in place of an erased referrer's name."""

_PURPOSE: Final = b"journeyline erasures"


class Erased(StrEnum):
    """What a digest is of."""

    IDENTIFIER = "identifier"
    """Of all that carries it, nothing received before the erasure is kept, nor, unless it is
    allowed again, anything received later."""
    TOUCHPOINT = "touchpoint"
    """A source and an event id; never stored again."""
    ITEM = "item"
    """A quarantined item."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """That something was erased: by which certificate, and what that keeps out.

    ``until`` is the time of the erasure where what was received later is let in, else None.
    """

    certificate: UUID
    until: datetime | None = None

    def keeps_out(self, received_at: datetime) -> bool:
        """Tell whether nothing may be kept of what was received at that time."""
        return self.until is None or received_at <= self.until


def in_force(
    found: Mapping[bytes, Remembered], received_at: datetime
) -> Mapping[bytes, Remembered]:
    """Return what of *found* concerns a record that was received at that time."""
    return {digest: one for digest, one in found.items() if one.keeps_out(received_at)}


@dataclass(frozen=True, slots=True)
class Digests:
    """Makes digests under one deployment's key."""

    key: bytes
    _begun: hmac.HMAC = field(init=False, compare=False)
    """Has taken the key in: a copy of it takes less than half as long as beginning anew."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_begun", hmac.new(self.key, digestmod=hashlib.sha256))

    @classmethod
    def under(cls, pepper: bytes) -> "Digests":
        """Return what makes digests for the deployment with *pepper*."""
        return cls(hmac.digest(pepper, _PURPOSE, hashlib.sha256))

    def __repr__(self) -> str:
        return "Digests(…)"

    def of_identifier(self, identifier: Identifier | str) -> bytes:
        """Return the digest of an identifier, which may be written ``kind:value``."""
        return self._digest(Erased.IDENTIFIER, str(identifier))

    def of_touchpoint(self, source: str, event_id: str) -> bytes:
        """Return the digest of a touchpoint's identity."""
        return self._digest(Erased.TOUCHPOINT, source, event_id)

    def of_item(self, quarantine_id: UUID | str) -> bytes:
        """Return the digest of a quarantined item."""
        return self._digest(Erased.ITEM, str(quarantine_id))

    def of_record(self, record: Event) -> tuple[list[bytes], list[bytes]]:
        """Return the digests of what a record is, and of the identifiers it carries."""
        if isinstance(record, TouchpointRecord):
            return [self.of_touchpoint(record.sender, record.id)], [
                self.of_identifier(identifier) for identifier in record.data.identifiers
            ]
        if isinstance(record, RejectedRecord):
            return self.of_refused(record.sender, UUID(record.id), record.data)
        return [], []

    def all_in(self, record: Event) -> list[bytes]:
        """Return every digest by which *record* may concern somebody, its referrer's included."""
        things, carried = self.of_record(record)
        referrer = referrer_in(record.data) if isinstance(record, TouchpointRecord) else None
        return [*things, *carried, *([self.of_identifier(referrer)] if referrer else ())]

    def named_things(self, record: Event) -> dict[bytes, Erased]:
        """Return the digests of what *record* is, and what kind of thing each is of."""
        things, _ = self.of_record(record)
        if isinstance(record, TouchpointRecord):
            return dict.fromkeys(things, Erased.TOUCHPOINT)
        return dict(zip(things, (Erased.ITEM, Erased.TOUCHPOINT), strict=False))

    def of_refused(
        self, source: str, quarantine_id: UUID, data: RejectedData
    ) -> tuple[list[bytes], list[bytes]]:
        """Return the digests of what a refused item is, and of the identifiers found in it."""
        things = [self.of_item(quarantine_id)]
        if data.event_id is not None:
            things.append(self.of_touchpoint(source, data.event_id))
        named = [
            name
            for held in (data.raw, data.item or b"")
            for name in named_in(held, phone_region=data.phone_region)
        ]
        return things, [self.of_identifier(identifier) for identifier in named]

    def _digest(self, kind: Erased, *parts: str) -> bytes:
        making = self._begun.copy()
        making.update("\0".join((kind, *parts)).encode("utf-8", "surrogatepass"))
        return making.digest()


def left_unread(record: Event, digests: Digests, found: Mapping[bytes, Remembered]) -> Event:
    """Return what may be left of a record that no classifier has read; itself if that is all.

    It is what the classifier would make of it: nothing of what is erased or carries an erased
    identifier, and a referrer without a name.

    Args:
        record: As it was appended.
        digests: Make those of *found*.
        found: What is erased of all that *record* holds.
    """
    things, carried = digests.of_record(record)
    if isinstance(record, ErasedRecord):
        return record
    found = in_force(found, record.data.received_at)
    if any(digest in found for digest in (*things, *carried)):
        return erased_record(record)
    referrer = referrer_in(record.data) if isinstance(record, TouchpointRecord) else None
    if (
        isinstance(record, TouchpointRecord)
        and referrer is not None
        and digests.of_identifier(referrer) in found
    ):
        return msgspec.structs.replace(record, data=without_referrer(record.data))
    return record


def referrer_in(data: TouchpointData) -> str | None:
    """Return whom a touchpoint names as its referrer, as it is written there."""
    referrer = data.properties.get(REFERRED_BY)
    return referrer if isinstance(referrer, str) else None


def without_referrer(data: TouchpointData) -> TouchpointData:
    """Return *data* with the referrer's name taken out; that there is one stays to be seen."""
    properties = {**data.properties, REFERRED_BY: ERASED_NAME}
    return msgspec.structs.replace(data, properties=properties)


class _Named(msgspec.Struct):
    customer: dict[str, object] = {}


_naming: Final = msgspec.json.Decoder(_Named)


def named_in(raw: bytes, *, phone_region: str | None) -> Collection[Identifier]:
    """Return the identifiers in a refused item, as far as it can be read.

    Args:
        raw: What is held of it.
        phone_region: Where its phone numbers without a country code are from, if that is known.
    """
    try:
        customer = _naming.decode(raw).customer
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return [
        Identifier(kind, normalise(kind, str(value), phone_region=phone_region).value)
        for kind, value in customer.items()
        if KIND_PATTERN.fullmatch(kind) and isinstance(value, str | int)
    ]
