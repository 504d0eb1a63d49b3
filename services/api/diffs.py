"""Diffs: what another version of a stage model would change, for how many and for whom."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode
from uuid import UUID

import asyncpg
import msgspec

from services.api.freshness import Freshness
from services.api.parameters import DiffParameters
from services.api.readers.customers import ModelRow
from services.api.readers.stage_models import (
    find_model,
    find_rival,
    find_version,
    find_version_by_id,
)
from services.api.resources import Resources
from services.api.transactions import reading, writing
from shared.errors import NotFound
from shared.http.problems import TooManyRequests
from shared.instants import Instant, rfc3339
from shared.journey.differing import Stages
from shared.journey.flows import Flow, in_order
from shared.journey.program import Program
from shared.storage.diffs import (
    NO_STAGE,
    Question,
    StoredDiff,
    ask_diff,
    find_diff,
    note_told,
    read_differing,
)
from shared.storage.engine import driver_of
from shared.touchpoints import JsonObject

MOST_WAITING: Final = 20
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0
NONE: Final = "none"
"""How a parameter says that there is no stage; no key is so."""

_FIRST: Final = UUID(int=0)


class DiffMark(msgspec.Struct, frozen=True, array_like=True):
    """A diff, by its row until its first answer and by its digest then, and the last customer."""

    name: int | bytes
    after: UUID = _FIRST


@dataclass(frozen=True, slots=True)
class DiffAnswer:
    """What is told; ``next`` goes on, or waits on, and None of ``freshness`` means not yet."""

    content: JsonObject
    freshness: Freshness | None
    next: str | None


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both models, the one compared with first."""

    before: ModelRow
    after: ModelRow
    programs: tuple[Program, Program]


async def read_diff(resources: Resources, version: str, asked: DiffParameters) -> DiffAnswer:
    """Return the page that *asked* wants, or how far the diff has got when patience ends.

    A classifier does the work, whether anybody waits or not. No connection is held meanwhile.

    Raises:
        NotFound: there is no such version, nothing to compare it with, or the diff is not kept.
        Unreadable: the cursor is none of this question.
        TooManyRequests: too many diffs are waited for.
    """
    about = _about(version, asked.against, asked.as_of, (asked.before, asked.after))
    if asked.cursor is None:
        mark = DiffMark(await _ask(resources, version, asked))
    else:
        mark = resources.cursors.open(asked.cursor, about, DiffMark)
    diff = await _awaited(resources, version, mark, asked.timeout)
    async with reading(resources.engine) as connection:
        sides = await _sides(connection, resources, diff.question)
        if not diff.is_done:
            return _not_yet(resources, diff, sides, about)
        page = await _page(connection, resources, diff, (mark, asked, about))
    if isinstance(mark.name, int):
        async with writing(resources.engine) as connection:
            await note_told(await driver_of(connection), diff.id)
    content = {**_head(sides, diff), "state": "done", **_summary(resources, diff, sides), **page}
    lag = None if diff.read_through is None else resources.clock() - diff.read_through
    cursor = page["next"]
    return DiffAnswer(
        content, Freshness(diff.read_through, lag), cursor if isinstance(cursor, str) else None
    )


async def _ask(resources: Resources, version: str, asked: DiffParameters) -> int:
    async with writing(resources.engine) as connection:
        driver = await driver_of(connection)
        model = await find_version(driver, version)
        if asked.against is None:
            rival = await find_rival(driver, model.key)
        else:
            rival = await find_model(driver, asked.against)
        question = Question(model.id, rival.id, asked.as_of)
        found = await ask_diff(driver, question, most=MOST_WAITING)
    if found is None:
        raise TooManyRequests(
            f"{MOST_WAITING} diffs are waited for already: ask again when some are done",
            retry_after_seconds=LONGEST_PAUSE_SECONDS * 30,
        )
    return found


