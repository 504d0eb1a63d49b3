"""Plays the demo history into a running system, over the same HTTP as any sender.

Nothing is kept on this side. The history ends when its first source was made, which the system
knows; so an interrupted run goes on with the same history, and a finished one finds it there.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from services.cli.connection import Refused, Target, refusal_of, unreachable
from services.cli.posting import IN_FLIGHT, Answer, open_client, post_touchpoints
from services.standalone.demo.history import PEOPLE, Batch, demo_history
from shared.demo import CHANNELS, WEB
from shared.errors import Invalid, SetupError
from shared.instants import Instant, parse_rfc3339

T = TypeVar("T")

POLL_SECONDS: Final = 0.5
NOTICE_SECONDS: Final = 15.0
"""How long a system may take to notice that it has new sources."""

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many of how many are done."""
Waiting: TypeAlias = Callable[[str], None]
"""Told in a sentence what is waited for."""


@dataclass(frozen=True, slots=True)
class Played:
    """What a run did: ``sent`` touchpoints of ``total``; the others were there before."""

    ends_at: Instant
    sent: int
    total: int


class _Source(msgspec.Struct):
    name: str
    created_at: str


class _Sources(msgspec.Struct):
    items: list[_Source]


class _Receipt(msgspec.Struct):
    status: str = "pending"


class _LedgerTotal(msgspec.Struct):
    log_end: int
    pending: int


class _Ledger(msgspec.Struct):
    total: _LedgerTotal


async def play(
    target: Target,
    *,
    progress: Progress,
    waiting: Waiting,
    people: int = PEOPLE,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Played:
    """Play the history in, or what is missing of it.

    Args:
        target: With a key that has the scopes admin, touchpoints:write and customers:read.
        progress: Told touchpoints sent, those from an earlier run included, and how many in all.
        waiting: Told why it takes longer.
        people: How many the history is about.
        transport: To a system in this very process.

    Raises:
        SetupError: Nothing answers there.
        Refused: The system refuses the key or the history.
    """
    async with open_client(target, transport) as client:
        try:
            is_new = await _make_sources(client)
            ends_at = await _first_played_at(client)
            batches = await asyncio.to_thread(list, demo_history(ends_at=ends_at, people=people))
            start = 0 if is_new else await _first_missing(client, batches)
        except httpx.TransportError as error:
            raise unreachable(target) from error
        done, total = _size(batches[:start]), _size(batches)
        progress(done, total)
        async with aclosing(_send(client, target, batches[start:], waiting)) as accepted:
            async for size in accepted:
                done += size
                progress(done, total)
    return Played(ends_at, _size(batches[start:]), total)


async def wait_until_classified(
    target: Target,
    *,
    progress: Progress,
    most_seconds: float = 600,
    transport: httpx.AsyncBaseTransport | None = None,
) -> bool:
    """Wait until the system has classified all that it had accepted by now.

    Args:
        target: With a key that may read the ledger.
        progress: Told records classified, and how many there were.
        most_seconds: How long to wait at most.
        transport: To a system in this very process.

    Returns:
        Whether it has.

    Raises:
        SetupError: Nothing answers there.
        Refused: The system refuses the key.
    """
    async with open_client(target, transport) as client:
        try:
            first = await _ledger(client)
            ledger = first
            for _ in range(round(most_seconds / POLL_SECONDS)):
                classified = ledger.log_end - ledger.pending
                progress(min(classified, first.log_end), first.log_end)
                if classified >= first.log_end:
                    return True
                await asyncio.sleep(POLL_SECONDS)
                ledger = await _ledger(client)
        except httpx.TransportError as error:
            raise unreachable(target) from error
    return False


async def _make_sources(client: httpx.AsyncClient) -> bool:
    """Make those of the sources that are missing; tell whether the first one was."""
    made = False
    for name, channel in CHANNELS.items():
        source = {"name": name, "channel": channel.value, "settings": {"historical": True}}
        answer = await client.post("/v1/sources", json=source)
        if not answer.is_success and answer.status_code != httpx.codes.CONFLICT:
            raise refusal_of(answer)
        made |= name == WEB and answer.is_success
    return made


async def _first_played_at(client: httpx.AsyncClient) -> Instant:
    sources = await _get(client, "/v1/sources", _Sources)
    [played_at] = [source.created_at for source in sources.items if source.name == WEB]
    return parse_rfc3339(played_at)


async def _first_missing(client: httpx.AsyncClient, batches: Sequence[Batch]) -> int:
    """Return which batch to go on with: those in flight at an interruption are sent again."""
    first, end = 0, len(batches)
    while first < end:
        middle = (first + end) // 2
        if await _is_there(client, batches[middle]):
            first = middle + 1
        else:
            end = middle
    return first if first == len(batches) else max(0, first - IN_FLIGHT)


async def _is_there(client: httpx.AsyncClient, batch: Batch) -> bool:
    event_id = quote(str(batch.items[0]["event_id"]))
    answer = await client.get(f"/v1/receipts/{batch.source}/{event_id}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return False
    if not answer.is_success:
        raise refusal_of(answer)
    return msgspec.json.decode(answer.content, type=_Receipt).status != "pending"


async def _send(
    client: httpx.AsyncClient, target: Target, batches: Sequence[Batch], waiting: Waiting
) -> AsyncGenerator[int]:
    """Send *batches*, several at once, and yield the size of each when it is accepted."""
    sending: deque[tuple[Batch, asyncio.Task[Answer]]] = deque()
    try:
        for batch in batches:
            sending.append((batch, asyncio.create_task(_post(client, target, batch, waiting))))
            if len(sending) >= IN_FLIGHT:
                yield await _settled(*sending.popleft())
        while sending:
            yield await _settled(*sending.popleft())
    finally:
        for _, task in sending:
            task.cancel()
        await asyncio.gather(*(task for _, task in sending), return_exceptions=True)


async def _post(
    client: httpx.AsyncClient, target: Target, batch: Batch, waiting: Waiting
) -> Answer:
    """Post *batch*, also to a system that has yet to notice that its source was made."""
    for _ in range(round(NOTICE_SECONDS / POLL_SECONDS)):
        try:
            return await post_touchpoints(
                client, target, batch.items, source=batch.source, waiting=waiting
            )
        except Refused as refusal:
            if refusal.code != "not_found":
                raise
            waiting(f"the system has yet to notice the source {batch.source}")
            await asyncio.sleep(POLL_SECONDS)
    raise SetupError(f"the system does not notice that there is a source {batch.source}")


def _size(batches: Sequence[Batch]) -> int:
    return sum(len(batch.items) for batch in batches)


async def _settled(batch: Batch, task: asyncio.Task[Answer]) -> int:
    answer = await task
    for verdict in answer.results:
        if verdict.status != "accepted":
            raise Invalid(
                f"the system refuses {batch.source}/{batch.items[verdict.index]['event_id']} of "
                f"its own demo: {verdict.message or verdict.code}"
            )
    return len(batch.items)


async def _ledger(client: httpx.AsyncClient) -> _LedgerTotal:
    return (await _get(client, "/v1/ledger", _Ledger)).total


async def _get(client: httpx.AsyncClient, path: str, kind: type[T]) -> T:
    answer = await client.get(path)
    if not answer.is_success:
        raise refusal_of(answer)
    return msgspec.json.decode(answer.content, type=kind)
