"""The audit: who did what to which thing, when and why."""

from typing import Annotated, Final

import asyncpg
import msgspec
from fastapi import APIRouter, Query, Request, Response

from services.api.answers import json_answer
from services.api.guards import ADMIN
from services.api.links import next_link
from services.api.moments import moment_text
from services.api.parameters import AuditParameters, NoParameters
from services.api.readers.audit import AuditFilter, AuditMark, read_audit, read_end
from services.api.resources import resources_of
from services.api.transactions import reading
from shared.instants import EARLIEST
from shared.storage.audit import broken_links
from shared.touchpoints import JsonObject

router = APIRouter(tags=["audit"], dependencies=[ADMIN])

FIRST_PAGE: Final = AuditMark((1 << 63) - 1)
MOST_BROKEN: Final = 100


@router.get("/v1/audit")
async def read_page(request: Request, asked: Annotated[AuditParameters, Query()]) -> Response:
    """List what was done and read, newest first."""
    resources = resources_of(request)
    since = EARLIEST if asked.since is None else asked.since
    wanted = AuditFilter(asked.actor, asked.action, asked.subject, since)
    about = ["audit", asked.actor, asked.action, asked.subject, asked.since]
    after = FIRST_PAGE
    if asked.cursor is not None:
        after = resources.cursors.open(asked.cursor, about, AuditMark)
    async with reading(resources.engine) as connection:
        rows = await read_audit(connection, wanted, after, asked.limit + 1)
    cursor = None
    if len(rows) > asked.limit:
        cursor = resources.cursors.seal(AuditMark(rows[asked.limit - 1]["id"]), about)
    content = {"items": [_entry(row) for row in rows[: asked.limit]], "next": cursor}
    return json_answer(content, headers=next_link(request, cursor))


@router.get("/v1/audit/verification")
async def verify(request: Request, _: Annotated[NoParameters, Query()]) -> Response:
    """Compute every entry's hash anew; `head` kept elsewhere proves later that none was forged."""
    async with reading(resources_of(request).engine) as connection:
        broken: list[int] = []
        async for entry in broken_links(connection):
            if len(broken) < MOST_BROKEN:
                broken.append(entry)
        entries, head = await read_end(connection)
    content = {
        "entries": entries,
        "head": None if head is None else head.hex(),
        "intact": not broken,
        "broken": broken,
    }
    return json_answer(content)


def _entry(row: asyncpg.Record) -> JsonObject:
    return {
        "id": row["id"],
        "at": moment_text(row["at"]),
        "actor": row["actor"],
        "action": row["action"],
        "subject": row["subject"],
        "reason": row["reason"],
        "details": msgspec.Raw(row["details"].encode()),
        "hash": row["hash"].hex(),
    }
