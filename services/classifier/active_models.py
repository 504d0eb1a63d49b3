"""The stage models in force, compiled once for each version."""

from dataclasses import dataclass
from typing import Final

import asyncpg

from shared.journey.loading import load_model
from shared.journey.program import Program, compile_model

_ACTIVE: Final = "SELECT id, key, version FROM models WHERE state = 'active' ORDER BY id"
_DOCUMENT: Final = "SELECT document FROM models WHERE id = $1"


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """A model that classifies: its row id and its program."""

    id: int
    program: Program

    @property
    def key(self) -> str:
        """The model's key."""
        return self.program.model.key

    @property
    def version(self) -> str:
        """The model's version."""
        return self.program.model.version


class ActiveModels:
    """Knows the active models as of each transaction; compiles a version when first met."""

    def __init__(self) -> None:
        self._compiled: dict[str, ActiveModel] = {}

    async def load(self, connection: asyncpg.Connection) -> dict[int, ActiveModel]:
        """Return the active models by row id, as *connection*'s transaction sees them."""
        active: dict[int, ActiveModel] = {}
        for row in await connection.fetch(_ACTIVE):
            version = row["version"]
            if version not in self._compiled:
                document = await connection.fetchval(_DOCUMENT, row["id"])
                program = compile_model(load_model(document))
                self._compiled[version] = ActiveModel(row["id"], program)
            active[row["id"]] = self._compiled[version]
        return active
