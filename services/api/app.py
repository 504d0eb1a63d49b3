"""The API's composition: what every request is answered from, and by which route."""

from typing import Final

from fastapi import APIRouter, FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.cursors import Cursors
from services.api.health import VERSION
from services.api.paths import SegmentPaths
from services.api.resources import KeyDirectory, LogEnds, Resources
from services.api.routes import (
    customers,
    demo,
    front,
    journeys,
    keys,
    ledger,
    quarantine,
    receipts,
    sources,
    stage_models,
    stages,
    timelines,
    verification,
)
from services.api.validation import install_validation
from shared.clock import Clock
from shared.http.problems import install_problems

LARGEST_BODY: Final = 1 << 20
"""Bytes; no management request is longer, apart from those that say so themselves."""

ROUTERS: Final[tuple[APIRouter, ...]] = (
    front.router,
    customers.router,
    timelines.router,
    journeys.router,
    receipts.router,
    stages.router,
    stage_models.router,
    ledger.router,
    quarantine.router,
    verification.router,
    demo.router,
    sources.router,
    keys.router,
)


def build_api(
    *,
    engine: AsyncEngine,
    directory: KeyDirectory,
    log_ends: LogEnds,
    topic: str,
    clock: Clock,
    cursor_secret: bytes,
    pepper: bytes,
) -> FastAPI:
    """Wire the API; everything handed in stays the caller's to close.

    Args:
        engine: The primary, with a pool of its own.
        directory: Knows whose key a request presents.
        log_ends: Asks the log how far it reaches.
        topic: The log's name.
        clock: The present.
        cursor_secret: Signs cursors; the same in all processes of the API.
        pepper: What digests of new keys are made under.
    """
    app = FastAPI(
        title="Journeyline",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        max_body_size=LARGEST_BODY,
    )
    app.state.resources = Resources(
        engine=engine,
        directory=directory,
        log_ends=log_ends,
        topic=topic,
        clock=clock,
        cursors=Cursors(cursor_secret),
        pepper=pepper,
    )
    app.add_middleware(SegmentPaths)
    install_problems(app)
    install_validation(app)
    for router in ROUTERS:
        app.include_router(router)
    return app
