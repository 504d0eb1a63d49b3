"""A classifier as a process of its own: finds its log, classifies, and ends when it is stuck."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.classifier.app import Classifier
from services.classifier.claims import require_same_log
from services.classifier.watchdog import watch
from shared.errors import DatabaseUnavailable, LogReplaced, LogUnavailable
from shared.http.health import Check
from shared.log.port import LogReader
from shared.upkeep.transactions import transaction

log = structlog.get_logger()

OpenLog: TypeAlias = Callable[[], AbstractAsyncContextManager[LogReader]]
BuildClassifier: TypeAlias = Callable[[LogReader], Classifier]

_RETRY_SECONDS: Final = 2.0


class ClassifierService:
    """Runs one classifier after its log was found; answers probes from the beginning.

    Args:
        engine: Of the database that holds the claims.
        open_log: Opens a reader; closing it gives the partitions to others.
        build: Makes the classifier over it.
        accepted_log: The log that may follow one that is gone; an operator's decision.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        open_log: OpenLog,
        build: BuildClassifier,
        *,
        accepted_log: str | None,
    ) -> None:
        self._engine = engine
        self._open_log = open_log
        self._build = build
        self._accepted_log = accepted_log
        self._classifier: Classifier | None = None
        self._trouble = "the log was not reached yet"

    @property
    def checks(self) -> Mapping[str, Check]:
        """What readiness asks."""
        return {"classifier": self._check}

    async def run(self, stopping: asyncio.Event) -> None:
        """Classify until *stopping* is set, then finish the batch in hand and leave the group."""
        while not stopping.is_set():
            try:
                async with self._open_log() as reader:
                    await self._require_same(reader)
                    await self._classify(reader, stopping)
            except (LogUnavailable, LogReplaced, DatabaseUnavailable) as error:
                self._trouble = f"waits: {error.message}"
                log.warning("classifier_not_started", why=error.message)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), _RETRY_SECONDS)

    async def _require_same(self, reader: LogReader) -> None:
        async with transaction(self._engine) as connection:
            await require_same_log(
                connection, log_id=reader.log_id, topic=reader.topic, accepted=self._accepted_log
            )

    async def _classify(self, reader: LogReader, stopping: asyncio.Event) -> None:
        classifier = self._classifier = self._build(reader)
        async with asyncio.TaskGroup() as group:
            group.create_task(classifier.run(stopping))
            group.create_task(watch(classifier.worker, classifier.clock, stopping))

    async def _check(self) -> str | None:
        if self._classifier is None:
            return self._trouble
        return await self._classifier.check_progress()
