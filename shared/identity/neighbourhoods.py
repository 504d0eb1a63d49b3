"""Which identifiers a change concerns: those that any links connect, refused ones included.

Void links connect nothing, so that neither a blocked value that thousands carry nor a barred pair
draws strangers in.
"""

from collections import defaultdict
from collections.abc import Iterable

from shared.identity.links import Bars, Link
from shared.identity.policy import Policy
from shared.touchpoints import Identifier


class Neighbourhood:
    """What live links connect with some identifiers, found ring by ring as a store reads them.

    While ``frontier`` is not empty, hand ``extend`` the links of its identifiers and the bars on
    their pairs; then ``resolve`` over ``links`` gives ``members`` the customers that folding all
    links in the world would give them.

    For a late link, a bar or a lifted bar, start at both ends and read what holds after the
    change: whatever a new bar cuts off is still connected with one of the ends.
    """

    def __init__(self, seeds: Iterable[Identifier], policy: Policy) -> None:
        self._policy = policy
        self._members = set(seeds)
        self._links: set[Link] = set()
        self._frontier = frozenset(self._members)

    @property
    def frontier(self) -> frozenset[Identifier]:
        """The members whose links have not been read yet."""
        return self._frontier

    @property
    def members(self) -> frozenset[Identifier]:
        """All identifiers found so far, the seeds included."""
        return frozenset(self._members)

    @property
    def links(self) -> frozenset[Link]:
        """The live links read so far."""
        return frozenset(self._links)

    def add(self, identifiers: Iterable[Identifier]) -> None:
        """Take in further identifiers, whatever connects them with the others."""
        new = frozenset(identifiers) - self._members
        self._members |= new
        self._frontier |= new

    def extend(self, links: Iterable[Link], bars: Bars) -> None:
        """Read all links that touch the frontier, in any order, and so find the next one.

        Args:
            links: Links with an end in the frontier, void ones included.
            bars: At least the bars on pairs that these links connect.
        """
        found: set[Identifier] = set()
        for link in links:
            if link in self._links or link.pair in bars or self._touches_blocked(link):
                continue
            self._links.add(link)
            found.update(link.pair)
        self._frontier = frozenset(found - self._members)
        self._members |= found

    def _touches_blocked(self, link: Link) -> bool:
        return self._policy.blocks(link.a) or self._policy.blocks(link.b)


def neighbourhood(
    seeds: Iterable[Identifier], links: Iterable[Link], bars: Bars, policy: Policy
) -> Neighbourhood:
    """Return the complete neighbourhood of *seeds* within *links*."""
    touching: defaultdict[Identifier, list[Link]] = defaultdict(list)
    for link in links:
        touching[link.a].append(link)
        touching[link.b].append(link)
    found = Neighbourhood(seeds, policy)
    while found.frontier:
        found.extend((link for end in found.frontier for link in touching.get(end, ())), bars)
    return found
