"""What is done to keys and sources, put into the audit."""

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.instants import Instant
from shared.storage.audit import Act, record_act
from shared.storage.engine import driver_of
from shared.touchpoints import JsonObject


async def record_key_act(
    connection: AsyncConnection,
    actor: str,
    action: str,
    key_id: str,
    *,
    now: Instant,
    details: JsonObject | None = None,
) -> None:
    """Put into the audit what was done to a key, last in its transaction."""
    act = Act(actor, action, f"key:{key_id}", details=details or {})
    await record_act(await driver_of(connection), act, at=now)


async def record_source_act(
    connection: AsyncConnection,
    actor: str,
    action: str,
    name: str,
    *,
    now: Instant,
    settings: JsonObject,
) -> None:
    """Put into the audit what was done to a source: which settings, but not their values.

    There are secrets of webhooks among them.
    """
    act = Act(actor, action, f"source:{name}", details={"settings": sorted(settings)})
    await record_act(await driver_of(connection), act, at=now)
