"""Links between identifiers, and the bars that void them."""

from collections.abc import Iterable
from typing import Final, NamedTuple, Self, TypeAlias

from shared.identity.identifiers import primary
from shared.identity.policy import Policy
from shared.instants import Instant
from shared.touchpoints import Identifier, Place

Pair: TypeAlias = tuple[Identifier, Identifier]
"""Two different identifiers, the smaller one (by kind, then value, by code point) first."""

Bars: TypeAlias = frozenset[Pair]
"""The pairs that are barred: every link between the two, past or future, is void."""

LINKING_TYPES: Final = frozenset({"identify", "alias"})
"""The only touchpoint types that link, for a source with ``links: identify_only``."""


class Link(NamedTuple):
    """A claim, made at one place in canonical order, that two identifiers are one customer.

    The fields stand in such an order that links compare in the order in which they are folded.
    Build one with ``Link.of``, which puts the pair in order.
    """

    at: Instant
    source: str
    event_id: str
    a: Identifier
    b: Identifier

    @classmethod
    def of(cls, one: Identifier, other: Identifier, place: Place) -> Self:
        """Return the link between two identifiers, given in any order.

        Raises:
            ValueError: They are the same identifier.
        """
        return cls(*place, *pair_of(one, other))

    @property
    def pair(self) -> Pair:
        """The two identifiers, as bars name them."""
        return self.a, self.b

    @property
    def place(self) -> Place:
        """Where the link stands in canonical order, together with others of its touchpoint."""
        return Place(self.at, self.source, self.event_id)


def pair_of(one: Identifier, other: Identifier) -> Pair:
    """Return two identifiers in the order in which links and bars hold them.

    Raises:
        ValueError: They are the same identifier.
    """
    if one == other:
        raise ValueError(f"an identifier of kind {one.kind} cannot be paired with itself")
    return (one, other) if one < other else (other, one)


def links_of(identifiers: Iterable[Identifier], place: Place, policy: Policy) -> tuple[Link, ...]:
    """Return the links a touchpoint makes: from its primary identifier to each of the others.

    Args:
        identifiers: What the touchpoint carries, normalised, blocked values left out; an alias
            carries its ``previousId`` as ``anonymous_id``. Twice the same counts once.
        place: The touchpoint's place.
        policy: Says which identifier is the primary one.

    Returns:
        The links in canonical order; none if there are fewer than two identifiers.
    """
    carried = set(identifiers)
    if not carried:
        return ()
    first = primary(carried, policy)
    return tuple(sorted(Link.of(first, other, place) for other in carried if other != first))


def may_link(touchpoint_type: str, *, identify_only: bool) -> bool:
    """Tell whether a touchpoint of this type links, given its source's setting."""
    return not identify_only or touchpoint_type in LINKING_TYPES


def bars_between(identifier: Identifier, members: Iterable[Identifier]) -> Bars:
    """Return the bars that take *identifier* out of the customer who has *members*.

    It is barred from every other member, not only from those it has links to: else another of
    their links would bring it back.
    """
    return frozenset(pair_of(identifier, other) for other in members if other != identifier)
