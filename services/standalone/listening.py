"""The port, taken before anything else is started, so that a port in use costs nothing."""

import errno
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from shared.errors import SetupError

_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - shown as reachable ones
BACKLOG: Final = 2_048


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that is bound already, and the address to reach it by."""

    socket: socket.socket
    url: str


@contextmanager
def listen(host: str, port: int) -> Generator[Listener]:
    """Bind *port* on *host* until the block ends; 0 takes any port that is free.

    Raises:
        SetupError: it cannot be bound; says why and what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, port))
        except (OSError, OverflowError) as error:
            raise _unusable(host, port, error) from error
        bound.settimeout(0)
        shown = _ANYWHERE.get(host, host)
        name = f"[{shown}]" if ":" in shown else shown
        yield Listener(bound, f"http://{name}:{bound.getsockname()[1]}")


def _unusable(host: str, port: int, error: Exception) -> SetupError:
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            why = f"port {port} on {host} is in use by another program"
            todo = "stop that one, or choose another port: make run PORT=8081"
        case errno.EACCES:
            why = f"port {port} may only be opened by an administrator"
            todo = "choose one above 1023: make run PORT=8080"
        case _:
            why = f"cannot listen on {host} port {port}: {error}"
            todo = "choose an address of this machine with --host"
    return SetupError(f"{why}: {todo}")
