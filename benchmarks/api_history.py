"""Histories for benchmarks of the API: as many customers as wanted, stored as the classifier would.

What follows from the touchpoints (profiles, journeys, transitions) is computed by the product's own
functions, customer by customer, and copied into the tables.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg

from shared.identity.identifiers import identifier_id
from shared.instants import HOUR, MINUTE, datetime_of
from shared.touchpoints import Identifier
from tests.fixtures.derived_rows import (
    JOURNEY_COLUMNS,
    TOUCHPOINT_COLUMNS,
    Row,
    StoredModel,
    followed,
    journey_row,
    profile_row,
    transition_row,
    transitions_of,
)
from tests.fixtures.served_api import NOW, START
from tests.fixtures.stored_histories import StoredHistories
from tests.fixtures.told import Told

MANY: Final = 50
"""Identifiers of the customer who has many."""
TOUCHPOINTS_OF_EACH: Final = 100
"""Of the identifiers of that customer."""

_IN_ONE_GO: Final = 1_000
_MOST_PATHS: Final = 10_000
_HOURS: Final = 700
_IDENTIFIER_COLUMNS: Final = [
    "id",
    "kind",
    "value",
    "own_id",
    "customer_id",
    "first_seen_at",
    "last_seen_at",
    "recorded_at",
]
_COMPONENT: Final = """
INSERT INTO components (customer_id, counts, changed_at, changed_source, changed_event_id)
SELECT customer_id, '{"user_id": 1, "anonymous_id": 50}', $1, 'web', $2
  FROM identifiers WHERE kind = 'user_id' AND value = 'many'
"""


class Size(NamedTuple):
    """How many customers there are, and how many touchpoints each of them has."""

    customers: int
    each: int

    def __str__(self) -> str:
        return f"{self.customers:,} customers with {self.each} touchpoints each"


async def fill(histories: StoredHistories, size: Size) -> None:
    """Store a history of *size*, and one customer with many identifiers besides.

    Args:
        histories: Over a database that holds nothing else.
        size: The same size gives the same history.
    """
    chance = random.Random(1)
    await histories.read_through(NOW)
    histories.settled_through = NOW
    await _store_many(histories, chance)
    bulk = _Bulk(histories.connection, histories.models[0], chance)
    for first in range(0, size.customers, _IN_ONE_GO):
        await bulk.store(range(first, min(first + _IN_ONE_GO, size.customers)), size.each)
    await bulk.finish()


def reads(size: Size) -> Iterator[tuple[str, list[str]]]:
    """Yield each kind of read of such a history, and paths that ask for it."""
    step = max(1, size.customers // _MOST_PATHS)
    users = [f"/v1/customers/user_id:u_{number}" for number in range(0, size.customers, step)]
    yield "timeline, page of 50", [f"{user}/timeline" for user in users]
    yield "  touchpoints only", [f"{user}/timeline?kinds=touchpoint" for user in users]
    yield "  of 50 identifiers", ["/v1/customers/user_id:many/timeline"]
    yield "journey", [f"{user}/journey" for user in users]
    yield "  folded to a past day", [f"{user}/journey?as_of=2025-03-15T00:00:00Z" for user in users]
    yield "customer", users


async def _store_many(histories: StoredHistories, chance: random.Random) -> None:
    names = [f"anonymous_id:a_{number}" for number in range(MANY)]
    told = [one for name in names for one in _history(name, TOUCHPOINTS_OF_EACH, chance)]
    logins = [
        Told(event_id=f"login-{at}", at=START + at * MINUTE, identifiers=("user_id:many", name))
        for at, name in enumerate(names)
    ]
    await histories.store(*told, *logins, recorded_at=NOW)
    last = logins[-1]
    await histories.connection.execute(_COMPONENT, datetime_of(last.at), last.event_id)


def _history(name: str, length: int, chance: random.Random) -> Iterator[Told]:
    """Yield touchpoints of the usual size: views of products, and an order now and then."""
    for number in range(length):
        product = chance.randrange(97)
        yield Told(
            event_id=f"{name.partition(':')[2]}-{number:06d}",
            at=START + chance.randrange(_HOURS) * HOUR + chance.randrange(HOUR),
            type="order_completed" if chance.randrange(50) == 0 else "product_viewed",
            identifiers=(name,),
            properties={"product_id": f"p{product}", "price": 19.5, "currency": "EUR"},
            context={"page": {"url": f"https://shop.example/products/{product}"}},
        )


class _Bulk:
    """Stores customers ``user_id:u_0``, ``u_1``, … of one identifier each."""

    def __init__(
        self, connection: asyncpg.Connection, model: StoredModel, chance: random.Random
    ) -> None:
        self._connection = connection
        self._model = model
        self._chance = chance
        self._rows: dict[str, list[Row]] = {}
        self._stored = 0
        self._first_id = 1_000  # behind those of the customer with many

    async def store(self, numbers: range, each: int) -> None:
        """Store the customers *numbers* with so many touchpoints each."""
        self._rows = {
            name: []
            for name in ("identifiers", "touchpoints", "customers", "journeys", "transitions")
        }
        for number in numbers:
            told = sorted(_history(f"user_id:u_{number}", each, self._chance), key=lambda t: t.at)
            self._add(number, told)
        columns = {
            "identifiers": _IDENTIFIER_COLUMNS,
            "touchpoints": TOUCHPOINT_COLUMNS,
            "journeys": JOURNEY_COLUMNS,
        }
        for table, rows in self._rows.items():
            await self._connection.copy_records_to_table(
                table, records=rows, columns=columns.get(table)
            )

    async def finish(self) -> None:
        """Let ids and the ledger go on behind what was stored, and gather statistics."""
        await self._connection.execute(
            "UPDATE claims SET next_offset = next_offset + $1, stored = stored + $1", self._stored
        )
        await self._connection.execute(
            "SELECT setval(pg_get_serial_sequence('identifiers', 'id'), max(id)) FROM identifiers"
        )
        await self._connection.execute("VACUUM ANALYZE")

    def _add(self, number: int, told: Sequence[Told]) -> None:
        name = Identifier("user_id", f"u_{number}")
        id_, row_id, now = identifier_id(name), self._first_id + number, datetime_of(NOW)
        seen = datetime_of(told[0].at), datetime_of(told[-1].at)
        self._rows["identifiers"].append((row_id, *name, id_, id_, *seen, now))
        self._rows["touchpoints"] += (self._touchpoint(row_id, one, now) for one in told)
        touchpoints = [one.touchpoint for one in told]
        fold = followed(self._model, touchpoints, NOW)
        self._rows["customers"].append(profile_row(id_, touchpoints, NOW))
        self._rows["journeys"].append(journey_row(self._model, id_, fold, NOW))
        self._rows["transitions"] += (
            transition_row(self._model, (id_, key), 1, move, NOW)
            for key, move in transitions_of(self._model, id_, fold).items()
        )

    def _touchpoint(self, row_id: int, one: Told, now: datetime) -> Row:
        at = datetime_of(one.at)
        offset = MANY * (TOUCHPOINTS_OF_EACH + 1) + self._stored
        self._stored += 1
        place = at, at, now, None, offset, 1
        return row_id, *place, one.source, one.event_id, one.channel, one.type, one.body, one.text
