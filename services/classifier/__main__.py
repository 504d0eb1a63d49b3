"""Runs a classifier alone: ``python -m services.classifier``, configured by the environment."""

import asyncio
from contextlib import AsyncExitStack, closing

from starlette.types import Receive, Scope, Send

from services.classifier.app import build_classifier
from services.classifier.settings import ClassifierSettings
from shared.clock import wall_clock
from shared.errors import NotFound
from shared.http.front import Front
from shared.http.health import health_routes, not_stopping
from shared.http.server import listen, serve
from shared.identity.policy_documents import default_policy
from shared.instants import DAY, SECOND
from shared.lifecycle import run_service
from shared.log.embedded import open_embedded_log
from shared.storage.engine import open_engine


async def run(settings: ClassifierSettings, stopping: asyncio.Event) -> None:
    """Classify until *stopping* is set, then finish the batch in hand.

    Raises:
        SetupError: The port or the log cannot be used; says what to do.
    """
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(closing(listen(settings.host, settings.port)))
        log = await stack.enter_async_context(open_embedded_log(settings.log_path))
        engine = await stack.enter_async_context(
            open_engine(
                settings.database_url, pool_size=settings.pool_size, name="journeyline-classifier"
            )
        )
        classifier = build_classifier(
            engine,
            log.reader(),
            default_policy(),
            clock=wall_clock,
            timer_grace=settings.timer_grace * SECOND,
            keep_outbox=settings.outbox_days * DAY,
        )
        checks = {"process": not_stopping(stopping), **classifier.checks}
        front = Front(health_routes(checks), _nothing_else)
        async with asyncio.TaskGroup() as group:
            group.create_task(classifier.run(stopping))
            group.create_task(serve(front, listener, stopping=stopping))


async def _nothing_else(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer lifespan messages, and that there is nothing at any other path."""
    if scope["type"] != "lifespan":
        raise NotFound("a classifier has /livez, /readyz and /metrics only")
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    """Run a classifier until told to stop."""
    run_service("classifier", ClassifierSettings, run)


if __name__ == "__main__":
    main()
