"""What answers about diffs hold, as the description shows it."""

from collections.abc import Sequence

import msgspec


class ComparedWith(msgspec.Struct, frozen=True):
    """The version that another one is compared with."""

    version: str
    key: str


class DiffStages(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """All stages of both versions in their order, for whoever lays out the matrix."""

    from_: Sequence[str]
    to: Sequence[str]


class DiffFlow(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Customers in one stage under the one version and in one under the other; null is no stage.

    ``same``: the two stages correspond. ``differ``: how many of them have another journey; these
    are listed at ``drill``.
    """

    from_: str | None
    to: str | None
    same: bool
    customers: int
    differ: int
    drill: str | None


class DiffStanding(msgspec.Struct, frozen=True):
    """Where a customer stands under one version."""

    stage: str | None
    activity: str | None
    cycle: int


class DiffTouchpoint(msgspec.Struct, frozen=True):
    """A touchpoint by its identity."""

    source: str
    event_id: str


class DiffMove(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A move as a journey tells it."""

    axis: str
    kind: str
    from_: str | None
    to: str
    at: str
    cycle: int
    rule: str
    cause: msgspec.Raw


class DiffFirst(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """The first moves on one axis that differ; null where that version makes no further one.

    ``at`` and ``touchpoint`` are of the earlier of the two; the touchpoint decided it, or began the
    time after which it came.
    """

    axis: str
    at: str
    touchpoint: DiffTouchpoint | None
    from_: DiffMove | None
    to: DiffMove | None


class DiffItem(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A customer whose journeys differ."""

    customer_id: str
    from_: DiffStanding
    to: DiffStanding
    first: DiffFirst


class DiffProgress(msgspec.Struct, frozen=True):
    """How many customers have been compared so far."""

    customers: int
    of: int


class DiffOnItsWay(msgspec.Struct, frozen=True, kw_only=True):
    """A diff that is not done; ``next`` is the cursor to ask again with."""

    version: str
    key: str
    against: ComparedWith
    as_of: str | msgspec.UnsetType = msgspec.UNSET
    state: str = "comparing"
    progress: DiffProgress
    next: str


class DiffPage(msgspec.Struct, frozen=True, kw_only=True):
    """A diff that is done, and some of the customers whose journeys differ.

    ``as_of`` is there if it was asked for. ``moved`` counts customers who stand in stages that do
    not correspond, ``total`` those that are listed on all pages. ``hash`` is over every customer's
    outcome: two diffs with the same hash are the same.
    """

    version: str
    key: str
    against: ComparedWith
    as_of: str | msgspec.UnsetType = msgspec.UNSET
    state: str = "done"
    customers: int
    differ: int
    moved: int
    hash: str
    stages: DiffStages
    flows: Sequence[DiffFlow]
    total: int
    items: Sequence[DiffItem]
    next: str | None
