"""Whether a service lives, whether it is ready, and what it has counted."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

import msgspec
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import JourneylineError
from shared.http.asgi import JSON, by_method, respond

Check: TypeAlias = Callable[[], Awaitable[str | None]]
"""Returns None if all is well, else a sentence for whoever is on call; it must end by itself."""

CHECK_SECONDS: Final = 2.0

_NO_STORE: Final = (b"cache-control", b"no-store")
_METRICS: Final = (b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode())
_RETRY: Final = (b"retry-after", b"1")


@dataclass(frozen=True, slots=True)
class Checked:
    """What one check found."""

    ok: bool
    detail: str | None = None


def health_routes(
    ready: Mapping[str, Check],
    *,
    alive: Mapping[str, Check] | None = None,
    check_seconds: float = CHECK_SECONDS,
) -> dict[str, ASGIApp]:
    """Return the endpoints of ``/livez``, ``/readyz`` and ``/metrics``, for ``Front``.

    Args:
        ready: What must hold to be sent requests; a failed one takes the process out of rotation.
        alive: What must hold not to be restarted. Never a dependency: when that fails, restarting
            everything at once helps nobody. None for a process that lives while its loop answers.
        check_seconds: How long a check may take before it counts as failed.
    """
    return {
        "/livez": by_method({"GET": _Checks(alive or {}, check_seconds)}),
        "/readyz": by_method({"GET": _Checks(ready, check_seconds)}),
        "/metrics": by_method({"GET": _metrics}),
    }


def not_stopping(stopping: asyncio.Event) -> Check:
    """Return a check that fails once *stopping* is set: a process is not ready while it stops."""

    async def check() -> str | None:
        return "this process is stopping" if stopping.is_set() else None

    return check


async def run_checks(
    checks: Mapping[str, Check], *, check_seconds: float = CHECK_SECONDS
) -> dict[str, Checked]:
    """Run all *checks* at once; one that raises, or takes too long, has failed."""
    found = await asyncio.gather(*(_run(check, check_seconds) for check in checks.values()))
    return dict(zip(checks, found, strict=True))


async def _run(check: Check, check_seconds: float) -> Checked:
    try:
        async with asyncio.timeout(check_seconds):
            wrong = await check()
    except TimeoutError:
        return Checked(ok=False, detail=f"no answer within {check_seconds:g} s")
    except JourneylineError as error:
        return Checked(ok=False, detail=error.message)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the probe must get an answer
        return Checked(ok=False, detail=f"the check failed: {type(error).__name__}")
    return Checked(ok=wrong is None, detail=wrong)


class _Checks:
    """An endpoint that answers 200 if all its checks hold, else 503."""

    def __init__(self, checks: Mapping[str, Check], check_seconds: float) -> None:
        self._checks = checks
        self._check_seconds = check_seconds

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        found = await run_checks(self._checks, check_seconds=self._check_seconds)
        well = all(checked.ok for checked in found.values())
        body = msgspec.json.encode({"status": "ok" if well else "unavailable", "checks": found})
        if well:
            await respond(send, HTTPStatus.OK, body, (JSON, _NO_STORE))
        else:
            await respond(send, HTTPStatus.SERVICE_UNAVAILABLE, body, (JSON, _NO_STORE, _RETRY))


async def _metrics(_: Scope, __: Receive, send: Send) -> None:
    await respond(send, HTTPStatus.OK, generate_latest(REGISTRY), (_METRICS, _NO_STORE))
