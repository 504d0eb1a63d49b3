"""How many touchpoints ingest takes in per second of CPU: the pure path, and a whole request.

Run it as ``python -m benchmarks.ingest``; it takes a quarter of a minute. The log takes records
and forgets them, and there is no socket, so that only ingest's own work is measured.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from uuid import UUID, uuid4

import msgspec
from starlette.types import ASGIApp, Message

from services.ingest.app import build_ingest
from services.ingest.routes.touchpoints import PATH
from shared.acceptance.bodies import split
from shared.acceptance.requests import judge_all
from shared.acceptance.terms import Terms
from shared.acceptance.verdicts import verdict_on
from shared.clock import wall_clock
from shared.errors import NotFound
from shared.http.front import Front
from shared.identity.policy import Policy
from shared.identity.policy_documents import default_policy
from shared.instants import SECOND, rfc3339
from shared.keys import KeyKind, Principal, Scope
from shared.log.port import Entry, Position
from shared.records import encode, key_of
from shared.sources import Source
from shared.touchpoints import Channel, JsonObject

CPU_SECONDS = 2.0
EVENTS = 5_000
BATCH = 100
SOURCE = Source("web", Channel.WEB)
LIBRARY = {"name": "@segment/analytics-node", "version": "3.1.0"}
HEADERS = [
    (b"host", b"localhost:8080"),
    (b"authorization", b"Bearer wk_bench"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"bench"),
]


def events(*, with_ids: bool) -> list[bytes]:
    """Return page views of customers who come back."""
    chance = random.Random(1)
    now = wall_clock()
    return [_event(chance, now - number * SECOND, with_id=with_ids) for number in range(EVENTS)]


def _event(chance: random.Random, at: int, *, with_id: bool) -> bytes:
    page = chance.randrange(500)
    event: JsonObject = {
        "type": "page_viewed",
        "occurred_at": rfc3339(at),
        "customer": {
            "user_id": f"customer-{chance.randrange(2_000)}",
            "anonymous_id": str(UUID(int=chance.getrandbits(128))),
        },
        "properties": {"url": f"https://shop.example/p/{page}", "title": f"Product {page}"},
        "context": {"page": {"path": f"/p/{page}"}, "locale": "de-DE"},
    }
    if with_id:
        event["event_id"] = str(UUID(int=chance.getrandbits(128)))
    return msgspec.json.encode(event)


def messages() -> list[bytes]:
    """Return the same page views as an SDK of Segment sends them."""
    return [_message(msgspec.json.decode(event)) for event in events(with_ids=True)]


def _message(event: JsonObject) -> bytes:
    customer = msgspec.convert(event["customer"], dict[str, str])
    return msgspec.json.encode(
        {
            "timestamp": f"{str(event['occurred_at'])[:19]}.000Z",
            "integrations": {},
            "type": "page",
            "userId": customer["user_id"],
            "anonymousId": customer["anonymous_id"],
            "properties": event["properties"],
            "context": {**msgspec.convert(event["context"], JsonObject), "library": LIBRARY},
            "messageId": f"node-next-{event['event_id']}",
            "_metadata": {"nodeVersion": "v20.20.2", "jsRuntime": "node"},
        }
    )


def in_segment_batches(items: Sequence[bytes]) -> list[bytes]:
    """Return batches of BATCH messages each."""
    now = rfc3339(wall_clock()).encode()
    return [
        b'{"batch":' + batch + b',"writeKey":"wk_bench","sentAt":"' + now + b'"}'
        for batch in in_batches(items)
    ]


def in_batches(items: Sequence[bytes]) -> list[bytes]:
    """Return arrays of BATCH items each."""
    starts = range(0, len(items), BATCH)
    return [b"[" + b",".join(items[start : start + BATCH]) + b"]" for start in starts]


def report(
    title: str, take: Callable[[Sequence[bytes]], None], bodies: Sequence[bytes], size: int
) -> None:
    """Let *take* have *bodies* again and again for CPU_SECONDS; print how many events that were."""
    take(bodies[:20])
    turns, spent = 0, 0.0
    began = time.process_time()
    while spent < CPU_SECONDS:
        take(bodies)
        turns += 1
        spent = time.process_time() - began
    print(f"{title:<44} {turns * len(bodies) * size / spent:>9,.0f} events per CPU s")


def take_purely(policy: Policy) -> Callable[[Sequence[bytes]], None]:
    """Return what turns bodies into log entries and answers."""

    def take(bodies: Sequence[bytes]) -> None:
        for body in bodies:
            terms = Terms(SOURCE, policy, wall_clock(), uuid4)
            records = list(judge_all(split(body), terms))
            for record in records:
                Entry(key_of(record), encode(record))
            msgspec.json.encode(verdict_on(SOURCE.name, records))

    return take


class ForgetfulLog:
    """Takes everything and keeps nothing."""

    async def append(self, entries: Sequence[Entry]) -> Sequence[Position]:
        return [Position("forgotten", 0, offset) for offset in range(len(entries))]

    async def check(self) -> str | None:
        return None


class OneKey:
    """Knows one source and its key."""

    policy = default_policy()

    async def authenticate(self, presented: str | None) -> Principal:
        del presented
        scopes = frozenset({Scope.TOUCHPOINTS_WRITE})
        return Principal(KeyKind.WRITE, "bench", SOURCE.name, scopes)

    async def find_source(self, name: str) -> Source | None:
        return SOURCE if name == SOURCE.name else None

    async def check(self) -> str | None:
        return None


async def _nothing_else(*_: object) -> None:
    raise NotFound("there is nothing at this path")


def take_by_asgi(runner: asyncio.Runner) -> Callable[[Sequence[bytes]], None]:
    """Return what posts bodies to the application, each in a task as uvicorn does it."""
    ingest = build_ingest(log=ForgetfulLog(), directory=OneKey(), clock=wall_clock)
    front: ASGIApp = Front(ingest.hot_routes, _nothing_else)

    async def post(body: bytes) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Mapping[str, object]) -> None:
            if message.get("status", 202) != 202:  # noqa: PLR2004 - a benchmark of successes
                raise RuntimeError(message)

        await front(_scope(body), receive, send)

    async def post_all(bodies: Sequence[bytes]) -> None:
        for body in bodies:
            await asyncio.create_task(post(body))

    return lambda bodies: runner.run(post_all(bodies))


def _scope(body: bytes) -> MutableMapping[str, object]:
    return {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "headers": [*HEADERS, (b"content-length", str(len(body)).encode())],
    }


def kinds_of_body() -> Iterator[tuple[str, list[bytes], int]]:
    """Yield what is posted: a title, bodies, and how many events each one holds."""
    named, unnamed = events(with_ids=True), events(with_ids=False)
    yield "single", named, 1
    yield f"batches of {BATCH}", in_batches(named), BATCH
    yield "single, id derived", unnamed, 1
    yield f"batches of {BATCH}, ids derived", in_batches(unnamed), BATCH


def main() -> None:
    """Print one line for each kind of body and each path."""
    with asyncio.Runner() as runner:
        paths = {"pure": take_purely(default_policy()), "ASGI": take_by_asgi(runner)}
        for (name, take), (title, bodies, size) in itertools.product(
            paths.items(), list(kinds_of_body())
        ):
            report(f"{name}, {title}", take, bodies, size)


if __name__ == "__main__":
    main()
