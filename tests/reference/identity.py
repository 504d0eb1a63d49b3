"""Customers written straight from the specification of identity, with no thought of speed.

Nothing here is taken from ``shared.identity``; identifiers and links are plain tuples.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias
from uuid import NAMESPACE_URL, UUID, uuid5

Name: TypeAlias = tuple[str, str]
Claim: TypeAlias = tuple[int, str, str, Name, Name]
"""effective_at, source, event_id, and the two ends."""


@dataclass(frozen=True)
class Rules:
    """What a policy says, in its plainest form."""

    kinds: tuple[str, ...]
    """In order of trust."""
    unique: frozenset[str]
    most: dict[str, int]
    blocked: frozenset[str]
    """Values that are blocked for every kind."""


@dataclass(frozen=True)
class Outcome:
    """The customers, each a set of names, and the links refused at their place."""

    customers: frozenset[frozenset[Name]]
    refused: frozenset[Claim]


def fold(claims: Collection[Claim], bars: Collection[frozenset[Name]], rules: Rules) -> Outcome:
    """Return what *claims* and *bars* come to."""
    names = {name for claim in claims for name in claim[3:]}
    customers = {frozenset({name}) for name in names}
    refused: set[Claim] = set()
    for claim in sorted(set(claims)):
        a, b = claim[3:]
        if frozenset({a, b}) in bars or a[1] in rules.blocked or b[1] in rules.blocked:
            continue
        of_a = next(customer for customer in customers if a in customer)
        of_b = next(customer for customer in customers if b in customer)
        if breaks_a_guard(of_a | of_b, rules):
            refused.add(claim)
        else:
            customers = (customers - {of_a, of_b}) | {of_a | of_b}
    return Outcome(frozenset(customers), frozenset(refused))


def breaks_a_guard(names: frozenset[Name], rules: Rules) -> bool:
    """Tell whether one customer may not hold all of *names*."""
    if any(one[0] == other[0] and one[0] in rules.unique for one, other in combinations(names, 2)):
        return True
    return any(
        len([name for name in names if name[0] == kind]) > most for kind, most in rules.most.items()
    )


def id_of(customer: frozenset[Name], rules: Rules) -> UUID:
    """Return the id of a customer: derived from the smallest name by trust, then value."""
    names = sorted(customer, key=lambda name: name[1])
    names.sort(key=lambda name: _trust(name[0], rules))
    kind, value = names[0]
    return uuid5(uuid5(NAMESPACE_URL, "urn:journeyline:identifier"), f"{kind}:{value}")


def _trust(kind: str, rules: Rules) -> tuple[bool, int, str]:
    listed = kind in rules.kinds
    return not listed, rules.kinds.index(kind) if listed else 0, kind
