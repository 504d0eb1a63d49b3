"""What can be seen of the system from outside: while it is hurt, and when it is well again."""

import asyncio
import random
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

import asyncpg
import httpx
import msgspec

from services.classifier.watchdog import EXIT_CODE
from shared.errors import LogUnavailable
from shared.touchpoints import JsonObject
from tests.fixtures.load import LedgerRow, ledger_of, pages
from tests.torture.checker import Move, Seen, Told
from tests.torture.history import Claimed, Read, Recorder
from tests.torture.load import CUSTOMERS, told_of
from tests.torture.supervisor import Supervised
from tests.torture.system import TOPIC, System

LOOK_SECONDS: Final = 0.5
SETTLE_SECONDS: Final = 120.0

_CLAIMS: Final = "SELECT partition, epoch, next_offset FROM claims WHERE topic = $1"
_AWAY: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    httpx.HTTPError,
    LogUnavailable,
    FileNotFoundError,
    OSError,
    TimeoutError,
)
_CONNECTIONS: Final = """
SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'journeyline%'
"""


class Observer:
    """Looks at *system* from outside, past the proxies."""

    def __init__(self, system: System, recorder: Recorder, chance: random.Random) -> None:
        self._system = system
        self._recorder = recorder
        self._chance = chance

    async def watch(self) -> None:
        """Look at claims and timelines again and again, until cancelled."""
        async with self._client() as client:
            while True:
                with suppress(*_AWAY):
                    await self._look_at_claims()
                with suppress(*_AWAY):
                    await self._look_at_a_timeline(client)
                await asyncio.sleep(LOOK_SECONDS)

    async def caught_up(self) -> float:
        """Return how long it took until all that is in the log now was classified."""
        began = monotonic()
        ends: Mapping[int, int] = {}
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                with suppress(*_AWAY):
                    ends = ends or await self._system.ends()
                    offsets = {one: offset for one, _, offset in await self._claims()}
                    if all(offsets.get(one, 0) >= end for one, end in ends.items()):
                        return monotonic() - began
                await asyncio.sleep(0.1)

    async def drained(self) -> None:
        """Return when no ingest process has anything in its spool."""
        async with httpx.AsyncClient(timeout=5) as client, asyncio.timeout(SETTLE_SECONDS):
            for ingest in self._system.ingests:
                url = f"{self._system.url(ingest.name)}/metrics"
                while await _depth(client, url) != 0:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)

    async def holdings(self) -> Mapping[str, int]:
        """Return what the processes hold now."""
        processes = self._system.supervisor.processes.values()
        services = [one for one in processes if one.name != "database" and one.is_alive]
        async with self._system.query() as connection:
            sessions = await connection.fetchval(_CONNECTIONS)
        return {"open sockets": sum(map(_open_sockets, services)), "database sessions": sessions}

    async def seen(
        self,
        sent: Mapping[str, Told],
        recovery_seconds: Mapping[str, float],
        before: Mapping[str, int],
    ) -> Seen:
        """Return all that the system tells, when nothing is pending any more."""
        async with self._client() as client:
            ledger = await self._settled_ledger(client)
            told, moves = await self._timelines(client)
            verified, differences = await _verified(client)
        async with self._system.query() as connection:
            quarantined = await connection.fetchval("SELECT count(*) FROM quarantine")
        after = await self.holdings()
        return Seen(
            sent=sent,
            told=told,
            moves=moves,
            ledger=ledger,
            quarantined=quarantined,
            verified=verified,
            differences=differences,
            recovery_seconds=recovery_seconds,
            resources={name: (before[name], after[name]) for name in before},
            gave_up=[one.name for one in self._system.classifiers if EXIT_CODE in one.exits],
        )

    def fenced(self) -> int:
        """Return how many batches of former owners were refused, from what the classifiers said."""
        logs = [one.log.read_text("utf-8", "replace") for one in self._system.classifiers]
        return sum(len(re.findall("batch_fenced", log)) for log in logs)

    async def _look_at_claims(self) -> None:
        claims = await self._claims()
        ends = await self._system.ends()
        now = monotonic()
        for partition, epoch, offset in claims:
            self._recorder.note(Claimed(now, partition, epoch, offset, ends[partition]))

    async def _claims(self) -> list[tuple[int, int, int]]:
        async with self._system.query() as connection:
            rows = await connection.fetch(_CLAIMS, TOPIC)
        return [(row["partition"], row["epoch"], row["next_offset"]) for row in rows]

    async def _look_at_a_timeline(self, client: httpx.AsyncClient) -> None:
        number = self._chance.randrange(1, CUSTOMERS)
        path = f"/v1/customers/email:customer-{number}%40example.com/timeline"
        began = monotonic()
        answer = await client.get(path, params={"limit": "1"})
        if answer.is_success:
            items = await pages(client, path, {"kinds": "touchpoint", "limit": "500"})
            names = tuple(str(item["event_id"]) for item in items)
            self._recorder.note(Read(began, str(number), names))

    async def _settled_ledger(self, client: httpx.AsyncClient) -> list[LedgerRow]:
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                with suppress(*_AWAY):
                    answer = await client.get("/v1/ledger")
                    if answer.is_success and ledger_of(answer.json()).pending == 0:
                        lines = msgspec.convert(answer.json()["partitions"], list[JsonObject])
                        return [LedgerRow.of(line) for line in lines]
                await asyncio.sleep(0.2)

    async def _timelines(
        self, client: httpx.AsyncClient
    ) -> tuple[dict[str, list[Told]], dict[str, Sequence[Move]]]:
        told: dict[str, list[Told]] = {}
        moves: dict[str, Sequence[Move]] = {}
        for customer in await pages(client, "/v1/customers", {"limit": "500"}):
            path = f"/v1/customers/{customer['customer_id']}"
            for item in await pages(
                client, f"{path}/timeline", {"kinds": "touchpoint", "limit": "500"}
            ):
                told.setdefault(str(item["event_id"]), []).append(told_of(item))
            journey = (await client.get(f"{path}/journey")).json()
            moves[str(customer["customer_id"])] = [_move(one) for one in journey["transitions"]]
        return told, moves

    def _client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self._system.key}"}
        return httpx.AsyncClient(headers=headers, timeout=30, base_url=self._system.url("api"))


def _open_sockets(process: Supervised) -> int:
    opened = 0
    for handle in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            opened += str(handle.readlink()).startswith("socket:")
    return opened


async def _verified(client: httpx.AsyncClient) -> tuple[int, int]:
    answer = await client.post("/v1/verify", timeout=300)
    result = msgspec.json.decode(answer.text.splitlines()[-1], type=JsonObject)
    assert result["kind"] == "result", answer.text
    return int(str(result["touchpoints"])), int(str(result["differences"]))


async def _depth(client: httpx.AsyncClient, url: str) -> float | None:
    with suppress(httpx.TransportError):
        found = re.search(r"^spool_depth_events (\S+)$", (await client.get(url)).text, re.MULTILINE)
        return float(found[1]) if found else None
    return None


def _move(transition: JsonObject) -> Move:
    before = transition["from"]
    return Move(
        str(transition["axis"]),
        None if before is None else str(before),
        str(transition["to"]),
        str(transition["at"]),
    )