async def _awaited(
    resources: Resources, version: str, mark: DiffMark, patience: float
) -> StoredDiff:
    """Return the diff once it is done, or patience has ended."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + patience, FIRST_PAUSE_SECONDS
    while True:
        async with reading(resources.engine) as connection:
            model = await find_version(connection, version)
            diff = await find_diff(connection, mark.name, model.id)
        if diff is None:
            raise NotFound("that diff is not kept any more: ask again without cursor")
        left = deadline - loop.time()
        if diff.is_done or left <= 0:
            return diff
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


async def _sides(
    connection: asyncpg.Connection, resources: Resources, question: Question
) -> _Sides:
    before = await find_version_by_id(connection, question.against_id)
    after = await find_version_by_id(connection, question.model_id)
    programs = [await resources.programs.load(connection, row) for row in (before, after)]
    return _Sides(before, after, (programs[0], programs[1]))


def _not_yet(
    resources: Resources, diff: StoredDiff, sides: _Sides, about: Sequence[object]
) -> DiffAnswer:
    cursor = resources.cursors.seal(DiffMark(diff.id), about)
    progress = {"customers": diff.customers_done, "of": diff.customers_of}
    content = {**_head(sides, diff), "state": "comparing", "progress": progress, "next": cursor}
    return DiffAnswer(content, None, cursor)


def _head(sides: _Sides, diff: StoredDiff) -> JsonObject:
    as_of = diff.question.as_of
    return {
        "version": sides.after.version,
        "key": sides.after.key,
        "against": {"version": sides.before.version, "key": sides.before.key},
        **({} if as_of is None else {"as_of": rfc3339(as_of)}),
    }


def _summary(resources: Resources, diff: StoredDiff, sides: _Sides) -> JsonObject:
    stages = Stages(*sides.programs)
    before, after = (program.model for program in sides.programs)
    flows = in_order(diff.flows, before, after)
    moved = (flow.customers for flow in flows if not stages.agree(flow.before, flow.after))
    return {
        "customers": sum(flow.customers for flow in flows),
        "differ": sum(flow.differ for flow in flows),
        "moved": sum(moved),
        "hash": diff.digest.hex(),
        "stages": {
            "from": [stage.key for stage in before.stages],
            "to": [stage.key for stage in after.stages],
        },
        "flows": [
            {
                "from": flow.before,
                "to": flow.after,
                "same": stages.agree(flow.before, flow.after),
                "customers": flow.customers,
                "differ": flow.differ,
                "drill": _drill(resources, diff, sides, flow),
            }
            for flow in flows
        ],
    }


def _drill(resources: Resources, diff: StoredDiff, sides: _Sides, flow: Flow) -> str | None:
    """Return where the customers of *flow* are listed whose journeys differ."""
    if not flow.differ:
        return None
    version, against = sides.after.version, sides.before.version
    as_of, ends = diff.question.as_of, (flow.before or NONE, flow.after or NONE)
    cursor = resources.cursors.seal(DiffMark(diff.digest), _about(version, against, as_of, ends))
    asked = {"against": against, "from": ends[0], "to": ends[1], "cursor": cursor}
    if as_of is not None:
        asked["as_of"] = rfc3339(as_of)
    return f"/v1/models/{quote(version)}/diff?{urlencode(asked)}"


async def _page(
    connection: asyncpg.Connection,
    resources: Resources,
    diff: StoredDiff,
    request: tuple[DiffMark, DiffParameters, Sequence[object]],
) -> JsonObject:
    mark, asked, about = request
    ends = _column(asked.before), _column(asked.after)
    rows = await read_differing(connection, diff.id, ends, after=mark.after, limit=asked.limit + 1)
    cursor = None
    if len(rows) > asked.limit:
        last = UUID(int=rows[asked.limit - 1]["customer_id"].int)
        cursor = resources.cursors.seal(DiffMark(diff.digest, last), about)
    wanted = (
        flow.differ
        for flow in diff.flows
        if ends[0] in (None, flow.before or NO_STAGE) and ends[1] in (None, flow.after or NO_STAGE)
    )
    items = [
        {"customer_id": str(row["customer_id"]), **_decoded(row["document"])}
        for row in rows[: asked.limit]
    ]
    return {"total": sum(wanted), "items": items, "next": cursor}


def _decoded(text: str) -> Mapping[str, msgspec.Raw]:
    return msgspec.json.decode(text, type=dict[str, msgspec.Raw])


def _column(asked: str | None) -> str | None:
    return NO_STAGE if asked == NONE else asked


def _about(
    version: str,
    against: str | None,
    as_of: Instant | None,
    ends: tuple[str | None, str | None],
) -> list[object]:
    """Return what a cursor is for."""
    return ["diff", version, against, as_of, *ends]
