"""One spelling for each identifier, so that the same address from two channels is one customer."""

from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers

EMAIL: Final = "email"
PHONE: Final = "phone"

WITH_SPELLING: Final = frozenset({EMAIL, PHONE})
"""The kinds whose values have one spelling; of all others, only white space around is removed."""

EMAIL_NOT_NORMALISED: Final = "email_not_normalised"
PHONE_NOT_NORMALISED: Final = "phone_not_normalised"

PHONE_REGIONS: Final = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""The values ``phone_region`` may have: ISO 3166-1 alpha-2 codes in capitals, such as ``DE``."""

_LONGEST_PHONE: Final = 64
_PHONES_REMEMBERED: Final = 65_536


class Normalised(NamedTuple):
    """An identifier's value in its one spelling, and flags that say where that was not possible."""

    value: str
    flags: tuple[str, ...] = ()


def normalise(kind: str, value: str, *, phone_region: str | None) -> Normalised:
    """Bring the value of an identifier to its one spelling; doing it twice changes nothing.

    White space around a value is always removed. An email is lower-cased; one without exactly one
    ``@`` between two non-empty parts is flagged. A phone number becomes E.164; one that cannot be
    read, or that has an extension (one number in front of many people), is kept as given and
    flagged.

    Args:
        kind: The identifier's kind; only ``email`` and ``phone`` have rules of their own.
        value: As the sender wrote it.
        phone_region: Where numbers without a country code are from, one of PHONE_REGIONS; without
            it such numbers cannot be read.

    Returns:
        The value, which is empty if there was only white space, and which lower-casing may have
        made longer; and the flags, of which there are none in the usual case.
    """
    if kind == EMAIL:
        return _email(value.strip().lower())
    if kind == PHONE:
        return _phone(phone_region, value.strip())
    return Normalised(value.strip())


def phones_in(text: str, *, phone_region: str | None) -> set[str]:
    """Return the phone numbers that stand in a text, in their one spelling.

    Args:
        text: Anything, such as a line of a file that could not be read.
        phone_region: Where numbers without a country code are from; without it they are not found.
    """
    found = phonenumbers.PhoneNumberMatcher(text, phone_region, phonenumbers.Leniency.POSSIBLE)
    e164 = phonenumbers.PhoneNumberFormat.E164
    return {phonenumbers.format_number(one.number, e164) for one in found}


def _email(address: str) -> Normalised:
    local, _, domain = address.partition("@")
    if local and domain and "@" not in domain:
        return Normalised(address)
    return Normalised(address, (EMAIL_NOT_NORMALISED,))


def _phone(region: str | None, number: str) -> Normalised:
    if len(number) > _LONGEST_PHONE:
        return Normalised(number, (PHONE_NOT_NORMALISED,))
    return _read_phone(region, number)


@lru_cache(_PHONES_REMEMBERED)
def _read_phone(region: str | None, number: str) -> Normalised:
    """Parse *number*, which takes some 60 microseconds; hence the memory of past ones."""
    written = _e164(region, number)
    # A few odd numbers lose another leading digit each time they are read; they have no one name.
    if written is None or _e164(None, written) != written:
        return Normalised(number, (PHONE_NOT_NORMALISED,))
    return Normalised(written)


def _e164(region: str | None, number: str) -> str | None:
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    # Possible, not valid: ranges are opened faster than their lists are updated.
    verdict = phonenumbers.is_possible_number_with_reason(parsed)
    if parsed.extension or verdict != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
