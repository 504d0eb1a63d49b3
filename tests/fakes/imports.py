"""States of imports in memory; passes the same tests as those in PostgreSQL."""

from uuid import UUID

from shared.errors import DatabaseUnavailable
from shared.imports import ImportState


class InMemoryImportStates:
    """Keeps every state that it is given; ``away`` is as if there were no database."""

    def __init__(self) -> None:
        self.away = False
        self._states: dict[UUID, ImportState] = {}
        self.history: list[ImportState] = []

    async def save(self, state: ImportState) -> None:
        self._check_there()
        self._states[state.id] = state
        self.history.append(state)

    async def find(self, import_id: UUID) -> ImportState | None:
        self._check_there()
        return self._states.get(import_id)

    async def newest(self, source: str | None, limit: int) -> list[ImportState]:
        self._check_there()
        fitting = [state for state in self._states.values() if source in (None, state.source)]
        fitting.sort(key=lambda state: state.id)
        return sorted(fitting, key=lambda state: state.started_at, reverse=True)[:limit]

    def _check_there(self) -> None:
        if self.away:
            raise DatabaseUnavailable("the states of imports cannot be reached")
