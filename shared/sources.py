"""Sources: named senders of touchpoints, and what is set for each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.instants import DAY, Micros
from shared.touchpoints import Channel

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)

DEFAULT_SKEW_LIMIT: Final[Micros] = DAY


class Links(StrEnum):
    """Which touchpoints of a source may join identifiers."""

    ALL = "all"
    IDENTIFY_ONLY = "identify_only"


class UnknownTypes(StrEnum):
    """What happens to a touchpoint whose type is not among the known ones of its source."""

    ACCEPT = "accept"
    FLAG = "flag"
    REJECT = "reject"


class Vendor(StrEnum):
    """Senders of webhooks, by the name in their route."""

    SENDGRID = "sendgrid"
    MAILGUN = "mailgun"
    POSTMARK = "postmark"
    SES = "ses"
    TWILIO_VOICE = "twilio-voice"
    TWILIO_TASKROUTER = "twilio-taskrouter"
    TWILIO_EVENTS = "twilio-events"
    ZENDESK = "zendesk"
    SHOPIFY = "shopify"
    SQUARE = "square"
    STRIPE = "stripe"
    EVENTBRIDGE = "eventbridge"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A token bucket: ``per_second`` touchpoints in the long run, ``burst`` at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Hook:
    """How a vendor's webhooks are verified.

    Any of ``secrets`` may have signed, so that a secret can be rotated. ``url`` is the address as
    it was entered at the vendor, for vendors that sign it; None where none was given. ``topics``
    are the topics of Amazon SNS that may deliver, by their ARN: its signature is the same for
    everybody's.
    """

    secrets: tuple[str, ...] = field(repr=False, default=())
    url: str | None = None
    topics: tuple[str, ...] = ()


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


def _no_hooks() -> Mapping[Vendor, Hook]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What is set for a source; the defaults are those of a source without any setting.

    Attributes:
        links: Which touchpoints may join identifiers.
        types: The known types; none means those of the catalogue.
        rate_limit: None for no limit.
        unknown_types: What happens to types that are not known.
        allowed_origins: Pages that may post, as ``Origin`` spells them; none means all.
        hooks: Vendors that deliver for this source.
        phone_region: Where phone numbers without a country code are from, such as ``DE``.
        column_map: For files: which column becomes which field (``customer.KIND``,
            ``properties.PATH``, ``traits.KEY``, or a field of the touchpoint itself).
        skew_limit: How far a sender's clock may be wrong and still be corrected, in microseconds.
        historical: What this source sends is past; what it causes is not news.
    """

    links: Links = Links.ALL
    types: frozenset[str] = frozenset()
    rate_limit: RateLimit | None = None
    unknown_types: UnknownTypes = UnknownTypes.ACCEPT
    allowed_origins: tuple[str, ...] = ()
    hooks: Mapping[Vendor, Hook] = field(default_factory=_no_hooks)
    phone_region: str | None = None
    column_map: Mapping[str, str] = field(default_factory=_nothing)
    skew_limit: Micros = DEFAULT_SKEW_LIMIT
    historical: bool = False

    def allows_origin(self, origin: str) -> bool:
        """Tell whether pages of *origin* may post; origins compare as browsers spell them."""
        return not self.allowed_origins or origin in self.allowed_origins


@dataclass(frozen=True, slots=True)
class Source:
    """A named sender; ``channel`` is the one of touchpoints that name none."""

    name: str
    channel: Channel
    settings: SourceSettings = field(default_factory=SourceSettings)


API_SOURCE: Final = Source("api", Channel.OTHER)
"""What secret keys post belongs to this source, unless they name another; it always exists."""
