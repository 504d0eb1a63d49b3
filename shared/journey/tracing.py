"""Trying a model on customers whose touchpoints are at hand: what ``model trace`` prints."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.instants import Instant
from shared.journey.fold import fold
from shared.journey.program import Program
from shared.journey.render import journey_document
from shared.touchpoints import Identifier, JsonObject, Touchpoint


@dataclass(frozen=True, slots=True)
class TracedCustomer:
    """A customer and all touchpoints of the customer's identifiers, in any order."""

    customer_id: str
    identifiers: tuple[Identifier, ...]
    touchpoints: Sequence[Touchpoint]


def latest_touchpoint(customers: Iterable[TracedCustomer]) -> Instant | None:
    """Return the latest effective time among all touchpoints, None without any.

    It is when a trace asks for journeys that was not told when.
    """
    times = (touchpoint.at for customer in customers for touchpoint in customer.touchpoints)
    return max(times, default=None)


def trace(
    program: Program, customers: Iterable[TracedCustomer], as_of: Instant
) -> Iterator[JsonObject]:
    """Fold each customer and write the journey, by ``customer_id``.

    Customers all of whose touchpoints are later than *as_of* are written too.
    """
    for customer in sorted(customers, key=lambda customer: customer.customer_id):
        document = journey_document(
            fold(program, customer.touchpoints, as_of), program, customer.customer_id
        )
        identifiers = [
            {"kind": kind, "value": value} for kind, value in sorted(customer.identifiers)
        ]
        yield {"customer_id": customer.customer_id, "identifiers": identifiers, **document}
