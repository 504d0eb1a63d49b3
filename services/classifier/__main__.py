"""Runs a classifier alone: ``python -m services.classifier``, configured by the environment."""

import asyncio
from contextlib import AsyncExitStack, closing
from functools import partial
from typing import Final

from starlette.types import Receive, Scope, Send

from services.classifier.app import build_classifier
from services.classifier.ownership import LEAVE_ALONE
from services.classifier.relaying import relay_to_kafka
from services.classifier.service import ClassifierService
from services.classifier.settings import ClassifierSettings
from shared.clock import wall_clock
from shared.errors import NotFound
from shared.http.front import Front
from shared.http.health import health_routes, not_stopping
from shared.http.server import listen, serve
from shared.instants import DAY, SECOND
from shared.lifecycle import run_service
from shared.log.choosing import open_log_reader
from shared.log.kafka_preflight import preflight
from shared.storage.engine import open_engine

NAME: Final = "journeyline-classifier"


async def run(settings: ClassifierSettings, stopping: asyncio.Event) -> None:
    """Classify until *stopping* is set, then finish the batch in hand.

    Raises:
        SetupError: The port or the log cannot be used; says what to do.
    """
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(closing(listen(settings.host, settings.port)))
        engine = await stack.enter_async_context(
            open_engine(settings.database_url, pool_size=settings.pool_size, name=NAME)
        )
        build = partial(
            build_classifier,
            engine,
            clock=wall_clock,
            timer_grace=settings.timer_grace * SECOND,
            pepper=settings.pepper,
            keep_outbox=settings.outbox_days * DAY,
            leave_alone=LEAVE_ALONE if settings.kafka_bootstrap else 0,
        )
        service = ClassifierService(
            engine,
            lambda: open_log_reader(settings, NAME, group=settings.kafka_group),
            build,
            accepted_log=settings.accept_log,
        )
        checks = {"process": not_stopping(stopping), **service.checks}
        front = Front(health_routes(checks), _nothing_else)
        async with asyncio.TaskGroup() as group:
            group.create_task(service.run(stopping))
            group.create_task(serve(front, listener, stopping=stopping))
            if (address := settings.address(NAME)) is not None:
                told = settings.kafka.transitions_topic
                group.create_task(preflight(address, settings.kafka.topic, stopping))
                group.create_task(relay_to_kafka(engine, address, told, wall_clock, stopping))


async def _nothing_else(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer lifespan messages, and that there is nothing at any other path."""
    if scope["type"] != "lifespan":
        raise NotFound("a classifier has /livez, /readyz and /metrics only")
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    """Run a classifier until told to stop."""
    # On asyncio's own loop: uvloop raises RuntimeError where a connection was reset a moment ago,
    # for which aiokafka's consumer is not made; it falls silent for ever.
    run_service("classifier", ClassifierSettings, run, new_loop=asyncio.new_event_loop)


if __name__ == "__main__":
    main()
