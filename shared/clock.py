"""The wall clock and the source of chance, behind types that tests replace."""

import time
from collections.abc import Callable
from typing import TypeAlias

from shared.instants import Instant

Clock: TypeAlias = Callable[[], Instant]
"""Returns the present instant."""


def wall_clock() -> Instant:
    """Return the present instant from the operating system's clock."""
    return time.time_ns() // 1_000
