"""What Kafka's client gives and complains of, in this system's words."""

import re
from typing import Final

from aiokafka.errors import CorruptRecordException, OffsetOutOfRangeError
from aiokafka.structs import ConsumerRecord

from shared.errors import JourneylineError, LogDamaged, OffsetOutOfRange
from shared.log.port import LogRecord

_MICROSECONDS: Final = 1_000


def log_record(record: ConsumerRecord) -> LogRecord:
    """Return a record as the port of the log has it; Kafka tells times in milliseconds."""
    return LogRecord(
        record.partition,
        record.offset,
        record.key or b"",
        record.value or b"",
        record.timestamp * _MICROSECONDS,
    )


def told(error: OffsetOutOfRangeError | CorruptRecordException) -> JourneylineError:
    """Say in this system's words that a partition cannot be read on."""
    if isinstance(error, OffsetOutOfRangeError):
        [(place, offset)] = error.args[0].items()
        return OffsetOutOfRange(
            f"partition {place.partition} no longer holds the offset {offset}",
            partition=place.partition,
        )
    named = re.search(r"partition=(\d+)", str(error))  # the client tells it in no other way
    return LogDamaged(str(error), partition=int(named[1]) if named else None)
