"""Identities: what a batch says of identifiers, and which customers its touchpoints belong to."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.classifier.reading import Arrival
from shared.identity.referrals import referrer_in
from shared.storage.referrals import Referral
from shared.touchpoints import Identifier, Touchpoint
from shared.upkeep.enrolment import Seen
from shared.upkeep.grouping import Regroup


@dataclass(frozen=True, slots=True)
class Growth:
    """What a batch did to customers.

    ``additions`` are new touchpoints, in canonical order, of customers that are the same
    otherwise; the customers in ``regroups`` have to be folded from their whole history.
    """

    additions: Mapping[UUID, list[Touchpoint]]
    regroups: tuple[Regroup, ...] = field(default=())


def seen_in(arrivals: Iterable[Arrival]) -> dict[Identifier, Seen]:
    """Return when *arrivals* saw each identifier they carry."""
    seen: dict[Identifier, Seen] = {}
    for arrival in arrivals:
        at = arrival.touchpoint.at
        for identifier in arrival.identifiers:
            first, last = seen.get(identifier, (at, at))
            seen[identifier] = Seen(min(first, at), max(last, at))
    return seen


def referrals_in(
    arrivals: Iterable[Arrival], row_ids: Mapping[Identifier, int]
) -> Iterator[Referral]:
    """Yield the referral of each of *arrivals* that names a referrer."""
    for arrival in arrivals:
        touchpoint = arrival.touchpoint
        referrer = referrer_in(touchpoint.properties)
        if referrer is not None:
            yield Referral(row_ids[arrival.identifiers[0]], referrer, touchpoint.place)


def additions_of(
    arrivals: Iterable[Arrival],
    customers: Mapping[Identifier, UUID],
    regrouped: Collection[UUID] = frozenset(),
) -> dict[UUID, list[Touchpoint]]:
    """Group new touchpoints by customer, leaving out customers that are folded anew anyway."""
    additions: dict[UUID, list[Touchpoint]] = {}
    for arrival in arrivals:
        customer_id = customers[arrival.identifiers[0]]
        if customer_id not in regrouped:
            additions.setdefault(customer_id, []).append(arrival.touchpoint)
    for touchpoints in additions.values():
        touchpoints.sort(key=lambda touchpoint: touchpoint.place)
    return additions
