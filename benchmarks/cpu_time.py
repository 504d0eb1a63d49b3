"""CPU time of other processes, as Linux counts it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_USED: Final = slice(11, 13)
"""Of a process, in user mode and in the kernel, in /proc/PID/stat behind its name."""


def cpu_seconds(*pids: int) -> float:
    """Return the CPU time that the processes *pids* and all below them have used so far."""
    return sum(_ticks(pid) for each in pids for pid in _family(each)) / _TICKS


def _ticks(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, stat[_USED]))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _family(int(child))
