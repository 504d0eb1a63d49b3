"""The fold of links and bars to customers, at once or link by link.

Start with every identifier alone; take the links in canonical order, leaving out those that are
barred or touch a blocked value; a link joins the components of its ends unless the union would
hold more values of a kind than the policy allows, then it is refused.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from shared.identity.customers import Customer, Known, Resolution
from shared.identity.links import Bars, Link, Pair
from shared.identity.policy import Policy
from shared.touchpoints import Identifier


class Step(StrEnum):
    """What a link came to."""

    JOINED = "joined"
    """Two customers became one."""
    TOGETHER = "together"
    """Its ends were one customer already."""
    REFUSED = "refused"
    """The union would break a guard."""
    VOID = "void"
    """Its pair is barred, or an end is blocked."""
    LATE = "late"
    """It may turn over links after it: nothing was done; fold its neighbourhood anew."""


class _Component:
    """Identifiers that are one customer so far.

    ``changed`` is no earlier than the last join that formed it, None if there was none; ``counts``
    holds the kinds that have a limit; ``blocked`` says that it is one blocked identifier.
    """

    __slots__ = ("blocked", "changed", "counts", "members")

    def __init__(self, members: list[Identifier], counts: dict[str, int]) -> None:
        self.members = members
        self.counts = counts
        self.changed: Link | None = None
        self.blocked = False

    def changed_after(self, link: Link) -> bool:
        return self.changed is not None and link < self.changed


class Components:
    """The state of the fold over the links added so far; belongs to one caller, not thread-safe.

    Links added in canonical order are one step each. So is a late one, but for one case:

    * It joins two components, or its ends are together already. Had it been there at its place,
      every component would since have been at least as large as it was and at most as large as it
      is now. So all that was refused would have been refused, and all that joined would have.
    * It is refused, and both components were complete at its place: it was refused there too.
    * It is refused, but a component grew since: at its place it may have joined. ``add`` answers
      LATE.
    """

    def __init__(self, policy: Policy, bars: Bars = frozenset()) -> None:
        self._policy = policy
        self._limits = policy.limits
        self._bars = bars
        self._component_of: dict[Identifier, _Component] = {}
        self._earliest: dict[Pair, Link] = {}
        self._refused: dict[Pair, Link] = {}

    def add_alone(self, identifier: Identifier) -> None:
        """Make *identifier* known; a customer of its own unless it is known already."""
        self._component(identifier)

    def add_component(
        self,
        members: Iterable[Identifier],
        *,
        changed: Link | None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Take over a customer from an earlier fold under the same policy and bars.

        Args:
            members: The customer's identifiers, none of them known here yet.
            changed: The last of the links inside of the customer, None if there are none.
            counts: How many identifiers of each kind it has, where *members* are not all of them.

        Raises:
            ValueError: A member is known already.
        """
        listed = list(members)
        if any(member in self._component_of for member in listed):
            raise ValueError("a member is known already")
        every = Counter(member.kind for member in listed) if counts is None else counts
        limited = {kind: count for kind, count in every.items() if kind in self._limits}
        component = _Component(listed, limited)
        component.changed = changed
        component.blocked = len(listed) == 1 and self._policy.blocks(listed[0])
        self._component_of.update(dict.fromkeys(listed, component))

    def add(self, link: Link) -> Step:
        """Add *link* and tell what it came to."""
        a, b = self._component(link.a), self._component(link.b)
        pair = link.pair
        if a.blocked or b.blocked or pair in self._bars:
            return Step.VOID
        earliest = self._earliest.get(pair)
        if earliest is not None and earliest <= link:
            return Step.REFUSED if pair in self._refused else Step.TOGETHER
        step = self._step(a, b)
        if step is Step.REFUSED:
            if a.changed_after(link) or b.changed_after(link):
                return Step.LATE
            self._refused[pair] = link
        self._earliest[pair] = link
        if step is Step.JOINED:
            self._join(a, b, link)
        return step

    def members_with(self, identifier: Identifier) -> frozenset[Identifier]:
        """Return the identifiers that are one customer with *identifier*, itself included.

        Raises:
            KeyError: *identifier* is not known.
        """
        return frozenset(self._component_of[identifier].members)

    def changed_with(self, identifier: Identifier) -> Link | None:
        """Return a link no earlier than the last join of the customer who has *identifier*.

        None if it is alone.

        Raises:
            KeyError: *identifier* is not known.
        """
        return self._component_of[identifier].changed

    def known(self, customer: Customer) -> Known:
        """Return what a store has to keep of *customer*, one of the ``resolution``."""
        counts = Counter(member.kind for member in customer.identifiers)
        changed = self.changed_with(customer.canonical)
        return Known(customer.canonical, counts, None if changed is None else changed.place)

    def resolution(self) -> Resolution:
        """Return the customers and the refused links as they are now."""
        components = {id(component): component for component in self._component_of.values()}
        customers = [Customer.of(each.members, self._policy) for each in components.values()]
        customers.sort(key=lambda customer: self._policy.trust(customer.canonical))
        return Resolution(tuple(customers), tuple(sorted(self._refused.values())))

    def _component(self, identifier: Identifier) -> _Component:
        component = self._component_of.get(identifier)
        if component is None:
            counts = {identifier.kind: 1} if identifier.kind in self._limits else {}
            component = _Component([identifier], counts)
            component.blocked = self._policy.blocks(identifier)
            self._component_of[identifier] = component
        return component

    def _step(self, a: _Component, b: _Component) -> Step:
        if a is b:
            return Step.TOGETHER
        # Components share no identifier, so the values of the union are those of both.
        for kind, count in a.counts.items():
            if count + b.counts.get(kind, 0) > self._limits[kind]:
                return Step.REFUSED
        return Step.JOINED

    def _join(self, a: _Component, b: _Component, link: Link) -> None:
        """Move the smaller component into the larger: no identifier moves more than log n times."""
        large, small = (a, b) if len(a.members) >= len(b.members) else (b, a)
        large.members += small.members
        large.changed = max(each for each in (a.changed, b.changed, link) if each is not None)
        for kind, count in small.counts.items():
            large.counts[kind] = large.counts.get(kind, 0) + count
        for identifier in small.members:
            self._component_of[identifier] = large


def resolve(
    links: Iterable[Link],
    bars: Bars,
    policy: Policy,
    *,
    alone: Iterable[Identifier] = (),
) -> Resolution:
    """Fold links and bars to customers.

    Args:
        links: In any order, with any duplicates; of each pair the earliest is enough.
        bars: The pairs whose links are void.
        policy: Says what is blocked, what a customer may hold, and what one is called by.
        alone: Identifiers that are customers even if no link names them.

    Returns:
        Customers over every identifier named by a link, a void one included, or by *alone*.
    """
    return folded(links, bars, policy, alone=alone).resolution()


def folded(
    links: Iterable[Link], bars: Bars, policy: Policy, *, alone: Iterable[Identifier] = ()
) -> Components:
    """Fold as ``resolve`` does, and return the state at the end."""
    components = Components(policy, bars)
    for identifier in alone:
        components.add_alone(identifier)
    for link in sorted(set(links)):
        components.add(link)
    return components
