"""Whatever happens to log and process: what was answered comes to the log, each key in order."""

import asyncio
import shutil
import tempfile
from collections import defaultdict
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shared.errors import LogUnavailable
from shared.log.port import Entry
from shared.log.spool_writer import SpoolingWriter
from tests.fixtures.spools import SpooledLog, first_of_each

KEYS = st.sampled_from([b"a", b"b", b"c"])


class SpoolMachine(RuleBasedStateMachine):
    """One process after another in front of one log, both of which fail; the model is two dicts."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="journeyline-spool-"))
        self.spooled = SpooledLog(self.folder / "life-0")
        self.answered: dict[bytes, list[bytes]] = defaultdict(list)
        self.sent: set[bytes] = set()
        self.lives = 0
        self.stack = AsyncExitStack()
        self.writer: SpoolingWriter
        self.runner.run(self._open())

    async def _open(self) -> None:
        self.writer = await self.stack.enter_async_context(self.spooled.open())

    @rule(keys=st.lists(KEYS, min_size=1, max_size=6))
    def append(self, keys: list[bytes]) -> None:
        entries = [Entry(key, b"%d" % (len(self.sent) + place)) for place, key in enumerate(keys)]
        self.sent.update(entry.value for entry in entries)
        with suppress(LogUnavailable):
            self.runner.run(self._append(entries))
            for key, value in entries:
                self.answered[key].append(value)

    async def _append(self, entries: list[Entry]) -> None:
        await self.writer.append(entries)

    @rule()
    def log_goes_away(self) -> None:
        self.spooled.faults.away = True

    @rule()
    def log_comes_back(self) -> None:
        self.spooled.faults.away = False

    @rule(answers=st.integers(1, 3))
    def answers_get_lost(self, answers: int) -> None:
        self.spooled.faults.lost_answers = answers

    @rule(milliseconds=st.sampled_from([0, 1, 5, 120]))
    def time_passes(self, milliseconds: int) -> None:
        self.runner.run(asyncio.sleep(milliseconds / 1_000))

    @rule()
    def process_is_stopped_and_started(self) -> None:
        self.runner.run(self._restart())

    async def _restart(self) -> None:
        await self.stack.aclose()
        await self._open()

    @rule()
    def process_is_killed_and_started(self) -> None:
        self.runner.run(self._kill())

    async def _kill(self) -> None:
        """Go on with the files as they are at this moment, and forget what was in memory."""
        self.lives += 1
        killed, new = self.spooled.path, self.folder / f"life-{self.lives}"
        shutil.copytree(killed, new)
        before, self.spooled.faults.away = self.spooled.faults.away, True
        await self.stack.aclose()
        self.spooled.faults.away, self.spooled.path = before, new
        await self._open()

    @invariant()
    def the_log_holds_only_what_was_sent(self) -> None:
        assert set(self.spooled.values()) <= self.sent

    def teardown(self) -> None:
        try:
            self.spooled.faults.away = False
            self.runner.run(self._settle())
            for key, values in self.answered.items():
                found = first_of_each(self.spooled.values(key))
                assert [value for value in found if value in set(values)] == values, key
        finally:
            self.runner.run(self.stack.aclose())
            self.runner.close()
            shutil.rmtree(self.folder)

    async def _settle(self) -> None:
        await SpooledLog.until_drained(self.writer)


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(
    max_examples=max(10, settings.default.max_examples // 8 if settings.default else 10),
    stateful_step_count=25,
    deadline=None,
)
