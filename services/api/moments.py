"""Times of the database as answers write them."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from shared.instants import EARLIEST, LATEST, rfc3339

_INFINITE: Final[Mapping[str, str]] = MappingProxyType(
    {'"-infinity"': rfc3339(EARLIEST), '"infinity"': rfc3339(LATEST)}
)
"""How the driver stores the first and the last instant there is."""


def moment_text(moment: datetime) -> str:
    """Write *moment*, aware and in UTC, as ``shared.instants.rfc3339`` writes its instant."""
    text = moment.isoformat().removesuffix("+00:00")  # the driver's infinities have no offset
    return f"{text.rstrip('0')}Z" if moment.microsecond else f"{text}Z"


def optional_moment_text(moment: datetime | None) -> str | None:
    """Write *moment*, or None where there is none."""
    return None if moment is None else moment_text(moment)


def told_in_json(column: str) -> str:
    """Return the SQL of the time in *column* as ``moment_told`` reads it.

    A timeline page writes hundreds of times: read by the driver and written here, each of them
    would cost ten times as much.
    """
    return f"to_json({column} AT TIME ZONE 'UTC')::text"


def moment_told(quoted: str) -> str:
    """Return what ``moment_text`` makes of a time, from what ``told_in_json`` selects."""
    return _INFINITE.get(quoted) or f"{quoted[1:-1]}Z"
