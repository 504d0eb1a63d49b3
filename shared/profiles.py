"""Profiles: what a customer's touchpoints add up to, apart from any stage model.

A profile is a commutative fold: counts add, first and last contact are a minimum and a maximum,
and of each trait the writer with the latest place wins. So touchpoints may come in any order, and
two customers who turn out to be one are merged without reading their history again.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import msgspec

from shared.touchpoints import JsonObject, JsonValue, Place, Touchpoint


class Contact(NamedTuple):
    """One touchpoint of a profile, by its place, and the channel and type it had."""

    at: int
    source: str
    event_id: str
    channel: str
    type: str

    @classmethod
    def of(cls, touchpoint: Touchpoint) -> Self:
        """Return *touchpoint* as a contact."""
        return cls(*touchpoint.place, touchpoint.channel, touchpoint.type)


class TraitWrite(NamedTuple):
    """The latest write of one trait; a value of None unsets it."""

    at: int
    source: str
    event_id: str
    value: JsonValue

    @property
    def place(self) -> Place:
        """Where the write stands in canonical order."""
        return Place(self.at, self.source, self.event_id)


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The sum of a non-empty set of touchpoints."""

    total: int
    by_channel: dict[str, int]
    first: Contact
    last: Contact
    traits: dict[str, TraitWrite]

    @classmethod
    def of(cls, touchpoint: Touchpoint) -> Self:
        """Return the profile of one touchpoint."""
        contact = Contact.of(touchpoint)
        place = touchpoint.place
        return cls(
            total=1,
            by_channel={touchpoint.channel: 1},
            first=contact,
            last=contact,
            traits={key: TraitWrite(*place, value) for key, value in touchpoint.traits.items()},
        )

    @classmethod
    def decode(cls, text: str | bytes) -> Self:
        """Read what ``encode`` wrote."""
        return msgspec.json.decode(text, type=cls)

    def encode(self) -> str:
        """Write the profile as JSON; equal profiles give equal text."""
        return msgspec.json.encode(self, order="sorted").decode()

    def merge(self, other: Self) -> Self:
        """Return the profile of both sets of touchpoints together; they share none."""
        return type(self)(
            total=self.total + other.total,
            by_channel=_added(self.by_channel, other.by_channel),
            first=min(self.first, other.first),
            last=max(self.last, other.last),
            traits=_latest(self.traits, other.traits),
        )

    def present_traits(self) -> JsonObject:
        """Return the traits as they stand now, sorted by key, without those unset."""
        writes = sorted(self.traits.items())
        return {key: write.value for key, write in writes if write.value is not None}


def profile_of(touchpoints: Iterable[Touchpoint], so_far: Profile | None = None) -> Profile | None:
    """Add *touchpoints*, in any order, to *so_far*; None only where there are none at all."""
    for touchpoint in touchpoints:
        single = Profile.of(touchpoint)
        so_far = single if so_far is None else so_far.merge(single)
    return so_far


def _added(ours: Mapping[str, int], theirs: Mapping[str, int]) -> dict[str, int]:
    return {key: ours.get(key, 0) + theirs.get(key, 0) for key in {*ours, *theirs}}


def _latest(
    ours: Mapping[str, TraitWrite], theirs: Mapping[str, TraitWrite]
) -> dict[str, TraitWrite]:
    if not theirs:
        return dict(ours)
    latest = dict(ours)
    for key, write in theirs.items():
        known = latest.get(key)
        if known is None or known.place < write.place:
            latest[key] = write
    return latest
