"""The states of imports in PostgreSQL."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.errors import DatabaseUnavailable
from shared.imports import ImportState
from shared.storage.engine import OUTAGES, checked_out

KEPT_DAYS: Final = 90

_SAVE: Final = """
INSERT INTO imports (id, source, started_at, state) VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state
"""
_FORGET: Final = """
DELETE FROM imports WHERE started_at < $1::timestamptz - make_interval(days => $2)
"""
_FIND: Final = "SELECT state::text FROM imports WHERE id = $1"
_NEWEST: Final = """
SELECT state::text FROM imports WHERE $1::text IS NULL OR source = $1
 ORDER BY started_at DESC, id LIMIT $2
"""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(ImportState)


class StoredImportStates:
    """Keeps states for KEPT_DAYS; the engine stays the caller's."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def save(self, state: ImportState) -> None:
        """Keep *state*."""
        async with self._connected() as connection:
            document = _encoder.encode(state).decode()
            await connection.execute(_SAVE, state.id, state.source, state.started_at, document)
            await connection.execute(_FORGET, state.updated_at, KEPT_DAYS)

    async def find(self, import_id: UUID) -> ImportState | None:
        """Return the state of one import."""
        async with self._connected() as connection:
            text = await connection.fetchval(_FIND, import_id)
        return None if text is None else _decoder.decode(text)

    async def newest(self, source: str | None, limit: int) -> list[ImportState]:
        """Return the last imports."""
        async with self._connected() as connection:
            rows = await connection.fetch(_NEWEST, source, limit)
        return [_decoder.decode(row["state"]) for row in rows]

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[asyncpg.Connection]:
        try:
            async with checked_out(self._engine) as connection:
                yield connection
        except OUTAGES as error:
            raise DatabaseUnavailable(
                f"the states of imports cannot be reached ({type(error).__name__}): try again soon"
            ) from error
