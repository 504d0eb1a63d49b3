"""What happened: a touchpoint's type, and whether it is a known one; pure."""

import re
from functools import lru_cache
from typing import Final

from shared.acceptance.faults import Findings
from shared.acceptance.reasons import Flag, Reason
from shared.catalogue.types import catalogued_names
from shared.sources import Source, SourceSettings, UnknownTypes

TYPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ .:$/-]{0,127}")


def check_type(name: str, source: Source, found: Findings) -> None:
    """Note what is wrong with, or to be remarked on, a type, unless it is known to be none."""
    if found.faults and found.blames("type"):
        return
    if not _is_type(name):
        message = "must be 1-128 letters, digits or _ .:$/- and begin with a letter or digit"
        found.fault("type", Reason.INVALID_VALUE, message)
    elif not is_known(name, source.settings):
        _treat_unknown(source, found)


def is_known(name: str, settings: SourceSettings) -> bool:
    """Tell whether a type is among those that the source lists; without a list, the catalogue."""
    if settings.types:
        return name in settings.types
    return settings.unknown_types is UnknownTypes.ACCEPT or name in catalogued_names()


@lru_cache(1_024)
def _is_type(name: str) -> bool:
    return TYPE.fullmatch(name) is not None


def _treat_unknown(source: Source, found: Findings) -> None:
    match source.settings.unknown_types:
        case UnknownTypes.ACCEPT:
            pass
        case UnknownTypes.FLAG:
            found.flag(Flag.UNKNOWN_TYPE)
        case UnknownTypes.REJECT:
            message = (
                f"must be one of the types that the source {source.name} lists, "
                "or where it lists none, that GET /v1/touchpoint-types does"
            )
            found.fault("type", Reason.UNKNOWN_TYPE, message)
