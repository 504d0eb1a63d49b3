"""Sources: what came from each, lately and usually."""

from typing import Final

import asyncpg

from services.api.source_health import FAULTS, RECENT, USUAL, SourceHealth, Volume
from shared.instants import HOUR, Instant, datetime_of, instant_of

_SUMS: Final = ", ".join(
    f"coalesce(sum({name}) FILTER (WHERE {when}), 0)::bigint AS {prefix}_{name}"
    for prefix, when in (("recent", "hour >= $1"), ("usual", "hour < $1"))
    for name in ("received", *FAULTS)
)
_HOURS: Final = f"""
SELECT source, {_SUMS}, min(hour) FILTER (WHERE hour < $1) AS first_hour
  FROM source_hours WHERE hour >= $2 GROUP BY source
"""  # noqa: S608 - the names are ours
_LAST: Final = """
SELECT source, max(last_received_at) AS at FROM source_counts GROUP BY source ORDER BY source
"""


async def read_source_health(connection: asyncpg.Connection, now: Instant) -> list[SourceHealth]:
    """Return how every source that ever sent anything does, by name."""
    recent_from = (now - RECENT) // HOUR * HOUR
    moments = datetime_of(recent_from), datetime_of(recent_from - USUAL)
    hours = {row["source"]: row for row in await connection.fetch(_HOURS, *moments)}
    last = {row["source"]: row["at"] for row in await connection.fetch(_LAST)}
    return [
        SourceHealth(
            source=source,
            last_received_at=None if at is None else instant_of(at),
            recent=_volume(hours.get(source), "recent"),
            usual=_volume(hours.get(source), "usual"),
            usual_hours=_hours_known(hours.get(source), recent_from),
        )
        for source, at in last.items()
    ]


def _volume(row: asyncpg.Record | None, prefix: str) -> Volume:
    if row is None:
        return Volume(0, dict.fromkeys(FAULTS, 0))
    faults = {fault: row[f"{prefix}_{fault}"] for fault in FAULTS}
    return Volume(row[f"{prefix}_received"], faults)


def _hours_known(row: asyncpg.Record | None, until: Instant) -> int:
    if row is None or row["first_hour"] is None:
        return 0
    return (until - instant_of(row["first_hour"])) // HOUR
