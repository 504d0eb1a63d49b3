"""Refolding: real households at once, and touchpoints that come late by a little.

``python -m benchmarks.refold grocery.ndjson`` with a file of docs/recipes/grocery.md.
"""

import random
import sys
import time
from bisect import bisect, insort
from operator import attrgetter
from pathlib import Path

from services.cli.tracefiles import read_customers
from shared.identity.policy_documents import default_policy
from shared.instants import HOUR, LATEST
from shared.journey.bundled import bundled_model
from shared.journey.fold import Fold, FoldState, fold
from shared.journey.loading import load_model
from shared.journey.program import Program, compile_model
from shared.touchpoints import Touchpoint

CUSTOMERS = 100
TOUCHPOINTS = 200
LATE_SHARE = 0.05
LATE_BY = 10
SNAPSHOT_EVERY = 32
_place = attrgetter("place")


def late_arrivals(seed: int) -> list[Touchpoint]:
    """Return one customer's touchpoints, one in twenty of them late by up to ten places."""
    chance = random.Random(seed)
    types = ("page_viewed", "product_viewed", "email_opened", "order_completed")
    history = [
        Touchpoint(
            source="web",
            event_id=f"e{number:06}",
            at=number * 16 * HOUR,
            channel="web",
            type=chance.choice(types),
            properties={"order_id": f"o{number}"},
            context={},
            traits={},
        )
        for number in range(TOUCHPOINTS)
    ]
    for place in range(TOUCHPOINTS - LATE_BY - 1):
        if chance.random() < LATE_SHARE:
            history.insert(place + chance.randint(1, LATE_BY), history.pop(place))
    return history


def fold_with_late(program: Program, arrivals: list[Touchpoint]) -> tuple[Fold, int]:
    """Fold in order of arrival, refolding late ones from the snapshot before.

    Returns:
        The fold after the last of them, and how many were late.
    """
    folding, refolds = Fold(program), 0
    recent: list[Touchpoint] = []
    snapshots: list[FoldState] = []
    for touchpoint in arrivals:
        if folding.follows(touchpoint):
            folding.apply(touchpoint)
            recent.append(touchpoint)
        else:
            refolds += 1
            while snapshots and snapshots[-1].last and snapshots[-1].last > touchpoint.place:
                snapshots.pop()
            base = snapshots[-1] if snapshots else None
            folding = Fold(program, base)
            insort(recent, touchpoint, key=_place)
            begin = bisect(recent, base.last, key=_place) if base and base.last else 0
            for one in recent[begin:]:
                folding.apply(one)
        if len(recent) % SNAPSHOT_EVERY == 0:
            snapshots.append(folding.freeze())
            del snapshots[:-3]
            del recent[: -5 * SNAPSHOT_EVERY]
    return folding, refolds


def main() -> None:
    """Print the figures."""
    program = compile_model(load_model(bundled_model("default")))
    arrivals = [late_arrivals(seed) for seed in range(CUSTOMERS)]
    began = time.process_time()
    refolds = sum(fold_with_late(program, one)[1] for one in arrivals)
    rate = CUSTOMERS * TOUCHPOINTS / (time.process_time() - began)
    print(f"5 % late by up to 10: {rate:,.0f} touchpoints/s, {refolds} refolds")
    for name in sys.argv[1:]:
        customers = read_customers(Path(name), default_policy())
        began = time.process_time()
        for customer in customers:
            fold(program, customer.touchpoints, LATEST)
        spent = time.process_time() - began
        touchpoints = sum(len(customer.touchpoints) for customer in customers)
        print(f"{len(customers):,} customers, {touchpoints:,} touchpoints: {spent:.2f} CPU seconds")


if __name__ == "__main__":
    main()
