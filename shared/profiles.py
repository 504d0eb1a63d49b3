"""Profiles: what a customer's touchpoints add up to, apart from any stage model.

A profile is a commutative fold: counts add, first and last contact are a minimum and a maximum,
and of each trait the writer with the latest place wins. So touchpoints may come in any order, and
two customers who turn out to be one are merged without reading their history again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple, Self

import msgspec

from shared.touchpoints import JsonObject, JsonValue, Place, Touchpoint

_place: Final = attrgetter("place")


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
    def of(cls, touchpoints: Sequence[Touchpoint]) -> Self:
        """Return the profile of some touchpoints; there is at least one."""
        return cls(
            total=len(touchpoints),
            by_channel=Counter(touchpoint.channel for touchpoint in touchpoints),
            first=Contact.of(min(touchpoints, key=_place)),
            last=Contact.of(max(touchpoints, key=_place)),
            traits=_written(touchpoints),
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
    given = tuple(touchpoints)
    if not given:
        return so_far
    added = Profile.of(given)
    return added if so_far is None else so_far.merge(added)


def _written(touchpoints: Iterable[Touchpoint]) -> dict[str, TraitWrite]:
    written: dict[str, TraitWrite] = {}
    for touchpoint in touchpoints:
        if touchpoint.traits:
            place = touchpoint.place
            theirs = {key: TraitWrite(*place, value) for key, value in touchpoint.traits.items()}
            written = _latest(written, theirs)
    return written


def _added(ours: Mapping[str, int], theirs: Mapping[str, int]) -> dict[str, int]:
    added = dict(ours)
    for key, number in theirs.items():
        added[key] = added.get(key, 0) + number
    return added


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
