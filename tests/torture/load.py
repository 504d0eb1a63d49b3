"""Open-loop load: batches go out when they are due, whether or not earlier ones are answered.

A twentieth of the items is sent again under its id, some are late, some must be rejected, and one
customer in every five touchpoints is always the same. A sender that is told "unknown" sends the
same batch again until it is told more, as SDKs do.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import httpx
import msgspec

from shared.instants import DAY, SECOND, Instant, rfc3339
from shared.touchpoints import JsonObject
from tests.torture.checker import Told
from tests.torture.history import Fail, Info, Invoke, Ok, Recorder

CUSTOMERS: Final = 200
HOT: Final = 0.2
LARGEST_BATCH: Final = 50
RESENT: Final = 0.05
LATE: Final = 0.03
HOSTILE: Final = 0.01
START: Final[Instant] = 20_400 * DAY
PATIENCE_SECONDS: Final = 15.0

_TYPES: Final = (
    "page_viewed",
    "product_viewed",
    "cart_updated",
    "order_completed",
    "order_refunded",
    "email_clicked",
    "ticket_opened",
)
_HOSTILE: Final[tuple[JsonObject, ...]] = (
    {"customer": {"email": "nobody@example.com"}},
    {"type": "page_viewed"},
    {"type": "page_viewed", "customer": {"email": "a@b.example"}, "properties": [1]},
    {"type": "\u0000", "customer": {"user_id": "u"}},
    {"type": "page_viewed", "customer": {"user_id": "x" * 300}},
    {"type": "page_viewed", "customer": {"user_id": "u"}, "occurred_at": "yesterday"},
)


@dataclass(slots=True)
class Load:
    """Sends to *ingests* in turn until told to stop, and then until every batch is settled.

    ``sent`` is what each event id was sent with.
    """

    ingests: Sequence[str]
    key: str
    chance: random.Random
    recorder: Recorder
    per_second: float
    retry_seconds: float = 1.0
    transport: httpx.AsyncBaseTransport | None = None
    clock: Callable[[], float] = monotonic
    sent: dict[str, Told] = field(default_factory=dict)
    _bodies: list[JsonObject] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _ops: "itertools.count[int]" = field(default_factory=itertools.count)
    _turns: "itertools.count[int]" = field(default_factory=itertools.count)
    _at: Instant = START

    def stop(self) -> None:
        """Begin no more batches."""
        self._stopping.set()

    async def run(self) -> None:
        """Send until stopped, and return when every batch has an answer."""
        headers = {"Authorization": f"Bearer {self.key}"}
        limits = httpx.Limits(max_connections=400, max_keepalive_connections=50)
        async with (
            httpx.AsyncClient(
                headers=headers, timeout=PATIENCE_SECONDS, limits=limits, transport=self.transport
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            due = self.clock()
            while not self._stopping.is_set():
                batch = self._batch()
                group.create_task(self._settle(client, batch))
                due += len(batch) / self.per_second
                await asyncio.sleep(max(0.0, due - self.clock()))

    async def _settle(self, client: httpx.AsyncClient, batch: Sequence[JsonObject]) -> None:
        for patience in itertools.chain((1, 2, 4), itertools.repeat(8)):
            if await self._post(client, batch):
                return
            await asyncio.sleep(self.retry_seconds * patience * self.chance.uniform(0.5, 1.5))

    async def _post(self, client: httpx.AsyncClient, batch: Sequence[JsonObject]) -> bool:
        """Post *batch* once; return whether its sender knows enough."""
        op = next(self._ops)
        known = tuple(str(item["event_id"]) for item in batch if "event_id" in item)
        self.recorder.note(Invoke(op, self.clock(), known, len(batch) - len(known)))
        url = self.ingests[next(self._turns) % len(self.ingests)]
        answer = None
        with contextlib.suppress(httpx.TransportError):
            answer = await client.post(f"{url}/v1/touchpoints", content=msgspec.json.encode(batch))
        now = self.clock()
        if answer is None:
            self.recorder.note(Info(op, now))
            return False
        if answer.status_code in {httpx.codes.ACCEPTED, httpx.codes.UNPROCESSABLE_ENTITY}:
            verdict = answer.json()
            assert verdict["accepted"] == len(known), verdict
            spooled = verdict.get("durability") == "spooled"
            self.recorder.note(Ok(op, now, verdict["rejected"], spooled))
            return True
        if answer.is_client_error:
            self.recorder.note(Fail(op, now, answer.status_code))
            return True
        again = answer.headers.get("retry-after")
        after = None if again is None else int(again)
        self.recorder.note(Info(op, now, answer.status_code, after))
        return False

    def _batch(self) -> list[JsonObject]:
        return [self._item() for _ in range(self.chance.randint(1, LARGEST_BATCH))]

    def _item(self) -> JsonObject:
        if self.chance.random() < HOSTILE:
            return self.chance.choice(_HOSTILE)
        if self._bodies and self.chance.random() < RESENT:
            return self.chance.choice(self._bodies)
        return self._new()

    def _new(self) -> JsonObject:
        is_hot = self.chance.random() < HOT
        number = 0 if is_hot else self.chance.randrange(1, CUSTOMERS)
        self._at += self.chance.randrange(60) * SECOND
        at = self._at
        if self.chance.random() < LATE:
            at -= self.chance.randrange(30 * DAY)
        customer: JsonObject = {"email": f"customer-{number}@example.com"}
        if self.chance.random() < 0.1:
            customer["user_id"] = f"u-{number}"
        event_id = f"e-{len(self.sent)}"
        properties: JsonObject = {"order_id": f"o-{number}", "value": self.chance.randrange(500)}
        item: JsonObject = {
            "event_id": event_id,
            "type": self.chance.choice(_TYPES),
            "occurred_at": rfc3339(at),
            "customer": customer,
            "properties": properties,
        }
        self.sent[event_id] = Told(str(item["type"]), str(item["occurred_at"]), _text(properties))
        self._bodies.append(item)
        return item


def told_of(item: JsonObject) -> Told:
    """Return a touchpoint of a timeline as the checker compares it."""
    return Told(str(item["type"]), str(item["occurred_at"]), _text(item["properties"]))


def _text(properties: object) -> str:
    return msgspec.json.encode(properties, order="sorted").decode()
