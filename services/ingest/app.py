"""Ingest's composition: its endpoints over a log and a directory of keys and sources."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID, uuid4

from starlette.types import ASGIApp

from services.ingest.intake import Intake
from services.ingest.limits import MOST_BYTES_IN_FLIGHT, BytesInFlight, RateLimits
from services.ingest.routes import touchpoints
from services.ingest.senders import Directory
from shared.clock import Clock
from shared.log.port import LogWriter

Check: TypeAlias = Callable[[], Awaitable[str | None]]
"""Returns None if all is well, else a sentence that says what is not."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """Ingest, ready to be mounted.

    ``hot_routes`` are plain ASGI endpoints by path, to stand in front of everything else;
    ``checks`` are what readiness asks: whether touchpoints would be durably accepted now.
    """

    hot_routes: Mapping[str, ASGIApp]
    checks: Mapping[str, Check]


def build_ingest(
    *,
    log: LogWriter,
    directory: Directory,
    clock: Clock,
    new_id: Callable[[], UUID] = uuid4,
    most_bytes_in_flight: int = MOST_BYTES_IN_FLIGHT,
) -> Ingest:
    """Wire ingest; log and directory stay the caller's to close.

    Args:
        log: What touchpoints are appended to.
        directory: Knows keys, sources and the identity policy.
        clock: The present.
        new_id: Gives event ids and quarantine ids.
        most_bytes_in_flight: What all requests may hold together before they get 503.
    """
    intake = Intake(
        log=log,
        directory=directory,
        clock=clock,
        new_id=new_id,
        rates=RateLimits(clock),
        in_flight=BytesInFlight(most_bytes_in_flight),
    )
    return Ingest(
        hot_routes={touchpoints.PATH: touchpoints.touchpoints_endpoint(intake)},
        checks={"log": log.check, "keys": directory.check},
    )
