"""Processes that are killed, frozen and started again, as an init system would."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.fixtures.processes import spawn

RESTART_SECONDS: Final = 0.2

_PYTHON: Final = Path(sys.executable)


@dataclass(slots=True)
class Supervised:
    """One process under a name: wanted or not, alive or not.

    Attributes:
        starts: How often it was started.
        exits: Its exit codes when it ended without being told to from here.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    wanted: bool = True
    starts: int = 0
    exits: list[int] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _killed: bool = False

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    def send(self, number: signal.Signals) -> bool:
        """Send it a signal; return whether it was alive to receive it."""
        if not self.is_alive:
            return False
        os.kill(self.pid, number)
        self._killed |= number in {signal.SIGKILL, signal.SIGTERM, signal.SIGQUIT}
        return True

    def start(self) -> None:
        with self.log.open("ab") as said:
            self._process = spawn(self.command, said=said, environment=self.environment)
        self.starts += 1
        self._killed = False

    def look(self) -> None:
        """Start it if it is wanted and dead; note if it ended by itself."""
        if self.is_alive:
            return
        if self._process is not None:
            code = self._process.wait()
            if not self._killed and self.wanted:
                self.exits.append(code)
            self._process = None
        if self.wanted:
            self.start()

    def wait(self, seconds: float | None = None) -> int:
        """Wait for it to end, and return its exit code; 0 if it was never started."""
        return 0 if self._process is None else self._process.wait(seconds)

    def said(self) -> str:
        """The end of what it wrote."""
        with suppress(FileNotFoundError):
            return self.log.read_text("utf-8", "replace")[-2_000:]
        return ""


class Supervisor:
    """Keeps processes alive until told otherwise; ``run`` is one task."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: dict[str, Supervised] = {}

    def add(self, name: str, module: str, environment: Mapping[str, str]) -> Supervised:
        """Start ``python -m module`` and keep it alive."""
        command = [str(_PYTHON), "-m", module]
        process = Supervised(name, command, environment, self._folder / f"{name}.log")
        self.processes[name] = process
        process.start()
        return process

    async def run(self) -> None:
        """Start again whatever ends, until cancelled."""
        while True:
            for process in list(self.processes.values()):
                process.look()
            await asyncio.sleep(RESTART_SECONDS)

    async def stop(self, process: Supervised, seconds: float = 30.0) -> int:
        """Ask it to end in good order and do not start it again; return its exit code."""
        process.wanted = False
        process.send(signal.SIGCONT)
        process.send(signal.SIGTERM)
        return await asyncio.to_thread(process.wait, seconds)

    def kill_all(self) -> None:
        """End everything."""
        for process in self.processes.values():
            process.wanted = False
            process.send(signal.SIGCONT)
            process.send(signal.SIGKILL)
        for process in self.processes.values():
            process.wait()
