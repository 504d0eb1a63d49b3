"""Brokers of Apache Kafka on this machine, without Docker: started, killed, frozen, restarted.

A cluster in KRaft mode whose nodes are brokers and controllers at once. For ``make kafka-up`` and
for tests. Standard library only.
"""

import base64
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Final

from deploy.kafka.jars import KafkaMissing, bring_jars

START_SECONDS: Final = 90.0
STOP_SECONDS: Final = 30.0
HOST: Final = "127.0.0.1"
DIRECT: Final = "DIRECT"
FRONTED: Final = "FRONTED"

_POLL_SECONDS: Final = 0.05
_TAIL_BYTES: Final = 3_000
_JVM: Final = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a test's broker lives shorter than it takes to optimise it
    "-Xms96m",
    "-Xmx320m",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)
_API_VERSIONS: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)
"""A request for the versions of the protocol: the first thing that a working broker answers."""


@dataclass(slots=True)
class Port:
    """A port of this machine, kept from everybody but the server it is for.

    Two sockets that allow it may be bound to one port as long as one of them listens, so the
    number stays reserved while the server is down.
    """

    number: int = 0
    _held: socket.socket | None = None

    def __post_init__(self) -> None:
        if not self.number:
            self._held = socket.socket()
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held.bind((HOST, 0))
            self.number = self._held.getsockname()[1]

    def release(self) -> None:
        """Let others have it."""
        if self._held is not None:
            self._held.close()


@dataclass(frozen=True, slots=True)
class Node:
    """A node's number and its ports; ``listeners`` by name, DIRECT among them."""

    id: int
    controller: Port
    listeners: Mapping[str, Port]


@dataclass(frozen=True, slots=True)
class Listening:
    """What a cluster's nodes listen to beside the plain DIRECT listener.

    Attributes:
        protocols: Further listeners by name, each with its security protocol.
        fronts: The ports of what stands in front of each node, say a proxy. Whoever comes through
            the FRONTED listener is sent to them for ever.
    """

    protocols: Mapping[str, str] = field(default_factory=dict)
    fronts: Sequence[int] = ()

    def names(self) -> Mapping[str, str]:
        """Return all listeners with their protocols."""
        fronted = {FRONTED: "PLAINTEXT"} if self.fronts else {}
        return {DIRECT: "PLAINTEXT", **fronted, **self.protocols}


class Broker:
    """One node; its data outlives kills and restarts. Not to be started in a passing thread.

    Args:
        folder: Holds its data, properties and what it says.
        command: What runs Java's class ``kafka.Kafka`` before the properties are named.
        node: Who it is.
        properties: Its configuration.
    """

    def __init__(
        self, folder: Path, command: Sequence[str], node: Node, properties: Mapping[str, str]
    ) -> None:
        self.node = node
        self._command = command
        self._file = folder / "server.properties"
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        lines = (f"{name}={value}\n" for name, value in properties.items())
        self._file.write_text("".join(lines), "utf-8")

    @property
    def port(self) -> int:
        """The port of the DIRECT listener."""
        return self.node.listeners[DIRECT].number

    @property
    def pid(self) -> int:
        """The process id; it runs."""
        if self._process is None:
            raise RuntimeError(f"broker {self.node.id} does not run")
        return self._process.pid

    @property
    def said(self) -> str:
        """The end of what it has written."""
        with suppress(FileNotFoundError):
            return self._log.read_text("utf-8", "replace")[-_TAIL_BYTES:]
        return ""

    def start(self) -> None:
        """Start the process and return at once."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, "kafka.Kafka", str(self._file)],
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        """Return when it answers requests.

        Raises:
            KafkaMissing: it ended, or did not answer in time; says what it wrote.
        """
        deadline = time.monotonic() + seconds
        while not answers(self.port):
            if self._process is not None and self._process.poll() is not None:
                raise KafkaMissing(f"broker {self.node.id} ended:\n{self.said}")
            if time.monotonic() > deadline:
                raise KafkaMissing(f"broker {self.node.id} is not ready:\n{self.said}")
            time.sleep(_POLL_SECONDS)

    def freeze(self) -> None:
        """Stop it in the middle of whatever it does; its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a power cut would but for the page cache; harmless if it is down."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it in good order; kill it if that takes too long."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.send_signal(signal.SIGCONT)
                self._process.terminate()
                self._process.wait(STOP_SECONDS)
        self.kill()


