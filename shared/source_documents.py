"""Settings of sources as documents: read, checked and written.

A document is checked as a whole: every wrong member is named, not only the first.
"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from shared.document_reading import ObjectReading, is_storable
from shared.identity.normalisation import PHONE_REGIONS
from shared.instants import SECOND, Micros
from shared.journey.durations import LONGEST, parse_duration, write_duration
from shared.sources import (
    NAME,
    Hook,
    Links,
    RateLimit,
    Source,
    SourceSettings,
    UnknownTypes,
    Vendor,
)
from shared.touchpoints import Channel, JsonObject, JsonValue

Choice = TypeVar("Choice", bound=StrEnum)

MOST_ENTRIES: Final = 1_000
LONGEST_TEXT: Final = 2_000
FASTEST: Final = 1_000_000
"""Touchpoints a second, and at once, at most."""

HAS_TOPICS: Final = frozenset({Vendor.SES})
"""Whose hooks name the topics that may deliver."""

_NO_RATE: Final = 0.0
_NO_TEXTS: Final[tuple[str, ...]] = ()
_NO_COLUMNS: Final[Mapping[str, str]] = MappingProxyType({})
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.:\[\]-]+", re.ASCII)
_URL: Final = re.compile(r"https?://[^/?#@\s]+[^\s]*")
_TOPIC: Final = re.compile(
    r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}", re.ASCII
)
_FIELD: Final = re.compile(
    r"event_id|type|channel|occurred_at|sent_at|text|customer\.[a-z][a-z0-9_]{0,31}"
    r"|(?:properties|traits|context)\..{1,200}"
)
_FIELDS: Final = (
    "event_id, type, channel, occurred_at, sent_at, text, customer.KIND, properties.PATH, "
    "traits.KEY or context.PATH"
)


def settings_of(document: JsonValue, *, path: str = "settings") -> SourceSettings:
    """Check a document of settings; members that are absent or null have their default.

    Args:
        document: As msgspec decodes it.
        path: What the document is called in faults.

    Raises:
        Invalid: ``faults`` name all that is wrong in it.
    """
    reading = ObjectReading(path, document)
    settings = _settings(reading)
    reading.finish("invalid_settings")
    return settings


def patched(
    settings: SourceSettings, patch: JsonValue, *, path: str = "settings"
) -> SourceSettings:
    """Return *settings* with the members of *patch* in place of theirs; null restores a default.

    Members are replaced whole, not merged.

    Raises:
        Invalid: ``faults`` name all that is wrong in *patch*.
    """
    if not isinstance(patch, dict):
        return settings_of(patch, path=path)
    return settings_of({**document_of(settings), **patch}, path=path)


def document_of(settings: SourceSettings) -> JsonObject:
    """Return the document of *settings*; ``settings_of`` reads it back as equal settings.

    It holds the secrets of hooks: it is for the database, and for those who may set them.
    """
    limit = settings.rate_limit
    return {
        "links": settings.links.value,
        "types": sorted(settings.types),
        "rate_limit": limit and {"per_second": limit.per_second, "burst": limit.burst},
        "unknown_types": settings.unknown_types.value,
        "allowed_origins": list(settings.allowed_origins),
        "hooks": {
            vendor.value: _hook_document(vendor, hook) for vendor, hook in settings.hooks.items()
        },
        "phone_region": settings.phone_region,
        "column_map": dict(settings.column_map),
        "skew_limit": write_duration(settings.skew_limit),
        "historical": settings.historical,
    }


def source_of(name: str, channel: str, settings: JsonValue = None) -> Source:
    """Check a source as it is sent or stored.

    Raises:
        Invalid: ``faults`` name all that is wrong.
    """
    reading = ObjectReading("", {"name": name, "channel": channel, "settings": settings})
    source = Source(
        reading.member("name", _name, ""),
        reading.member("channel", _choice(Channel), Channel.WEB),
        reading.inner("settings", _settings, SourceSettings()),
    )
    reading.finish("invalid_source")
    return source


def column_map_of(document: JsonValue) -> Mapping[str, str]:
    """Check a column map: for each column of a file, the field that it becomes.

    Raises:
        Invalid: It is none.
    """
    reading = ObjectReading("", {"map": document})
    columns = reading.member("map", _column_map, _NO_COLUMNS)
    reading.finish("invalid_map")
    return columns


def _settings(reading: ObjectReading) -> SourceSettings:
    default = SourceSettings()
    return SourceSettings(
        links=reading.member("links", _choice(Links), default.links),
        types=frozenset(reading.member("types", _texts, _NO_TEXTS)),
        rate_limit=reading.inner("rate_limit", _rate_limit, None),
        unknown_types=reading.member("unknown_types", _choice(UnknownTypes), default.unknown_types),
        allowed_origins=reading.member("allowed_origins", _origins, _NO_TEXTS),
        hooks=reading.inner("hooks", _hooks, default.hooks),
        phone_region=reading.member("phone_region", _region, None),
        column_map=reading.member("column_map", _column_map, default.column_map),
        skew_limit=reading.member("skew_limit", _duration, default.skew_limit),
        historical=reading.member("historical", _flag, default.historical),
    )


def _rate_limit(reading: ObjectReading) -> RateLimit:
    per_second = reading.member("per_second", _rate, _NO_RATE)
    burst = reading.member("burst", _burst, max(1, round(per_second)))
    if per_second == _NO_RATE:
        reading.miss("per_second")
    return RateLimit(per_second, burst)


def _hooks(reading: ObjectReading) -> Mapping[Vendor, Hook]:
    listed = {vendor: reading.inner(vendor.value, _reader_of(vendor), None) for vendor in Vendor}
    return MappingProxyType({vendor: hook for vendor, hook in listed.items() if hook is not None})


def _reader_of(vendor: Vendor) -> Callable[[ObjectReading], Hook]:
    def read(reading: ObjectReading) -> Hook:
        return Hook(
            secrets=reading.member("secrets", _texts, _NO_TEXTS),
            url=reading.member("url", _url, None),
            topics=reading.member("topics", _topics, _NO_TEXTS) if vendor in HAS_TOPICS else (),
        )

    return read


def _hook_document(vendor: Vendor, hook: Hook) -> JsonObject:
    document: JsonObject = {"secrets": list(hook.secrets), "url": hook.url}
    return {**document, "topics": list(hook.topics)} if vendor in HAS_TOPICS else document


def _topics(value: JsonValue) -> tuple[str, ...]:
    topics = _texts(value)
    if all(_TOPIC.fullmatch(topic) for topic in topics):
        return topics
    raise ValueError(
        "must be ARNs of Amazon SNS topics, such as arn:aws:sns:eu-west-1:123456789012:ses-events"
    )


def _choice(kind: type[Choice]) -> Callable[[JsonValue], Choice]:
    def read(value: JsonValue) -> Choice:
        if isinstance(value, str) and value in set(kind):
            return kind(value)
        raise ValueError(f"must be one of {', '.join(kind)}")

    return read


def _text(value: JsonValue) -> str:
    if isinstance(value, str) and 1 <= len(value) <= LONGEST_TEXT and is_storable(value):
        return value
    raise ValueError(f"must be a text of 1-{LONGEST_TEXT:,} characters")


def _texts(value: JsonValue) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise ValueError(f"must be a list of at most {MOST_ENTRIES:,} texts")
    return tuple(_text(entry) for entry in value)


def _name(value: JsonValue) -> str:
    if isinstance(value, str) and NAME.fullmatch(value):
        return value
    raise ValueError("must be 1-64 of a-z, 0-9, _, . and -, beginning with a letter or digit")


def _origins(value: JsonValue) -> tuple[str, ...]:
    origins = _texts(value)
    if all(_ORIGIN.fullmatch(origin) for origin in origins):
        return origins
    raise ValueError(
        "must be origins as browsers write them, such as https://shop.example.com, in lower case "
        "and without a path; without any, all pages may post"
    )


def _url(value: JsonValue) -> str:
    text = _text(value)
    if _URL.fullmatch(text):
        return text
    raise ValueError("must be an http or https address")


def _region(value: JsonValue) -> str:
    if isinstance(value, str) and value in PHONE_REGIONS:
        return value
    raise ValueError("must be an ISO 3166-1 alpha-2 code in capitals, such as DE")


def _column_map(value: JsonValue) -> Mapping[str, str]:
    if not isinstance(value, dict) or len(value) > MOST_ENTRIES:
        raise ValueError(f"must be an object of at most {MOST_ENTRIES:,} columns")
    columns = {_text(column): _text(field) for column, field in value.items()}
    for column, field in columns.items():
        if not _FIELD.fullmatch(field):
            raise ValueError(
                f"must give each column one of {_FIELDS}, but {column!r} has {field!r}"
            )
    return MappingProxyType(columns)


def _duration(value: JsonValue) -> Micros:
    """Read an ISO 8601 duration, or a number of seconds."""
    if isinstance(value, str):
        return parse_duration(value).micros if value != write_duration(0) else 0
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value * SECOND <= LONGEST:
        return value * SECOND
    raise ValueError("must be a duration such as PT24H, or whole seconds")


def _rate(value: JsonValue) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= FASTEST:
        return float(value)
    raise ValueError(f"must be a number over 0, at most {FASTEST:,}")


def _burst(value: JsonValue) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= FASTEST:
        return value
    raise ValueError(f"must be a whole number from 1 to {FASTEST:,}")


def _flag(value: JsonValue) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("must be true or false")
