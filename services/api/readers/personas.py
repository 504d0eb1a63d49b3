"""Which customers a persona means, as SQL."""

from typing import Final

from services.api.readers.arguments import Arguments
from services.api.readers.conditions import Columns, condition_of
from shared.journey.matchers import Matcher


def _trait(name: str) -> str:
    """Return a present trait: a profile has who wrote it, then what was written."""
    return f"(c.profile -> 'traits' -> {name} -> 3)"


_CUSTOMER: Final = Columns(
    channel="c.first_channel",
    type="(c.profile -> 'first' ->> 4)",
    source="(c.profile -> 'first' ->> 1)",
    roots={"traits": _trait},
)


def persona_condition(match: Matcher, arguments: Arguments) -> str:
    """Return the condition on a row of ``customers`` as ``c``."""
    return condition_of(match, _CUSTOMER, arguments)
