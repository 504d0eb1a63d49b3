"""Outlets: the ways on which the API tells by itself, instead of being asked."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.settings import ApiOptions
from services.api.streams import Streams
from services.api.webhooks.delivering import Deliveries
from services.api.webhooks.sending import open_sender
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Outlets:
    """Streams, which end before the server does, and webhooks, which somebody has to run."""

    streams: Streams
    webhooks: Deliveries


@asynccontextmanager
async def open_outlets(
    engine: AsyncEngine,
    pepper: bytes,
    options: ApiOptions,
    *,
    clock: Clock,
    stopping: asyncio.Event,
) -> AsyncGenerator[Outlets]:
    """Yield the outlets of one process.

    Args:
        engine: Of the primary.
        pepper: What secrets of webhooks are derived from.
        options: Of the API.
        clock: The present.
        stopping: Ends the streams.
    """
    async with open_sender(allow_private=options.webhook_allow_private) as sender:
        yield Outlets(Streams(engine, stopping), Deliveries(engine, sender, pepper, clock=clock))
