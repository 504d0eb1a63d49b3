"""``journeyline doctor``: check every dependency and setting, and say what to do."""

import asyncio
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import httpx
import msgspec
import typer
from rich.console import Console

from services.cli.connection import DEFAULT_DATA, Data, Key, Url, find_target
from services.cli.settings import DATABASE_VARIABLES, KAFKA_VARIABLES, kafka_settings
from services.standalone.postgres_binaries import bundled_major
from shared.errors import JourneylineError, SetupError
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_preflight import look_at
from shared.storage.engine import open_engine
from shared.storage.migrate import current_revision, head_revision

OLDEST_PYTHON: Final = (3, 11)
OLDEST_SQLITE: Final = (3, 35, 0)
FREE_WANTED: Final = 1 << 30

Port = Annotated[int, typer.Option("--port", help="where a system would be started")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database-url", envvar=DATABASE_VARIABLES, help="check this database too"),
]


KafkaBootstrap = Annotated[
    str | None,
    typer.Option("--kafka-bootstrap", envvar=KAFKA_VARIABLES, help="check its topics too"),
]


class Finding(NamedTuple):
    """One thing that was looked at; ``wrong`` says what to do, or is None."""

    what: str
    seen: str
    wrong: str | None = None


class NotWell(JourneylineError):
    """Something has to be done before the product can run."""


class _Check(msgspec.Struct):
    ok: bool
    detail: str | None = None


class _Ready(msgspec.Struct):
    status: str
    checks: dict[str, _Check] = {}


def doctor(
    *,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    port: Port = 8080,
    database_url: DatabaseUrl = None,
    kafka_bootstrap: KafkaBootstrap = None,
) -> None:
    """Check what the product needs, and the running system if there is one."""
    console = Console()
    bad = 0
    findings = _findings(url, key, data, port, database_url)
    for finding in chain(findings, _kafka(kafka_bootstrap)):
        mark, style = ("ok  ", "green") if finding.wrong is None else ("BAD ", "red")
        console.print(mark, style=style, end="")
        console.print(f"{finding.what}: {finding.seen}", highlight=False, markup=False)
        if finding.wrong is not None:
            bad += 1
            console.print(f"    {finding.wrong}", highlight=False, markup=False)
    if bad:
        raise NotWell(f"{bad} to put right, see above")


def _findings(
    url: str | None, key: str | None, data: Path, port: int, database_url: str | None
) -> Iterator[Finding]:
    yield _python()
    yield _sqlite()
    yield _binaries()
    yield _folder(data)
    if database_url is not None:
        yield _database(database_url)
    running = _running(url, key, data)
    if running:
        yield from running
    else:
        yield _port(port)


def _python() -> Finding:
    seen = sys.version.split()[0]
    old = sys.version_info < OLDEST_PYTHON
    return Finding("Python", seen, "needs 3.11 or newer: make setup PYTHON=…" if old else None)


def _sqlite() -> Finding:
    old = sqlite3.sqlite_version_info < OLDEST_SQLITE
    return Finding("SQLite", sqlite3.sqlite_version, "needs 3.35 or newer" if old else None)


def _binaries() -> Finding:
    try:
        return Finding("embedded PostgreSQL", f"version {bundled_major()}")
    except (SetupError, OSError) as error:
        return Finding("embedded PostgreSQL", "does not run", f"run make setup again: {error}")


def _folder(data: Path) -> Finding:
    what = f"data folder {data}"
    place = data if data.exists() else data.absolute().parent
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding(what, str(error), "choose another with --data DIR")
    seen = f"{free >> 20:,} MiB free" + ("" if data.exists() else ", not made yet")
    few = free < FREE_WANTED
    return Finding(what, seen, "make room: ingest stops taking in under 256 MiB" if few else None)


def _database(url: str) -> Finding:
    async def revision() -> str | None:
        async with open_engine(url, pool_size=1) as engine, engine.connect() as connection:
            return await current_revision(connection)

    try:
        found = asyncio.run(revision())
    except Exception as error:  # noqa: BLE001 - whatever the driver says is the finding
        return Finding("database", f"cannot be asked: {error}", "check --database-url")
    head = head_revision()
    wrong = None if found == head else "run `journeyline migrate`"
    return Finding("database", f"revision {found}, this version wants {head}", wrong)


def _kafka(bootstrap: str | None) -> Iterator[Finding]:
    """Return what Kafka's topics are like; nothing where no Kafka is named."""
    if bootstrap is None:
        return
    settings = kafka_settings()
    address = KafkaAddress(bootstrap, settings, "journeyline-doctor")
    for topic in (settings.topic, settings.transitions_topic):
        what = f"Kafka topic {topic}"
        try:
            partitions, faults = asyncio.run(look_at(address, topic))
        except JourneylineError as error:
            yield Finding(what, error.message, "check --kafka-bootstrap, `journeyline migrate`")
            continue
        advice = "; ".join(faults) if settings.profile == "production" else None
        seen = f"{partitions} partitions" + (f" ({'; '.join(faults)})" if faults else "")
        yield Finding(what, seen, advice or None)


def _running(url: str | None, key: str | None, data: Path) -> list[Finding]:
    """Return what a running system says of itself; nothing where none is meant to run."""
    try:
        target = find_target(url, key, data)
    except SetupError:
        return []
    what = f"system at {target.url}"
    try:
        answer = httpx.get(f"{target.url}/readyz", timeout=5)
        ready = msgspec.json.decode(answer.content, type=_Ready)
        findings = [Finding(what, ready.status)]
        for name, check in ready.checks.items():
            advice = None if check.ok else "what the system logs says more"
            findings.append(Finding(f"  {name}", check.detail or "fine", advice))
        return [*findings, _may_ask(target.url, target.key)]
    except httpx.TransportError:
        return [Finding(what, "does not answer; `journeyline up` starts it")]
    except msgspec.DecodeError:
        return [Finding(what, "is no journeyline", "name the right one with --url")]


def _may_ask(url: str, key: str) -> Finding:
    answer = httpx.get(f"{url}/v1/ledger", headers={"Authorization": f"Bearer {key}"}, timeout=5)
    if answer.is_success:
        return Finding("  key", "opens the ledger")
    return Finding(
        "  key", f"answers {answer.status_code}", "name a key with --key or JOURNEYLINE_KEY"
    )


def _port(port: int) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return Finding(f"port {port}", error.strerror or "in use", "choose another: --port N")
    return Finding(f"port {port}", "free")
