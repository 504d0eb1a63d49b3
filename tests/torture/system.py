"""The whole production shape on one machine: real processes, real Kafka, real PostgreSQL.

Every service speaks to Kafka and PostgreSQL through a proxy; whoever watches and checks does not.
"""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import quote

import asyncpg
import httpx
import msgspec

from deploy.kafka.brokers import FRONTED, Cluster, Listening, Port
from services.standalone.first_start import prepare
from services.standalone.postgres import PORT
from shared.clock import wall_clock
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_ends import KafkaEnds
from shared.log.kafka_settings import KafkaSettings
from shared.storage.engine import open_engine
from shared.storage.migrate import upgrade
from tests.faults.proxy import FaultProxy, proxied
from tests.kafka import KafkaForTests
from tests.torture.database import TOLD, Told
from tests.torture.supervisor import Supervised, Supervisor

TOPIC: Final = "journeyline.touchpoints"
TRANSITIONS: Final = "journeyline.transitions"
PARTITIONS: Final = 12
INGESTS: Final = 2
MOST_CLASSIFIERS: Final = 4
START_SECONDS: Final = 60.0
SMALL_SPOOL_BYTES: Final = 1 << 20
"""So little that a spool is full within seconds."""
LARGE_SPOOL_BYTES: Final = 64 << 20

_LOOK_SECONDS: Final = 2.0


@dataclass(slots=True)
class System:
    """What runs, and the ways to hurt it."""

    folder: Path
    supervisor: Supervisor
    cluster: Cluster
    kafka: FaultProxy
    postgres: FaultProxy
    environment: Mapping[str, str]
    key: str = ""
    ports: dict[str, Port] = field(default_factory=dict)
    _ends: KafkaEnds | None = None

    @property
    def database(self) -> Supervised:
        return self.supervisor.processes["database"]

    @property
    def told(self) -> Told:
        """Where PostgreSQL is now."""
        return msgspec.json.decode((self.folder / TOLD).read_bytes(), type=Told)

    @property
    def ingests(self) -> list[Supervised]:
        return self._named("ingest")

    @property
    def classifiers(self) -> list[Supervised]:
        return self._named("classifier")

    @property
    def api(self) -> Supervised:
        return self.supervisor.processes["api"]

    def url(self, name: str) -> str:
        """Return where the process *name* answers."""
        return f"http://127.0.0.1:{self.ports[name].number}"

    def add(self, service: str, name: str) -> Supervised:
        """Start a service under a name of its own."""
        self.ports[name] = Port()
        prefix = service.upper()
        environment = {
            **self.environment,
            f"{prefix}_DATABASE_URL": self.told.url(self.postgres.port),
            f"{prefix}_KAFKA_BOOTSTRAP": f"127.0.0.1:{self.kafka.port}",
            f"{prefix}_PORT": str(self.ports[name].number),
        }
        return self.supervisor.add(name, f"services.{service}", environment)

    def spool(self, most_bytes: int) -> None:
        """Let ingest processes use a spool from their next start on."""
        path = self.folder / "spools"
        path.mkdir(exist_ok=True)
        spooling = {
            "INGEST_SPOOL_PATH": str(path),
            "INGEST_SPOOL_BYTES": str(most_bytes),
            "INGEST_SPOOL_RESERVE_BYTES": "0",
        }
        for ingest in self.ingests:
            ingest.environment = {**ingest.environment, **spooling}

    async def until_ready(self, *processes: Supervised) -> None:
        """Return when each of *processes* is ready."""
        deadline = monotonic() + START_SECONDS
        async with httpx.AsyncClient(timeout=5) as client:
            for process in processes:
                while not await _is_ready(client, self.url(process.name)):
                    assert monotonic() < deadline, f"{process.name} is not ready: {process.said()}"
                    await asyncio.sleep(0.1)

    @asynccontextmanager
    async def query(self) -> AsyncGenerator[asyncpg.Connection]:
        """Yield a connection to PostgreSQL that no proxy stands in front of."""
        told = self.told
        connection = await asyncpg.connect(
            host=str(Path(told.socket).parent),
            user=told.user,
            password=told.password,
            database=told.database,
            timeout=_LOOK_SECONDS,
        )
        try:
            yield connection
        finally:
            with suppress(Exception):
                await connection.close(timeout=_LOOK_SECONDS)

    async def ends(self) -> Mapping[int, int]:
        """Return the offset that each partition's next record will get.

        Raises:
            LogUnavailable: Kafka does not answer.
        """
        if self._ends is None:
            settings = KafkaSettings(request_timeout=_LOOK_SECONDS)
            address = KafkaAddress(self.cluster.bootstrap, settings, "torture")
            self._ends = KafkaEnds(address, TOPIC)
        return await self._ends()

    async def close(self) -> None:
        """Ask nothing any more, and give the ports back."""
        if self._ends is not None:
            await self._ends.close()
        for port in self.ports.values():
            port.release()

    async def restart_database(self) -> None:
        """Kill PostgreSQL without giving it time, and return when it runs again."""
        before = self.told.pid
        (self.folder / TOLD).unlink()
        with suppress(ProcessLookupError):
            _kill_tree(before)
        await self.until_told()

    async def until_told(self) -> None:
        """Return when PostgreSQL runs and the proxy knows where."""
        async with asyncio.timeout(START_SECONDS):
            while not (self.folder / TOLD).exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
        self.postgres.target = Path(self.told.socket)

    def _named(self, service: str) -> list[Supervised]:
        named = self.supervisor.processes.items()
        return [process for name, process in named if name.startswith(f"{service}-")]


