"""Diffs: what another version of a stage model would change, for how many and for whom."""

import asyncio
from dataclasses import dataclass
from typing import Final

from services.api.diff_answers import DiffOnItsWay, DiffPage
from services.api.diff_pages import DiffMark, Page, about_diff, load_sides, on_its_way
from services.api.freshness import Freshness
from services.api.parameters import DiffParameters
from services.api.readers.stage_models import (
    find_model,
    find_rival,
    find_version,
)
from services.api.resources import Resources
from services.api.transactions import reading, writing
from shared.errors import NotFound
from shared.http.problems import TooManyRequests
from shared.storage.diffs import (
    Question,
    StoredDiff,
    ask_diff,
    find_diff,
    note_told,
)
from shared.storage.engine import driver_of

MOST_WAITING: Final = 20
FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class DiffAnswer:
    """What is told; ``freshness`` is None while the diff is on its way."""

    content: DiffPage | DiffOnItsWay
    freshness: Freshness | None


async def read_diff(resources: Resources, version: str, asked: DiffParameters) -> DiffAnswer:
    """Return the page that *asked* wants, or how far the diff has got when patience ends.

    A classifier does the work, whether anybody waits or not. No connection is held meanwhile.

    Raises:
        NotFound: there is no such version, nothing to compare it with, or the diff is not kept.
        Unreadable: the cursor is none of this question.
        TooManyRequests: too many diffs are waited for.
    """
    about = about_diff(version, asked.against, asked.as_of, (asked.before, asked.after))
    if asked.cursor is None:
        mark = DiffMark(await _ask(resources, version, asked))
    else:
        mark = resources.cursors.open(asked.cursor, about, DiffMark)
    diff = await _awaited(resources, version, mark, asked.timeout)
    async with reading(resources.engine) as connection:
        sides = await load_sides(connection, resources, diff.question)
        if not diff.is_done:
            return DiffAnswer(on_its_way(resources, diff, sides, about), None)
        page = Page(resources, diff, sides, (mark, asked, about))
        content = await page.read(connection)
    if isinstance(mark.name, int):
        async with writing(resources.engine) as connection:
            await note_told(await driver_of(connection), diff.id)
    lag = None if diff.read_through is None else resources.clock() - diff.read_through
    return DiffAnswer(content, Freshness(diff.read_through, lag))


async def _ask(resources: Resources, version: str, asked: DiffParameters) -> int:
    async with writing(resources.engine) as connection:
        driver = await driver_of(connection)
        model = await find_version(driver, version)
        if asked.against is None:
            rival = await find_rival(driver, model.key)
        else:
            rival = await find_model(driver, asked.against)
        question = Question(model.id, rival.id, asked.as_of)
        found = await ask_diff(driver, question, now=resources.clock(), most=MOST_WAITING)
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
