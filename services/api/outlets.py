"""Outlets: the ways on which the API tells by itself, instead of being asked."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.api.databases import Databases
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
    databases: Databases,
    pepper: bytes,
    options: ApiOptions,
    *,
    clock: Clock,
    stopping: asyncio.Event,
) -> AsyncGenerator[Outlets]:
    """Yield the outlets of one process.

    Args:
        databases: Streams read where others read; webhooks are the primary's.
        pepper: What secrets of webhooks are derived from.
        options: Of the API.
        clock: The present.
        stopping: Ends the streams.
    """
    async with open_sender(allow_private=options.webhook_allow_private) as sender:
        deliveries = Deliveries(databases.primary, sender, pepper, clock=clock)
        yield Outlets(Streams(databases, stopping), deliveries)
