"""All vendors that deliver to us: a new one is one file, and one line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.ingest.channels.contract import Adapter
from shared.sources import Vendor

HOOKS: Final[Mapping[Vendor, Adapter]] = MappingProxyType({})
"""Who delivers to ``/v1/hooks/{vendor}/{source}``; each checks its vendor's signature itself."""
