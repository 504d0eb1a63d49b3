"""Times that PostgreSQL writes read like those that the API writes itself."""

import pytest

from services.api.moments import moment_told, told_in_json
from shared.instants import EARLIEST, LATEST, datetime_of, parse_rfc3339, rfc3339
from shared.storage.engine import checked_out, open_engine


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
async def test_a_told_time_reads_like_its_instant(database_url: str, zone: str) -> None:
    instants = [
        EARLIEST,
        LATEST,
        -1,
        0,
        *map(
            parse_rfc3339,
            ("2025-03-30T01:30:00Z", "2025-03-30T12:00:00.5Z", "2025-12-31T23:59:59.000120Z"),
        ),
    ]
    told = told_in_json("at")
    statement = f"SELECT {told} FROM unnest($1::timestamptz[]) AS at"  # noqa: S608 - SQL of ours
    async with open_engine(database_url) as engine, checked_out(engine) as connection:
        await connection.execute(f"SET timezone = '{zone}'")
        rows = await connection.fetch(statement, [datetime_of(instant) for instant in instants])
    assert [moment_told(row[0]) for row in rows] == [rfc3339(instant) for instant in instants]
