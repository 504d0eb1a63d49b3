"""The API's composition: what every request is answered from, and by which route."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.background import Background, background_of
from services.api.cursors import Cursors
from services.api.databases import Databases
from services.api.hot_reads import HotReads, hot_read
from services.api.json_bodies import JsonBodies
from services.api.openapi import Described, DescribedApi
from services.api.outlets import Outlets
from services.api.parameters import JourneyParameters, TimelineParameters, Waiting
from services.api.paths import SegmentPaths
from services.api.request_rates import RateHeaders, RequestRates
from services.api.resources import Directory, LogEnds, Resources
from services.api.routes import (
    audit,
    customers,
    demo,
    diffs,
    erasures,
    explanations,
    feed,
    front,
    identifiers,
    journeys,
    keys,
    ledger,
    links,
    personas,
    policy,
    profiles,
    quarantine,
    receipts,
    redrives,
    reports,
    sources,
    stage_models,
    stages,
    timelines,
    touchpoint_types,
    verification,
    webhooks,
)
from services.api.validation import install_validation
from shared.clock import Clock
from shared.http.docs import docs_routes
from shared.http.front import Front
from shared.http.health import Check, health_routes
from shared.http.problems import install_problems
from shared.log.port import LogWriter
from shared.sources import RateLimit

ROUTERS: Final[tuple[APIRouter, ...]] = (
    front.router,
    customers.router,
    erasures.router,
    timelines.router,
    journeys.router,
    explanations.router,
    links.router,
    policy.router,
    identifiers.router,
    receipts.router,
    profiles.router,
    feed.router,
    stages.router,
    reports.router,
    stage_models.router,
    diffs.router,
    personas.router,
    touchpoint_types.router,
    ledger.router,
    quarantine.router,
    redrives.router,
    verification.router,
    demo.router,
    sources.router,
    keys.router,
    webhooks.router,
    audit.router,
)


HOT_READS: Final = (
    hot_read("/v1/customers/{ref}", customers.read_customer, Waiting),
    hot_read("/v1/customers/{ref}/timeline", timelines.read_timeline, TimelineParameters),
    hot_read("/v1/customers/{ref}/journey", journeys.read_journey, JourneyParameters),
)
"""Routes that are asked most, each with what it reads its query as."""


class _Api(DescribedApi):
    """The application; hot reads do not take FastAPI's way."""

    def __init__(self, *, elsewhere: Described) -> None:
        super().__init__(elsewhere=elsewhere)
        self._hot = HotReads(self, HOT_READS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not await self._hot.answered(scope, receive, send):
            await super().__call__(scope, receive, send)


def build_api(
    *,
    databases: Databases,
    directory: Directory,
    log: LogWriter,
    log_ends: LogEnds,
    topic: str,
    clock: Clock,
    cursor_secret: bytes,
    pepper: bytes,
    outlets: Outlets,
    rate_limit: RateLimit | None = None,
    background: Background | None = None,
    elsewhere: Described | None = None,
) -> FastAPI:
    """Wire the API; everything handed in stays the caller's to close.

    Args:
        databases: The primary, and a replica for reads if there is one.
        directory: Knows whose key a request presents, and the identity policy.
        log: What repaired items are appended to.
        log_ends: Asks the log how far it reaches.
        topic: The log's name.
        clock: The present.
        cursor_secret: Signs cursors; the same in all processes of the API.
        pepper: What digests of new keys are made under.
        outlets: Tell by themselves, instead of being asked.
        rate_limit: Of each key; None for none.
        background: What the routes share with what runs beside them; made here if it is None.
        elsewhere: What stands in front of this application and belongs into its description.
    """
    app = _Api(elsewhere=elsewhere or Described())
    app.state.resources = Resources(
        databases=databases,
        directory=directory,
        log=log,
        log_ends=log_ends,
        topic=topic,
        clock=clock,
        cursors=Cursors(cursor_secret),
        pepper=pepper,
        outlets=outlets,
        rates=RequestRates(rate_limit, clock),
        background=background or background_of(None, databases.primary, pepper, clock),
    )
    _furnish(app)
    return app


def _furnish(app: FastAPI) -> None:
    """Give *app* its routes, and what stands around them; the last middleware comes first."""
    app.add_middleware(JsonBodies)
    app.add_middleware(RateHeaders)
    app.add_middleware(SegmentPaths)
    install_problems(app)
    install_validation(app)
    for router in ROUTERS:
        app.include_router(router)


def create_app(api: FastAPI, checks: Mapping[str, Check]) -> ASGIApp:
    """Return what a server runs for the API alone: its routes, health, metrics, documentation.

    Args:
        api: From ``build_api``.
        checks: What readiness asks.
    """
    return Front({**health_routes(checks), **docs_routes(api.title)}, api)
