"""Failed sign-ins: counted by client, put into the log, and slowed down where there are too many.

Keys cannot be guessed; whoever tries is a leaked key that was revoked, a program that was never
told of a rotation, or somebody at the door. A key that is in force is never held up, whoever else
sits behind the same address.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.types import Scope

MOST_FAILURES: Final = 300
"""Of one client within WINDOW_SECONDS; after them it is told to wait, with 429."""
WINDOW_SECONDS: Final = 60.0
MOST_CLIENTS: Final = 10_000
"""Those that failed longest ago are forgotten first."""

_CREDENTIALS: Final = frozenset({b"authorization", b"x-write-key"})

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Failures:
    since: float
    count: int = 0


class SignIns:
    """The failures of one process's clients.

    Args:
        now: Seconds on a clock that only goes forward.
        most: How many failures a client may have within a window.
    """

    def __init__(self, now: Callable[[], float], *, most: int = MOST_FAILURES) -> None:
        self._now = now
        self._most = most
        self._clients: OrderedDict[str, _Failures] = OrderedDict()

    def failed(self, scope: Scope) -> float | None:
        """Note that a request was answered 401.

        Returns:
            Seconds its client should wait, if it has failed too often; else None. Requests that
            present nothing are no sign-ins and are not counted.
        """
        if not _presents(scope):
            return None
        client = (scope.get("client") or ("unknown", 0))[0]
        now = self._now()
        failures = self._clients.pop(client, None)
        if failures is None or now - failures.since >= WINDOW_SECONDS:
            failures = _Failures(now)
        self._clients[client] = failures
        if len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)
        failures.count += 1
        if failures.count == 1:
            _log.warning("sign_in_failed", client=client)
        if failures.count <= self._most:
            return None
        if failures.count == self._most + 1:
            _log.warning("sign_ins_limited", client=client, failures=failures.count)
        return failures.since + WINDOW_SECONDS - now


def _presents(scope: Scope) -> bool:
    in_headers = any(name in _CREDENTIALS for name, _ in scope["headers"])
    return in_headers or b"writeKey=" in scope["query_string"]
