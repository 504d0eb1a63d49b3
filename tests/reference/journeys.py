"""Journeys as JSON, moved in time or freed of what is hashed, to be compared with each other."""

from shared.instants import Instant, Micros, parse_rfc3339, rfc3339

_TIMES = {"at", "since", "as_of", "base_at", "last_active_at"}
_HASHED = {"id", "version"}


def shifted(value: object, by: Micros) -> object:
    """Return the JSON *value* with every time in it later by *by*."""
    if isinstance(value, list):
        return [shifted(item, by) for item in value]
    if isinstance(value, dict):
        return {
            name: _later(one, by) if name in _TIMES else shifted(one, by)
            for name, one in value.items()
        }
    return value


def _later(time: str, by: Micros) -> str:
    instant: Instant = parse_rfc3339(time) + by
    return rfc3339(instant)


def unversioned(value: object) -> object:
    """Return the JSON *value* without what is hashed over keys and times."""
    if isinstance(value, list):
        return [unversioned(item) for item in value]
    if isinstance(value, dict):
        return {name: unversioned(one) for name, one in value.items() if name not in _HASHED}
    return value
