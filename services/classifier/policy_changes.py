"""Policy changes: customers put together anew under an identity policy that was set meanwhile.

New touchpoints follow the new policy from the moment it is set; until all customers do, their
links are folded with the whole neighbourhood. Any classifier carries this on, one bounded
transaction at a time.
"""

import asyncio
from typing import Final

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.classifier.stepping import step_until
from shared.identity.policy import Policy
from shared.storage.policies import hold_policy
from shared.touchpoints import Identifier, JsonObject
from shared.upkeep.active_models import ActiveModels
from shared.upkeep.enrolment import enrol
from shared.upkeep.grouping import Change, regroup
from shared.upkeep.neighbourhoods import load_neighbourhood
from shared.upkeep.regrouping import refold_regrouped
from shared.upkeep.transactions import began_at, transaction

log = structlog.get_logger()

MOST_IDENTIFIERS: Final = 200
"""Identifiers in one transaction, their neighbourhoods not counted."""

_TURN: Final = "SELECT pg_try_advisory_xact_lock($1)"
_LOCK: Final = 0x6170706C
"""Of whoever applies a policy: "appl" in ASCII."""
_LATEST: Final = """
SELECT id, actor, reason, position, applied_at FROM policies ORDER BY id DESC LIMIT 1
"""
_NEXT: Final = "SELECT id, kind, value FROM identifiers WHERE id > $1 ORDER BY id LIMIT $2"
_ADVANCE: Final = """
UPDATE policies
   SET position = $2, identifiers_done = identifiers_done + $3,
       identifiers_of = greatest(identifiers_of, identifiers_done + $3)
 WHERE id = $1
"""
_END: Final = "UPDATE policies SET applied_at = now() WHERE id = $1"


class PolicyChanges:
    """Applies the policy that was set last; several processes may, and one does at a time.

    Args:
        engine: Whose database.
        most: How many identifiers one transaction takes.
    """

    def __init__(self, engine: AsyncEngine, *, most: int = MOST_IDENTIFIERS) -> None:
        self._engine = engine
        self._most = most
        self._models = ActiveModels()

    async def run(self, stopping: asyncio.Event) -> None:
        """Apply what is set until *stopping* is set."""
        await step_until(stopping, self.step, waits="policy_waits")

    async def step(self) -> bool:
        """Do one transaction's worth and return whether there may be more to do."""
        async with transaction(self._engine) as connection:
            if not await connection.fetchval(_TURN, _LOCK):
                return False
            policy, settled = await hold_policy(connection)
            if settled:
                return False
            row = await connection.fetchrow(_LATEST)
            seeds = await connection.fetch(_NEXT, row["position"], self._most)
            if not seeds:
                await connection.execute(_END, row["id"])
                log.info("policy_applied", policy=row["id"])
                return False
            said: JsonObject = {"id": row["id"], "actor": row["actor"], "reason": row["reason"]}
            named = tuple(Identifier(seed["kind"], seed["value"]) for seed in seeds)
            change = Change(named, {"policy": said})
            await self._regroup(connection, change, policy)
            await connection.execute(_ADVANCE, row["id"], seeds[-1]["id"], len(seeds))
            return True

    async def _regroup(
        self, connection: asyncpg.Connection, change: Change, policy: Policy
    ) -> None:
        now = await began_at(connection)
        near = await load_neighbourhood(connection, change.ends, policy)
        members = await enrol(connection, {}, near.row_ids, now=now)
        regrouped = await regroup(connection, [change], members, policy)
        models = await self._models.load(connection)
        await refold_regrouped(connection, regrouped.groups, models, now=now)
