"""Times in files, whose zone is stated once for all of them; pure."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final, Self
from zoneinfo import ZoneInfo

from shared.errors import Fault, Invalid

_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)", re.ASCII)
_EXAMPLE: Final = datetime(2026, 1, 31, 13, 5, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FileTimes:
    """How the times of a file are written.

    ``pattern`` is what ``strptime`` reads; None for RFC 3339, or the like without an offset.
    ``zone`` is where a time is from that does not say so itself; None if all say so.
    """

    pattern: str | None = None
    zone: tzinfo | None = None

    @classmethod
    def stated(cls, pattern: str | None, zone: str | None) -> Self:
        """Return what a pattern and the name of a zone, or its offset, state.

        Raises:
            Invalid: One of them is none; ``faults`` name ``time_format`` or ``time_zone``.
        """
        return cls(None if not pattern else _checked(pattern), None if not zone else _zone(zone))

    def read(self, text: str) -> str:
        """Return *text* as RFC 3339.

        Raises:
            ValueError: It is no such time, or nothing states its zone.
        """
        if self.pattern is None and self.zone is None:
            return text
        moment = self._parsed(text)
        if moment.tzinfo is None:
            if self.zone is None:
                raise ValueError("has no zone: state the time_zone of the file")
            moment = moment.replace(tzinfo=self.zone)
        return moment.isoformat()

    def _parsed(self, text: str) -> datetime:
        if self.pattern is None:
            try:
                return datetime.fromisoformat(text)
            except ValueError:
                example = "2026-01-31T13:05:09"
                raise ValueError(
                    f"is no time such as {example}: state the time_format of the file"
                ) from None
        try:
            return datetime.strptime(text, self.pattern)  # noqa: DTZ007 - the caller adds the zone
        except ValueError:
            raise ValueError(
                f"is no time such as {_EXAMPLE.strftime(self.pattern)}, as its time_format says"
            ) from None


def _checked(pattern: str) -> str:
    try:
        written = _EXAMPLE.strftime(pattern)
        read = datetime.strptime(written, pattern)  # noqa: DTZ007 - only whether it can be read
    except ValueError as error:
        raise _refused("time_format", f"cannot be read: {error}") from None
    if read.date() != _EXAMPLE.date():
        raise _refused("time_format", "must name day, month and year, as in %d.%m.%Y %H:%M:%S")
    return pattern


def _zone(name: str) -> tzinfo:
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        sign = -1 if offset[1] == "-" else 1
        minutes = sign * (int(offset[2]) * 60 + int(offset[3]))
        if abs(minutes) < 24 * 60:
            return timezone(timedelta(minutes=minutes))
    if name in {"Z", "UTC"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        message = "must be a zone such as Europe/Berlin, or an offset such as +01:00"
        raise _refused("time_zone", message) from None


def _refused(path: str, message: str) -> Invalid:
    return Invalid(f"{path} {message}", faults=[Fault(path, "invalid_value", message)])
