"""Stage models as they are stored, and their programs, compiled once for each version."""

from collections import OrderedDict
from typing import Final

import asyncpg

from services.api.readers.customers import ModelRow, no_such_model
from shared.errors import NotFound
from shared.instants import Instant, datetime_of
from shared.journey.program import Program, compile_model
from shared.storage.stage_models import stored_model

_LIST: Final = """
SELECT m.version, m.key, m.title, m.state, m.is_default, m.created_at, m.activated_at,
       r.customers_done, r.customers_of
  FROM models m
  LEFT JOIN rollouts r ON r.model_id = m.id AND r.phase IN ('requested', 'folding')
 ORDER BY m.key, m.created_at DESC, m.version
"""
_ONE: Final = """
SELECT m.version, m.key, m.title, m.state, m.is_default, m.created_at, m.activated_at, m.document,
       r.customers_done, r.customers_of
  FROM models m
  LEFT JOIN rollouts r ON r.model_id = m.id AND r.phase IN ('requested', 'folding')
 WHERE m.version = $1
"""
_NAMED: Final = """
SELECT id, key, version, revision FROM models
 WHERE CASE WHEN $1::text IS NULL THEN is_default
            ELSE version = $1 OR (key = $1 AND state = 'active') END
 ORDER BY version = $1 DESC LIMIT 1
"""
_PUBLISHED: Final = """
SELECT id, key, version, revision FROM models
 WHERE state = 'active' AND CASE WHEN $1::text IS NULL THEN is_default ELSE $1 IN (version, key) END
    OR state = 'shadow' AND version = $1
       AND EXISTS (SELECT FROM rollouts r WHERE r.model_id = models.id AND r.phase = 'shadowing')
"""
_VERSION: Final = "SELECT id, key, version, revision FROM models WHERE version = $1"
_BY_ID: Final = "SELECT id, key, version, revision FROM models WHERE id = $1"
_RIVAL: Final = """
SELECT id, key, version, revision FROM models
 WHERE state = 'active' AND (key = $1 OR is_default) ORDER BY key = $1 DESC LIMIT 1
"""
_ACTIVE_AT: Final = """
SELECT models.id, models.key, models.version, models.revision
  FROM activations a JOIN models ON models.id = a.model_id
 WHERE a.key = $1
 ORDER BY a.recorded_at > $2, CASE WHEN a.recorded_at > $2 THEN a.recorded_at END,
          a.activated_at DESC, a.id DESC
 LIMIT 1
"""
_DOCUMENT: Final = "SELECT document FROM models WHERE id = $1"
_MOST_PROGRAMS: Final = 32


class Programs:
    """Compiled stage models, the most recently used ones.

    A version never changes what it does, but a revision of it may change what things are called.
    """

    def __init__(self) -> None:
        self._compiled: OrderedDict[tuple[str, int], Program] = OrderedDict()

    async def load(self, connection: asyncpg.Connection, model: ModelRow) -> Program:
        """Return the program of *model*."""
        key = model.version, model.revision
        program = self._compiled.get(key)
        if program is None:
            document = await connection.fetchval(_DOCUMENT, model.id)
            program = compile_model(stored_model(document))
            self._compiled[key] = program
            if len(self._compiled) > _MOST_PROGRAMS:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return program


async def find_model(connection: asyncpg.Connection, model: str | None) -> ModelRow:
    """Return the model named *model*, the key of an active one or any version; None: the default.

    Raises:
        NotFound: there is none.
    """
    row = await connection.fetchrow(_NAMED, model)
    if row is None:
        raise no_such_model(model)
    return ModelRow(*row)


async def find_version(connection: asyncpg.Connection, version: str) -> ModelRow:
    """Return the model of a version, whatever its state.

    Raises:
        NotFound: there is none.
    """
    row = await connection.fetchrow(_VERSION, version)
    if row is None:
        raise NotFound("no stage model has that version")
    return ModelRow(*row)


async def find_version_by_id(connection: asyncpg.Connection, id_: int) -> ModelRow:
    """Return the model of a row that there is."""
    return ModelRow(*await connection.fetchrow(_BY_ID, id_))


async def find_rival(connection: asyncpg.Connection, key: str) -> ModelRow:
    """Return what a version with *key* would take the place of; else the default model.

    Raises:
        NotFound: no model is in force.
    """
    row = await connection.fetchrow(_RIVAL, key)
    if row is None:
        raise no_such_model(None)
    return ModelRow(*row)


async def find_published_model(connection: asyncpg.Connection, model: str | None) -> ModelRow:
    """Return the active model with the key or version *model*, or the shadow with that version.

    None stands for the default model.

    Raises:
        NotFound: there is none; of others there is no stored state.
    """
    row = await connection.fetchrow(_PUBLISHED, model)
    if row is not None:
        return ModelRow(*row)
    if model is None:
        raise no_such_model(model)
    raise NotFound("no active model has that key or version, and no shadow that is folded has it")


async def model_active_at(
    connection: asyncpg.Connection, present: ModelRow, known_at: Instant
) -> ModelRow:
    """Return the version of *present*'s key that was active at *known_at*.

    Before the first activation it is the first one that came, and *present* itself where none is
    recorded.
    """
    row = await connection.fetchrow(_ACTIVE_AT, present.key, datetime_of(known_at))
    return present if row is None else ModelRow(*row)


async def list_models(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Return every version of every model without its document, the newest of a key first."""
    rows: list[asyncpg.Record] = await connection.fetch(_LIST)
    return rows


async def read_model_row(connection: asyncpg.Connection, version: str) -> asyncpg.Record:
    """Return one version with its document.

    Raises:
        NotFound: no model has that version.
    """
    row = await connection.fetchrow(_ONE, version)
    if row is None:
        raise NotFound("no stage model has that version")
    return row
