"""What requests are answered from; made by the composition root and handed in."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, cast

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from services.api.background import Background
from services.api.cursors import Cursors
from services.api.databases import Databases
from services.api.outlets import Outlets
from services.api.readers.stage_models import Programs
from services.api.receipts import FirstAsked
from services.api.report_turns import ReportTurns
from services.api.request_rates import RequestRates
from shared.clock import Clock
from shared.erasure import Digests
from shared.identity.policy import Policy
from shared.keys import Principal
from shared.log.port import LogWriter
from shared.upkeep.active_models import ActiveModels

LogEnds: TypeAlias = Callable[[], Awaitable[Mapping[int, int]]]
"""Returns for each partition of the log the offset that its next record will get."""


class Directory(Protocol):
    """Knows whose key a request presents, and what makes two identifiers one customer."""

    @property
    def policy(self) -> Policy:
        """The identity policy in force.

        Raises:
            DatabaseUnavailable: nobody can tell yet.
        """
        ...

    async def authenticate(self, presented: str | None) -> Principal:
        """Return the holder of *presented*.

        Raises:
            Unauthorized: there is no such key in force, or none was presented.
            DatabaseUnavailable: nobody can tell.
        """
        ...


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything outside of a request; none of it belongs to the API.

    ``pepper`` makes digests of new keys, as it does of those the directory looks up. ``log`` is for
    repaired items alone.
    """

    databases: Databases
    directory: Directory
    log: LogWriter
    log_ends: LogEnds
    topic: str
    clock: Clock
    cursors: Cursors
    pepper: bytes = field(repr=False)
    outlets: Outlets
    rates: RequestRates
    background: Background
    active: ActiveModels = field(default_factory=ActiveModels)
    programs: Programs = field(default_factory=Programs)
    first_asked: FirstAsked = field(default_factory=FirstAsked)
    report_turns: ReportTurns = field(default_factory=ReportTurns)

    @property
    def engine(self) -> AsyncEngine:
        """Of the primary: for all that is decided, and what that is decided by."""
        return self.databases.primary

    @property
    def digests(self) -> Digests:
        """What recognises erased things."""
        return Digests.under(self.pepper)


def resources_of(request: Request) -> Resources:
    """Return the resources of the application that answers *request*."""
    return cast("Resources", request.app.state.resources)