@dataclass(slots=True)
class Cluster:
    """One or more brokers that know each other.

    Args:
        folder: Holds everything of theirs.
        size: How many.
        settings: Broker properties above those set here.
        listening: Listeners beside the plain one.
        ports: The first node's ports for clients and for controllers; free ones if 0.
        scram: Users of SCRAM-SHA-512 and SCRAM-SHA-256 with their passwords.
        lasting: The brokers outlive the process that starts them.
    """

    folder: Path
    size: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    listening: Listening = field(default_factory=Listening)
    ports: tuple[int, int] = (0, 0)
    scram: Mapping[str, str] = field(default_factory=dict)
    lasting: bool = False
    brokers: list[Broker] = field(default_factory=list)

    @property
    def bootstrap(self) -> str:
        """Where plain clients begin."""
        return self.addresses(DIRECT)

    def addresses(self, listener: str) -> str:
        """Return where clients of *listener* begin: the fronts' ports for FRONTED."""
        if listener == FRONTED:
            return ",".join(f"{HOST}:{port}" for port in self.listening.fronts)
        nodes = (broker.node for broker in self.brokers)
        return ",".join(f"{HOST}:{node.listeners[listener].number}" for node in nodes)

    def start(self) -> None:
        """Format the folders that are new, start all brokers and wait until they answer.

        Raises:
            KafkaMissing: Kafka cannot be run; says what to do.
        """
        self.prepare()
        for broker in self.brokers:
            broker.start()
        for broker in self.brokers:
            broker.wait_until_ready()

    def prepare(self) -> None:
        """Choose ports, write properties and format the folders that are new; start nothing."""
        command = _java_command(bring_jars(), lasting=self.lasting)
        nodes = [self._node(number) for number in range(1, self.size + 1)]
        for node in nodes:
            home = self.folder / f"broker-{node.id}"
            home.mkdir(parents=True, exist_ok=True)
            self.brokers.append(Broker(home, command, node, self._properties(home, node, nodes)))
        self._format(command)

    def end(self) -> None:
        """Kill what runs and let go of the ports."""
        for broker in self.brokers:
            broker.kill()
            for port in (broker.node.controller, *broker.node.listeners.values()):
                port.release()

    def _node(self, number: int) -> Node:
        client, controller = self.ports if number == 1 else (0, 0)
        others = self.listening.names().keys() - {DIRECT}
        listeners = {DIRECT: Port(client), **{name: Port() for name in sorted(others)}}
        return Node(number, Port(controller), listeners)

    def _properties(self, home: Path, node: Node, nodes: Sequence[Node]) -> Mapping[str, str]:
        protocols = {"CONTROLLER": "PLAINTEXT", **self.listening.names()}
        own = {name: port.number for name, port in node.listeners.items()}
        told = dict(own)
        if self.listening.fronts:
            told[FRONTED] = self.listening.fronts[node.id - 1]
        copies = str(min(3, self.size))
        return {
            "process.roles": "broker,controller",
            "node.id": str(node.id),
            "controller.quorum.voters": ",".join(
                f"{each.id}@{HOST}:{each.controller.number}" for each in nodes
            ),
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": DIRECT,
            "listeners": _listeners({**own, "CONTROLLER": node.controller.number}),
            "advertised.listeners": _listeners(told),
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}" for name, protocol in protocols.items()
            ),
            "log.dirs": str(home / "data"),
            "auto.create.topics.enable": "false",
            "default.replication.factor": copies,
            "min.insync.replicas": str(min(2, self.size)),
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": str(min(2, self.size)),
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            # One that was killed is let in again only when its former self has timed out.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "log.cleaner.dedupe.buffer.size": str(8 << 20),
            **self.settings,
        }

    def _format(self, command: Sequence[str]) -> None:
        """Format the data folders that are empty, all under one id."""
        named = self.folder / "cluster-id"
        if not named.exists():
            named.write_text(_cluster_id(), "utf-8")
        users = [
            f"--add-scram={kind}=[name={name},password={password}]"
            for name, password in self.scram.items()
            for kind in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        ]
        formats = []
        for broker in self.brokers:
            home = self.folder / f"broker-{broker.node.id}"
            if not (home / "data" / "meta.properties").exists():
                tool = [*command, "kafka.tools.StorageTool", "format", *users]
                tool += ["-t", named.read_text("utf-8"), "-c", str(home / "server.properties")]
                formats.append(subprocess.Popen(tool, stdout=PIPE, stderr=STDOUT))
        for formatting in formats:
            said, _ = formatting.communicate()
            if formatting.returncode != 0:
                raise KafkaMissing(f"a data folder cannot be formatted:\n{said.decode()}")


def answers(port: int, seconds: float = 2.0) -> bool:
    """Whether a broker answers requests on *port* of this machine."""
    with suppress(OSError), socket.create_connection((HOST, port), seconds) as connection:
        connection.sendall(_API_VERSIONS)
        return len(connection.recv(8)) > 0
    return False


def _java_command(jars: Path, *, lasting: bool) -> list[str]:
    """Return what runs a class of Kafka, and dies with this process unless *lasting*."""
    setpriv = shutil.which("setpriv")
    bound = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv and not lasting else []
    return [*bound, shutil.which("java") or "java", *_JVM, "-cp", f"{jars}/*"]


def _cluster_id() -> str:
    """Return a new id, spelled as Kafka does: no first character that looks like an option."""
    spelled = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:22]
    return spelled.replace("-", "A", 1) if spelled.startswith("-") else spelled


def _listeners(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())
