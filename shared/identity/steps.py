"""Steps: what new links come to where only a little is known of the customers they touch.

A customer's canonical identifier, how many values of each kind it has and the place of its last
join decide a new link; its members need not be known. Where that is not enough, because a late link
may turn over links after it, the neighbourhood has to be folded.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from shared.identity.components import Components, Step
from shared.identity.customers import Known
from shared.identity.identifiers import canonical
from shared.identity.links import Bars, Link, Pair
from shared.identity.policy import Policy
from shared.touchpoints import Identifier

_LAST: Final = Identifier("\U0010ffff", "")
"""Sorts behind every identifier: a place alone stands for the last link that was made there."""


class Join(NamedTuple):
    """Customers, by their canonical identifiers, that became one."""

    formers: frozenset[Identifier]
    present: Known


class Steps(NamedTuple):
    """What new links came to; those that are not ``refused`` join, or change nothing."""

    joins: tuple[Join, ...]
    refused: frozenset[Pair]


def take_steps(
    news: Iterable[Link], known: Mapping[Identifier, Known], bars: Bars, policy: Policy
) -> Steps | None:
    """Add *news* to customers that follow from all other links.

    Args:
        news: Of each pair at most one, the earliest that is known of it; in any order.
        known: The customer of every end of *news*, the same for ends of the same one.
        bars: At least those on pairs of *news*.
        policy: What *known* customers follow from too.

    Returns:
        None if it takes more than steps: one of *news* is late, and may turn over others.
    """
    components = Components(policy, bars)
    customers = {customer.canonical: customer for customer in known.values()}
    for customer in customers.values():
        ends = [end for end, its in known.items() if its.canonical == customer.canonical]
        place = customer.changed
        changed = None if place is None else Link(*place, _LAST, _LAST)
        components.add_component(ends, changed=changed, counts=customer.counts)
    steps = {link.pair: components.add(link) for link in sorted(news)}
    if Step.LATE in steps.values():
        return None
    refused = frozenset(pair for pair, step in steps.items() if step is Step.REFUSED)
    return Steps(tuple(_joins(components, known, policy)), refused)


def _joins(
    components: Components, known: Mapping[Identifier, Known], policy: Policy
) -> Iterable[Join]:
    seen: set[Identifier] = set()
    for end in known:
        if end in seen:
            continue
        members = components.members_with(end)
        seen |= members
        formers = {known[member].canonical: known[member] for member in members}
        changed = components.changed_with(end)
        if len(formers) > 1 and changed is not None:
            counts = sum((Counter(former.counts) for former in formers.values()), Counter[str]())
            present = Known(canonical(formers, policy), counts, changed.place)
            yield Join(frozenset(formers), present)
