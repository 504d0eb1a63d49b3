"""Errors this system raises on purpose.

* JourneylineError
  x RetryableError        the same call may succeed later; do not park
    - LogUnavailable      the log did not confirm in time; what was sent may or may not be in it
    - DatabaseUnavailable the database did not answer in time
    - Overloaded          this process holds as much as it may
    - Unreachable         somebody else's server did not answer, or not as it should
    - NotYet              what was waited for has not happened within the time given
    - OwnershipLost       another process owns the partition now
  x PermanentError        the same call will fail again; park or answer 4xx
    - Unreadable          a request that cannot be read at all
    - TooLarge            a request over a limit
    - Invalid             readable, but wrong; names each wrong field
      + ModelRefused      a stage model the loader refuses
      + PolicyRefused     an identity policy the loader refuses
    - Unauthorized        no key, or an unknown one
    - Forbidden           a key without the right
    - NotFound            nothing by that name
    - Conflict            the state of the thing does not allow it
      + OffsetOutOfRange  what comes next in a partition is not in the log; records would be skipped
    - UnsupportedMedia    a content type that this route does not read
  x LogDamaged            a record of the log does not match its checksum; never skipped silently
  x LogReplaced           another log stands under the name of the one that was read
  x SetupError            the surroundings are not fit to start in; a sentence for a person
    - InUse               another process has it open

HTTP statuses are in one place only: ``shared/http/problems.py``.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input.

    ``path`` names the place in the input (``customer.email``, ``stages[2].enter[0].when``, empty
    for the whole), ``code`` is stable snake_case, ``message`` says what would be right.
    """

    path: str
    code: str
    message: str


class JourneylineError(Exception):
    """Base of every error this system raises on purpose.

    ``code`` is stable and snake_case, ``message`` a sentence for the reader, ``faults`` name the
    single fields where there are any.
    """

    code = "error"

    def __init__(
        self, message: str, *, code: str | None = None, faults: Iterable[Fault] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.faults = tuple(faults)


class RetryableError(JourneylineError):
    """The same call may succeed later, after ``retry_after_seconds``."""

    code = "unavailable"
    retry_after_seconds = 5


class LogUnavailable(RetryableError):
    """The log did not confirm in time; whether it holds the records is unknown."""

    code = "log_unavailable"


class DatabaseUnavailable(RetryableError):
    """The database did not answer in time."""

    code = "database_unavailable"


class Overloaded(RetryableError):
    """This process holds as much unfinished work as it may."""

    code = "overloaded"
    retry_after_seconds = 1


class Unreachable(RetryableError):
    """Somebody else's server did not answer in time, or not as it should."""

    code = "unreachable"


class NotYet(RetryableError):
    """What was waited for did not happen within the time given."""

    code = "not_yet"
    retry_after_seconds = 1


class OwnershipLost(RetryableError):
    """Another process owns the partition now; what was done for it must be dropped."""

    code = "ownership_lost"


class PermanentError(JourneylineError):
    """The same call will fail again."""

    code = "invalid"


class Unreadable(PermanentError):
    """A request that cannot be read at all."""

    code = "invalid_request"


class TooLarge(PermanentError):
    """A request over a limit."""

    code = "too_large"


class Invalid(PermanentError):
    """Readable, but wrong; ``faults`` names each wrong field."""

    code = "invalid"


class ModelRefused(Invalid):
    """A stage model the loader refuses."""

    code = "model_refused"


class PolicyRefused(Invalid):
    """An identity policy the loader refuses."""

    code = "policy_refused"


class Unauthorized(PermanentError):
    """No key, or an unknown one."""

    code = "unauthorized"


class Forbidden(PermanentError):
    """A known key without the right to do this."""

    code = "forbidden"


class NotFound(PermanentError):
    """Nothing by that name."""

    code = "not_found"


class Conflict(PermanentError):
    """The state of the thing does not allow it."""

    code = "conflict"


class OffsetOutOfRange(Conflict):
    """The log does not hold what comes next in *partition*, so that records would be skipped."""

    code = "offset_out_of_range"

    def __init__(self, message: str, *, partition: int) -> None:
        super().__init__(message)
        self.partition = partition


class UnsupportedMedia(PermanentError):
    """A content type that this route does not read."""

    code = "unsupported_media_type"


class LogDamaged(JourneylineError):
    """A record of the log does not match its checksum.

    ``partition`` is where it lies; None where the log as a whole is damaged.
    """

    code = "log_damaged"

    def __init__(self, message: str, *, partition: int | None = None) -> None:
        super().__init__(message)
        self.partition = partition


class LogReplaced(JourneylineError):
    """Another log stands under the name of the one that was read, which is gone."""

    code = "log_replaced"


class SetupError(JourneylineError):
    """The surroundings are not fit to start in; the message says what to do."""

    code = "setup"


class InUse(SetupError):
    """Another process has it open."""

    code = "in_use"
