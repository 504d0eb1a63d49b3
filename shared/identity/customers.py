"""Customers as the fold over links and bars leaves them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self
from uuid import UUID

from shared.identity.identifiers import canonical, identifier_id
from shared.identity.links import Link
from shared.identity.policy import Policy
from shared.touchpoints import Identifier, Place

SHARED_ABOVE: Final = 50
"""An identifier with more refused links than this is taken for a shared device."""


@dataclass(frozen=True, slots=True)
class Customer:
    """The identifiers that are one customer, and the one of them the customer is called by."""

    identifiers: frozenset[Identifier]
    canonical: Identifier

    @classmethod
    def of(cls, identifiers: Iterable[Identifier], policy: Policy) -> Self:
        """Return the customer who has *identifiers*, of which there is at least one."""
        members = frozenset(identifiers)
        return cls(members, canonical(members, policy))

    @property
    def id(self) -> UUID:
        """The ``customer_id``: the id of the canonical identifier."""
        return identifier_id(self.canonical)


class Known(NamedTuple):
    """What decides how a customer grows.

    ``counts`` are its identifiers by kind; ``changed`` is no earlier than the last join that formed
    it, None for a single identifier.
    """

    canonical: Identifier
    counts: Mapping[str, int]
    changed: Place | None

    @classmethod
    def alone(cls, identifier: Identifier) -> "Known":
        """Return the customer that has *identifier* and nothing else."""
        return cls(identifier, {identifier.kind: 1}, None)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What links and bars come to; equal whenever they say the same.

    Attributes:
        customers: Every identifier in exactly one of them, in order of their canonical ones.
        refused: Of each pair whose link would have broken a guard, the link at the earliest
            place; in canonical order.
    """

    customers: tuple[Customer, ...]
    refused: tuple[Link, ...]
    _customer_of: Mapping[Identifier, Customer] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        customer_of = {
            identifier: customer
            for customer in self.customers
            for identifier in customer.identifiers
        }
        object.__setattr__(self, "_customer_of", customer_of)

    def customer_of(self, identifier: Identifier) -> Customer:
        """Return the customer who has *identifier*.

        Raises:
            KeyError: No link named it.
        """
        return self._customer_of[identifier]

    def conflicts_of(self, customer: Customer) -> tuple[Link, ...]:
        """Return the refused links that touch *customer*, in canonical order."""
        members = customer.identifiers
        return tuple(link for link in self.refused if link.a in members or link.b in members)
