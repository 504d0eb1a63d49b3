"""The catalogue of touchpoint types: data that comes with the product, read once; pure."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import msgspec

from shared.journey.reading.text import read_text
from shared.sources import Vendor
from shared.touchpoints import Channel, JsonObject

_FILE: Final = "touchpoint_types.yaml"


class Direction(StrEnum):
    """Who did something."""

    INBOUND = "inbound"
    """The customer."""
    OUTBOUND = "outbound"
    """Somebody else, or something on the way: no sign of life of the customer."""


class TouchpointType(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue.

    Attributes:
        key: The type as touchpoints carry it.
        description: One sentence.
        channels: Where it usually takes place.
        example: A touchpoint in the native form, complete.
        direction: Who did it.
        friction: Whether it hurts; where that depends, tests by path, as in a matcher's ``where``.
        aliases: Other types that mean the same.
        vendors: Whose webhooks become it.
        properties: What it may tell: a JSON Schema by name, each with a description.
        required: Which of them it always tells.
    """

    key: str
    description: str
    channels: tuple[Channel, ...]
    example: JsonObject
    direction: Direction = Direction.INBOUND
    friction: bool | dict[str, JsonObject] = False
    aliases: tuple[str, ...] = ()
    vendors: tuple[Vendor, ...] = ()
    properties: Mapping[str, JsonObject] = MappingProxyType({})
    required: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The key and its aliases."""
        return (self.key, *self.aliases)


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry as the file has it: properties by name, channel and type not in the example."""

    description: str
    channels: tuple[Channel, ...]
    example: JsonObject
    direction: Direction = Direction.INBOUND
    friction: bool | dict[str, JsonObject] = False
    aliases: tuple[str, ...] = ()
    vendors: tuple[Vendor, ...] = ()
    properties: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    properties: dict[str, JsonObject]
    types: dict[str, _Entry]


@cache
def touchpoint_types() -> Mapping[str, TouchpointType]:
    """Return the catalogue by key, in its order."""
    text = (files(__package__) / _FILE).read_text(encoding="utf-8")
    file = msgspec.convert(read_text(text), _File)
    return MappingProxyType({key: _type(key, entry, file) for key, entry in file.types.items()})


@cache
def catalogued_names() -> frozenset[str]:
    """Return every type that the catalogue knows, aliases included."""
    return frozenset(_names())


def _names() -> Iterator[str]:
    for kind in touchpoint_types().values():
        yield from kind.names


def _type(key: str, entry: _Entry, file: _File) -> TouchpointType:
    return TouchpointType(
        key=key,
        description=entry.description,
        channels=entry.channels,
        example={"type": key, "channel": entry.channels[0].value, **entry.example},
        direction=entry.direction,
        friction=entry.friction,
        aliases=entry.aliases,
        vendors=entry.vendors,
        properties={name: file.properties[name] for name in entry.properties},
        required=entry.required,
    )
