"""Ingest's composition: its endpoints over a log and a directory of keys and sources."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import msgspec
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingest.channels.table import ERRANDS, HOOKS
from services.ingest.fetching import Fetcher, HttpFetcher
from services.ingest.intake import Intake
from services.ingest.limits import MOST_BYTES_IN_FLIGHT, BytesInFlight, RateLimits
from services.ingest.openapi import openapi_paths, openapi_schemas
from services.ingest.routes import cloudevents, hooks, sdk_settings, segment, touchpoints
from services.ingest.routes.imports import imports_endpoints
from services.ingest.senders import Directory
from shared.clock import Clock
from shared.http.asgi import by_method, respond
from shared.http.docs import docs_routes
from shared.http.front import Front
from shared.http.health import Check, health_routes
from shared.http.problems import install_problems
from shared.imports import ImportStates
from shared.log.port import LogWriter

TITLE: Final = "Journeyline ingest"


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
    imports: ImportStates | None = None,
    new_id: Callable[[], UUID] = uuid4,
    fetcher: Fetcher | None = None,
    most_bytes_in_flight: int = MOST_BYTES_IN_FLIGHT,
) -> Ingest:
    """Wire ingest; log and directory stay the caller's to close.

    Args:
        log: What touchpoints are appended to.
        directory: Knows keys, sources and the identity policy.
        clock: The present.
        imports: Keeps the states of imports; without it, files are not taken in.
        new_id: Gives event ids and quarantine ids.
        fetcher: Fetches what vendors' deliveries refer to; over HTTP by default.
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
    vendors = hooks.Vendors(HOOKS, ERRANDS, fetcher or HttpFetcher())
    return Ingest(
        hot_routes={
            touchpoints.PATH: touchpoints.touchpoints_endpoint(intake),
            cloudevents.PATH: cloudevents.cloudevents_endpoint(intake),
            **segment.segment_endpoints(intake),
            **sdk_settings.sdk_settings_endpoints(intake),
            **(imports_endpoints(intake, imports) if imports else {}),
            hooks.PATH: hooks.hooks_endpoint(intake, vendors),
        },
        checks={"log": log.check, "keys": directory.check},
    )


def create_app(ingest: Ingest, *, checks: Mapping[str, Check] | None = None) -> ASGIApp:
    """Return what a server runs for ingest alone: its routes, health, metrics and documentation.

    Args:
        ingest: From ``build_ingest``.
        checks: What readiness asks besides.
    """
    rest = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    install_problems(rest)
    routes = {
        **ingest.hot_routes,
        **health_routes({**ingest.checks, **(checks or {})}),
        **docs_routes(TITLE),
        "/openapi.json": by_method({"GET": _answer_openapi}),
    }
    return Front(routes, rest)


_OPENAPI: Final = msgspec.json.encode(
    {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "1"},
        "paths": openapi_paths(),
        "components": {"schemas": openapi_schemas()},
    }
)


async def _answer_openapi(_: Scope, __: Receive, send: Send) -> None:
    await respond(send, 200, _OPENAPI)
