"""Why items are refused, and what is remarked on those that are not; names senders may rely on."""

from enum import StrEnum

from shared.identity.normalisation import EMAIL_NOT_NORMALISED, PHONE_NOT_NORMALISED


class Reason(StrEnum):
    """Codes of faults: the first one of an item is its code in the verdict."""

    BAD_JSON = "bad_json"
    """An NDJSON line that is no JSON; anywhere else it makes the whole request 400."""
    NOT_AN_OBJECT = "not_an_object"
    ITEM_TOO_LARGE = "item_too_large"
    TOO_DEEP = "too_deep"
    TOO_LONG = "too_long"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    LONE_SURROGATE = "lone_surrogate"
    UNKNOWN_FIELD = "unknown_field"
    """A member the item does not have, or one that only the server sets."""
    REQUIRED = "required"
    INVALID_TYPE = "invalid_type"
    """Another JSON type than the one that belongs there."""
    INVALID_VALUE = "invalid_value"
    INVALID_TIME = "invalid_time"
    BLOCKED_IDENTIFIER = "blocked_identifier"
    """Nothing is left once blocked identifiers are dropped."""
    UNKNOWN_TYPE = "unknown_type"
    """The source refuses touchpoint types that are not known."""


class Flag(StrEnum):
    """Remarks that an accepted touchpoint carries for good."""

    ID_ASSIGNED = "id_assigned"
    """It came with neither event id nor time, so that sending it again makes a second one."""
    SKEW_IGNORED = "skew_ignored"
    """``sent_at`` lies too far from the time of receipt to correct the sender's clock by it."""
    TIME_CLAMPED = "time_clamped"
    """It was said to happen after its receipt; the effective time is 5 minutes past that."""
    TIME_OLD = "time_old"
    """It was said to happen before 1970, or more than ten years before its receipt."""
    NUL_REPLACED = "nul_replaced"
    """A NUL character stood in it, and is U+FFFD now."""
    BLOCKED_IDENTIFIER = "blocked_identifier"
    """An identifier that the policy blocks was dropped."""
    UNKNOWN_TYPE = "unknown_type"
    """It is none of the known types of its source."""
    EMAIL_NOT_NORMALISED = EMAIL_NOT_NORMALISED
    PHONE_NOT_NORMALISED = PHONE_NOT_NORMALISED