@asynccontextmanager
async def running_system(folder: Path, *, classifiers: int) -> AsyncGenerator[System]:
    """Start everything, and end everything."""
    supervisor = Supervisor(folder)
    environment = {
        "KEY_PEPPER": secrets.token_urlsafe(24),
        "KAFKA_TOPIC": TOPIC,
        "KAFKA_REQUEST_TIMEOUT": "3",
        "KAFKA_SESSION_TIMEOUT": "6",
    }
    async with proxied(0, seed=1) as kafka, proxied(0, seed=2) as postgres:
        cluster = Cluster(
            folder / "kafka",
            settings={"group.min.session.timeout.ms": "1000"},
            listening=Listening(fronts=[kafka.port]),
        )
        system = System(folder, supervisor, cluster, kafka, postgres, environment)
        supervising = asyncio.create_task(supervisor.run())
        try:
            await _start(system, classifiers)
            yield system
        finally:
            supervising.cancel()
            supervisor.kill_all()
            await system.close()
            cluster.end()


async def _start(system: System, classifiers: int) -> None:
    database = {"FOLDER": str(system.folder / "postgres")}
    system.supervisor.add("database", "tests.torture.database", database)
    system.cluster.start()
    front = system.cluster.brokers[0].node.listeners[FRONTED]
    system.kafka.target = front.number
    kafka = KafkaForTests(system.cluster.bootstrap)
    await kafka.make_topic(TOPIC, PARTITIONS)
    await kafka.make_topic(TRANSITIONS, PARTITIONS)
    await system.until_told()
    system.key = await _prepared(system)
    names = [
        *(("ingest", f"ingest-{number}") for number in range(INGESTS)),
        *(("classifier", f"classifier-{number}") for number in range(MOST_CLASSIFIERS)),
        ("api", "api"),
    ]
    for service, name in names:
        process = system.add(service, name)
        process.wanted = not name.startswith("classifier") or int(name[-1]) < classifiers
        if not process.wanted:
            process.send(signal.SIGKILL)
    await system.until_ready(*system.ingests, *system.classifiers[:classifiers], system.api)


async def _prepared(system: System) -> str:
    """Make the schema, a stage model, a source and keys; return the secret key."""
    told = system.told
    folder = quote(str(Path(told.socket).parent), safe="")
    url = f"postgresql://{told.user}:{told.password}@/{told.database}?host={folder}&port={PORT}"
    await upgrade(url)
    async with open_engine(url) as engine:
        pepper = system.environment["KEY_PEPPER"].encode()
        credentials, _ = await prepare(
            engine,
            system.folder / "credentials.json",
            url="http://127.0.0.1",
            pepper=pepper,
            clock=wall_clock,
        )
    return credentials.secret_key


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    with suppress(httpx.TransportError):
        return (await client.get(f"{url}/readyz")).is_success
    return False


def _kill_tree(pid: int) -> None:
    """Kill a process and its children, parents first, so that nobody cleans up."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    for one in (pid, *map(int, children)):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
