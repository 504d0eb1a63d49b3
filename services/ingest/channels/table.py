"""All vendors that deliver to us: a new one is one file, and one line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.ingest.channels.contract import Adapter, Errands
from services.ingest.channels.eventbridge import read_eventbridge
from services.ingest.channels.mailgun import read_mailgun
from services.ingest.channels.postmark import read_postmark
from services.ingest.channels.sendgrid import read_sendgrid
from services.ingest.channels.ses import (
    certificate_address,
    confirmation_address,
    read_ses,
)
from services.ingest.channels.shopify import read_shopify
from services.ingest.channels.square import read_square
from services.ingest.channels.stripe import read_stripe
from services.ingest.channels.twilio_events import read_twilio_events
from services.ingest.channels.twilio_taskrouter import read_twilio_taskrouter
from services.ingest.channels.twilio_voice import read_twilio_voice
from services.ingest.channels.zendesk import read_zendesk
from shared.sources import Vendor

HOOKS: Final[Mapping[Vendor, Adapter]] = MappingProxyType(
    {
        Vendor.SENDGRID: read_sendgrid,
        Vendor.MAILGUN: read_mailgun,
        Vendor.POSTMARK: read_postmark,
        Vendor.SES: read_ses,
        Vendor.TWILIO_VOICE: read_twilio_voice,
        Vendor.TWILIO_TASKROUTER: read_twilio_taskrouter,
        Vendor.TWILIO_EVENTS: read_twilio_events,
        Vendor.ZENDESK: read_zendesk,
        Vendor.SHOPIFY: read_shopify,
        Vendor.SQUARE: read_square,
        Vendor.STRIPE: read_stripe,
        Vendor.EVENTBRIDGE: read_eventbridge,
    }
)
"""Who delivers to ``/v1/hooks/{vendor}/{source}``; each checks its vendor's signature itself."""

ERRANDS: Final[Mapping[Vendor, Errands]] = MappingProxyType(
    {Vendor.SES: Errands(certificate_address, confirmation_address)}
)
"""Whose deliveries need something from elsewhere."""

WITHOUT_ANSWER: Final = frozenset({Vendor.TWILIO_VOICE})
"""Who would take the body of an answer for instructions."""
