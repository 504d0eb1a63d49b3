"""Posting touchpoints to a running system, patiently: it may be away or overloaded for a while."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import httpx
import msgspec

from services.cli.connection import TIMEOUT, Target, refusal_of, unreachable
from shared.touchpoints import JsonObject

IN_FLIGHT: Final = 4
TRIES: Final = 40
LONGEST_WAIT_SECONDS: Final = 15.0
AGAIN: Final = frozenset({429, 502, 503, 504})
FROM_FILE: Final = {"Journeyline-Client": "send"}
"""Tells ingest that the items come from a file: their clocks are not corrected for skew."""


class Verdict(msgspec.Struct):
    """What became of one item; ``index`` is its place among those posted."""

    index: int
    status: str
    code: str | None = None
    message: str | None = None


class Answer(msgspec.Struct):
    """What became of a batch."""

    accepted: int = 0
    rejected: int = 0
    results: list[Verdict] = []


def open_client(
    target: Target, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """Return a client of *target* for posting; the caller closes it.

    A *transport* reaches a system in this very process, without a socket.
    """
    headers = {"Authorization": f"Bearer {target.key}", **FROM_FILE}
    return httpx.AsyncClient(
        base_url=target.url, headers=headers, timeout=TIMEOUT, transport=transport
    )


async def post_touchpoints(
    client: httpx.AsyncClient,
    target: Target,
    items: Sequence[JsonObject],
    *,
    source: str | None,
    waiting: Callable[[str], None],
) -> Answer:
    """Post *items* as one batch and return their verdicts, trying again for minutes.

    Args:
        client: Of *target*.
        target: Named in errors.
        items: In the native form; not more than a request may hold.
        source: For secret keys: the source to post for.
        waiting: Called with a sentence when the system is away or overloaded.

    Raises:
        SetupError: the system stayed away.
        Refused: it refuses the whole request, such as for a wrong key.
    """
    if not items:
        return Answer()
    body = msgspec.json.encode(items)
    params = {"source": source} if source else {}
    for attempt in range(TRIES):
        try:
            answer = await client.post("/v1/touchpoints", content=body, params=params)
        except httpx.TransportError:
            waiting(f"nothing answers at {target.url}; trying again")
            await asyncio.sleep(min(0.2 * 2**attempt, LONGEST_WAIT_SECONDS))
            continue
        if answer.status_code in AGAIN:
            waiting("the system asks to wait; trying again")
            await asyncio.sleep(_retry_after(answer, attempt))
            continue
        if answer.status_code in {202, 422} and b'"results"' in answer.content:
            return msgspec.json.decode(answer.content, type=Answer)
        raise refusal_of(answer)
    raise unreachable(target)


def _retry_after(answer: httpx.Response, attempt: int) -> float:
    given = answer.headers.get("Retry-After", "")
    wait = float(given) if given.isdecimal() else 0.2 * 2**attempt
    return min(wait, LONGEST_WAIT_SECONDS)
