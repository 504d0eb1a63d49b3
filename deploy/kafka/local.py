"""``make kafka-up`` and ``make kafka-down``: one broker of Apache Kafka in the background."""

import argparse
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from deploy.kafka.brokers import HOST, STOP_SECONDS, Cluster, answers
from deploy.kafka.jars import KafkaMissing

_POLL_SECONDS: Final = 0.1


def main() -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=["up", "down"])
    parser.add_argument("--data", type=Path, required=True, help="the folder of its data")
    parser.add_argument("--port", type=int, default=9092)
    parser.add_argument("--controller-port", type=int, help="default: the port after --port")
    asked = parser.parse_args()
    ports = (asked.port, asked.controller_port or asked.port + 1)
    try:
        return up(asked.data, ports) if asked.task == "up" else down(asked.data)
    except KafkaMissing as error:
        sys.stderr.write(f"kafka: {error}\n")
        return 1


def up(data: Path, ports: tuple[int, int]) -> int:
    """Start the broker, for clients and for controllers on *ports*, unless it runs already."""
    port = ports[0]
    if _running(data) is not None:
        sys.stderr.write(f"kafka: runs already, with its data in {data}\n")
        return 0
    if answers(port):
        raise KafkaMissing(
            f"something else answers on port {port}; choose another: make kafka-up KAFKA_PORT=9192"
        )
    data.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(data.resolve(), ports=ports, lasting=True)
    cluster.start()
    (data / "broker.pid").write_text(str(cluster.brokers[0].pid), "utf-8")
    sys.stderr.write(f"kafka: answers at {HOST}:{port}; its data is in {data}\n")
    return 0


def down(data: Path) -> int:
    """Stop the broker, if it runs; its data stays."""
    pid = _running(data)
    if pid is None:
        sys.stderr.write("kafka: does not run\n")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _running(data) is not None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
    (data / "broker.pid").unlink()
    sys.stderr.write(f"kafka: stopped; its data stays in {data}\n")
    return 0


def _running(data: Path) -> int | None:
    """Return the process id of the broker of *data*, if it lives."""
    with suppress(OSError, ValueError):
        pid = int((data / "broker.pid").read_text("utf-8"))
        if b"kafka.Kafka" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return None


if __name__ == "__main__":
    raise SystemExit(main())
