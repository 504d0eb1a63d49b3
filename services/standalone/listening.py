"""The port, taken before anything else is started, so that a port in use costs nothing."""

import socket
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from shared.http.server import listen

_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - told as reachable ones


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that is bound already, and the address to reach it by."""

    socket: socket.socket
    url: str


@contextmanager
def listening(host: str, port: int) -> Generator[Listener]:
    """Hold *port* on *host* until the block ends; 0 takes any port that is free.

    Raises:
        SetupError: it cannot be had; says why and what to do.
    """
    with closing(listen(host, port)) as bound:
        shown = _ANYWHERE.get(host, host)
        name = f"[{shown}]" if ":" in shown else shown
        yield Listener(bound, f"http://{name}:{bound.getsockname()[1]}")
