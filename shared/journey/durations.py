"""Durations of stage models: ISO 8601 with weeks, days, hours, minutes and seconds."""

import re
from dataclasses import dataclass
from typing import Final

from shared.instants import DAY, HOUR, MINUTE, SECOND, Micros

LONGEST: Final[Micros] = 3_650 * DAY

_PATTERN: Final = re.compile(
    r"P(?=.)(?:(\d{1,9})W)?(?:(\d{1,9})D)?"
    r"(?:T(?=.)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)
_UNITS: Final = (7 * DAY, DAY, HOUR, MINUTE, SECOND)


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time and how the model writes it; a day is 86,400 s."""

    text: str
    micros: Micros


def parse_duration(text: str) -> Duration:
    """Read a duration such as ``P2W``, ``P14D`` or ``PT90M``.

    Raises:
        ValueError: *text* is no such duration (months, years and fractions are none), is zero,
            or is longer than 3,650 days.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError("is not a duration of weeks, days, hours, minutes, seconds, such as P14D")
    counts = (int(count or 0) for count in match.groups())
    micros = sum(count * unit for count, unit in zip(counts, _UNITS, strict=True))
    if micros == 0:
        raise ValueError("is zero; the shortest duration is PT1S")
    if micros > LONGEST:
        raise ValueError("is longer than 3,650 days")
    return Duration(text, micros)


def write_duration(micros: Micros) -> str:
    """Write whole seconds of *micros*, which is not negative, as days, hours, minutes, seconds."""
    days, rest = divmod(micros // SECOND, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    clock = "".join(
        f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count
    )
    day = f"{days}D" if days else ""
    return f"P{day}{'T' + clock if clock else ''}" if day or clock else "PT0S"
