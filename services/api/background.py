"""What the API does without being asked, beside its requests."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.quarantine_limits import keep_quarantine_limits
from shared.clock import Clock


async def run_background(engine: AsyncEngine, clock: Clock, stopping: asyncio.Event) -> None:
    """Do it until *stopping* is set; any number of processes may do it at once."""
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_quarantine_limits(engine, clock, stopping), name="api-quarantine")
