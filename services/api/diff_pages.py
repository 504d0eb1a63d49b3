"""Pages of diffs: the matrix, and the customers whose journeys differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode
from uuid import UUID

import asyncpg
import msgspec

from services.api.diff_answers import (
    ComparedWith,
    DiffFirst,
    DiffFlow,
    DiffItem,
    DiffOnItsWay,
    DiffPage,
    DiffProgress,
    DiffStages,
    DiffStanding,
)
from services.api.parameters import DiffParameters
from services.api.readers.customers import ModelRow
from services.api.readers.stage_models import find_version_by_id
from services.api.resources import Resources
from shared.instants import Instant, rfc3339
from shared.journey.differing import Stages
from shared.journey.flows import Flow, in_order
from shared.journey.program import Program
from shared.storage.diffs import NO_STAGE, Question, StoredDiff, read_differing

NONE: Final = "none"
"""How a parameter says that there is no stage; no key is so."""

_FIRST: Final = UUID(int=0)


class DiffMark(msgspec.Struct, frozen=True, array_like=True):
    """A diff, by its row until its first answer and by its digest then, and the last customer."""

    name: int | bytes
    after: UUID = _FIRST


class _Document(msgspec.Struct, rename={"from_": "from"}):
    """What is stored of a customer whose journeys differ."""

    from_: DiffStanding
    to: DiffStanding
    first: DiffFirst


@dataclass(frozen=True, slots=True)
class Sides:
    """Both models, the one compared with first."""

    before: ModelRow
    after: ModelRow
    programs: tuple[Program, Program]


async def load_sides(
    connection: asyncpg.Connection, resources: Resources, question: Question
) -> Sides:
    """Load both models of a *question*, with their programs."""
    before = await find_version_by_id(connection, question.against_id)
    after = await find_version_by_id(connection, question.model_id)
    programs = [await resources.programs.load(connection, row) for row in (before, after)]
    return Sides(before, after, (programs[0], programs[1]))


def on_its_way(
    resources: Resources, diff: StoredDiff, sides: Sides, about: Sequence[object]
) -> DiffOnItsWay:
    """Return how far *diff* is; the cursor for *about* finds it by its row."""
    return DiffOnItsWay(
        version=sides.after.version,
        key=sides.after.key,
        against=ComparedWith(sides.before.version, sides.before.key),
        as_of=_asked(diff.question.as_of),
        progress=DiffProgress(diff.customers_done, diff.customers_of),
        next=resources.cursors.seal(DiffMark(diff.id), about),
    )


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a diff that is done."""

    resources: Resources
    diff: StoredDiff
    sides: Sides
    request: tuple[DiffMark, DiffParameters, Sequence[object]]

    async def read(self, connection: asyncpg.Connection) -> DiffPage:
        """Read it in the transaction of *connection*."""
        mark, asked, about = self.request
        ends = _column(asked.before), _column(asked.after)
        rows = await read_differing(
            connection, self.diff.id, ends, after=mark.after, limit=asked.limit + 1
        )
        cursor = None
        if len(rows) > asked.limit:
            last = UUID(int=rows[asked.limit - 1]["customer_id"].int)
            cursor = self.resources.cursors.seal(DiffMark(self.diff.digest, last), about)
        return self._content(rows[: asked.limit], ends, cursor)

    def _content(
        self,
        rows: Sequence[asyncpg.Record],
        ends: tuple[str | None, str | None],
        cursor: str | None,
    ) -> DiffPage:
        sides = self.sides
        before, after = (program.model for program in sides.programs)
        flows = [self._flow(flow) for flow in in_order(self.diff.flows, before, after)]
        listed = (
            flow.differ
            for flow in flows
            if ends[0] in (None, flow.from_ or NO_STAGE) and ends[1] in (None, flow.to or NO_STAGE)
        )
        return DiffPage(
            version=sides.after.version,
            key=sides.after.key,
            against=ComparedWith(sides.before.version, sides.before.key),
            as_of=_asked(self.diff.question.as_of),
            customers=sum(flow.customers for flow in flows),
            differ=sum(flow.differ for flow in flows),
            moved=sum(flow.customers for flow in flows if not flow.same),
            hash=self.diff.digest.hex(),
            stages=DiffStages(
                [stage.key for stage in before.stages], [stage.key for stage in after.stages]
            ),
            flows=flows,
            total=sum(listed),
            items=[_item(row) for row in rows],
            next=cursor,
        )

    def _flow(self, flow: Flow) -> DiffFlow:
        same = Stages(*self.sides.programs).agree(flow.before, flow.after)
        drill = self._drill(flow) if flow.differ else None
        return DiffFlow(flow.before, flow.after, same, flow.customers, flow.differ, drill)

    def _drill(self, flow: Flow) -> str:
        """Return where the customers of *flow* are listed whose journeys differ."""
        version, against = self.sides.after.version, self.sides.before.version
        as_of, ends = self.diff.question.as_of, (flow.before or NONE, flow.after or NONE)
        about = about_diff(version, against, as_of, ends)
        cursor = self.resources.cursors.seal(DiffMark(self.diff.digest), about)
        asked = {"against": against, "from": ends[0], "to": ends[1], "cursor": cursor}
        if as_of is not None:
            asked["as_of"] = rfc3339(as_of)
        return f"/v1/models/{quote(version)}/diff?{urlencode(asked)}"


def _item(row: asyncpg.Record) -> DiffItem:
    document = msgspec.json.decode(row["document"], type=_Document)
    return DiffItem(str(row["customer_id"]), document.from_, document.to, document.first)


def _asked(as_of: Instant | None) -> str | msgspec.UnsetType:
    return msgspec.UNSET if as_of is None else rfc3339(as_of)


def _column(asked: str | None) -> str | None:
    return NO_STAGE if asked == NONE else asked


def about_diff(
    version: str,
    against: str | None,
    as_of: Instant | None,
    ends: tuple[str | None, str | None],
) -> list[object]:
    """Return what a cursor is for."""
    return ["diff", version, against, as_of, *ends]
