"""The senders of the demo shop: what comes from them is synthetic, and can be removed at once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.touchpoints import Channel

PREFIX: Final = "demo-"
"""Begins the names of the demo's sources; they are removed by it."""

WEB: Final = "demo-web"
EMAIL: Final = "demo-email"
SERVICE: Final = "demo-service"
STORE: Final = "demo-store"

CHANNELS: Final[Mapping[str, Channel]] = MappingProxyType(
    {
        WEB: Channel.WEB,
        EMAIL: Channel.EMAIL,
        SERVICE: Channel.CONTACT_CENTER,
        STORE: Channel.IN_STORE,
    }
)
"""The channel of every demo source."""
