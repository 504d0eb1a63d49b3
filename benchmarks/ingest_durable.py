"""How many touchpoints ingest makes durable per second of the server's CPU, over real connections.

The server is a process of its own, with the embedded log on a real disk: an answer means that a
record is synced. Its CPU time counts, threads and kernel included; the clients' does not.

Run as ``python -m benchmarks.ingest_durable [SECONDS]``.
"""

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.http_front import cpu_seconds, load, request_of, serve_for
from benchmarks.ingest import BATCH, OneKey, events, in_batches, in_segment_batches, messages
from services.ingest.app import build_ingest
from shared.clock import wall_clock
from shared.http.front import Front
from shared.log.embedded import open_embedded_log

SECONDS: Final = 4.0
CONNECTIONS: Final = 64


def run_server(pipe: Connection, folder: Path) -> None:
    """Serve ingest until the other end of *pipe* says so."""
    uvloop.run(_serve(pipe, folder))


async def _serve(pipe: Connection, folder: Path) -> None:
    async with open_embedded_log(folder / "log.sqlite") as log:
        ingest = build_ingest(log=log.writer, directory=OneKey(), clock=wall_clock)
        await serve_for(pipe, Front(ingest.hot_routes))


def kinds_of_request() -> Iterator[tuple[str, str, Sequence[bytes], int]]:
    """Yield what is posted: a title, a path, bodies, and how many events each one holds."""
    native, segment = events(with_ids=True), messages()
    yield "native, single", "/v1/touchpoints", native, 1
    yield f"native, batches of {BATCH}", "/v1/touchpoints", in_batches(native), BATCH
    yield "Segment, single", "/v1/page", segment, 1
    yield f"Segment, batches of {BATCH}", "/v1/batch", in_segment_batches(segment), BATCH


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    print(f"{os.cpu_count()} cores, {CONNECTIONS} connections")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        server = context.Process(target=run_server, args=(theirs, Path(folder)))
        server.start()
        try:
            _measure(ours, seconds)
        finally:
            ours.send("stop")
            server.join(30)


def _measure(pipe: Connection, seconds: float) -> None:
    port = pipe.recv()
    for title, path, bodies, size in kinds_of_request():
        requests = [request_of(path, body) for body in bodies]
        uvloop.run(load(port, requests, seconds / 4, CONNECTIONS))
        before = cpu_seconds(pipe)
        answered = uvloop.run(load(port, requests, seconds, CONNECTIONS)) * size
        spent = cpu_seconds(pipe) - before
        wall = answered / seconds
        print(f"{title:28} {wall:9,.0f} events/s {answered / spent:9,.0f} per CPU second")


if __name__ == "__main__":
    main()
