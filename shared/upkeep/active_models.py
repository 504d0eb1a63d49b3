"""The stage models that journeys are kept for, compiled once for each version.

Every transaction that changes journeys holds a shared lock on the set of models from when it loads
them until it ends. Whoever changes the set takes the exclusive one, and so knows that nobody works
with the former set any more.
"""

from dataclasses import dataclass
from typing import Final

import asyncpg

from shared.journey.program import Program, compile_model
from shared.storage.stage_models import stored_model

_SHARE: Final = "SELECT pg_advisory_xact_lock_shared($1)"
_HOLD: Final = "SELECT pg_advisory_xact_lock($1)"
_LOCK: Final = 0x6D6F6465
"""Of the set of models: "mode" in ASCII."""

_FOLLOWED: Final = """
SELECT id, version, state = 'active' AS published FROM models
 WHERE state = 'active'
    OR EXISTS (SELECT FROM rollouts r
                WHERE r.model_id = models.id AND r.phase IN ('folding', 'shadowing'))
 ORDER BY id
"""
_DOCUMENT: Final = "SELECT document FROM models WHERE id = $1"


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """A model that journeys are kept for: its row id and its program.

    One that is not ``published`` is still being rolled out, or is a shadow: its transitions are
    stored, but nobody is told of them, and customers with an older history may lack a journey.
    """

    id: int
    program: Program
    published: bool

    @property
    def key(self) -> str:
        """The model's key."""
        return self.program.model.key

    @property
    def version(self) -> str:
        """The model's version."""
        return self.program.model.version


class ActiveModels:
    """Knows the models as of each transaction; compiles a version when first met."""

    def __init__(self) -> None:
        self._compiled: dict[str, Program] = {}

    async def load(self, connection: asyncpg.Connection) -> dict[int, ActiveModel]:
        """Return the models by row id; they stay these until *connection*'s transaction ends."""
        await connection.execute(_SHARE, _LOCK)
        active: dict[int, ActiveModel] = {}
        for row in await connection.fetch(_FOLLOWED):  # sees what was committed during the wait
            program = await self._program(connection, row["id"], row["version"])
            active[row["id"]] = ActiveModel(row["id"], program, row["published"])
        return active

    async def _program(self, connection: asyncpg.Connection, id_: int, version: str) -> Program:
        program = self._compiled.get(version)
        if program is None:
            program = compile_model(stored_model(await connection.fetchval(_DOCUMENT, id_)))
            self._compiled[version] = program
        return program


async def hold_models(connection: asyncpg.Connection) -> None:
    """Wait for all who work with the present set of models, and keep others waiting.

    The transaction that calls this must hold no rows that they may wait for, and be short.
    """
    await connection.execute(_HOLD, _LOCK)
