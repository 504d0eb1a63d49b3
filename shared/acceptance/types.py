"""What happened: a touchpoint's type, and whether its source lists it; pure."""

import re
from typing import Final

from shared.acceptance.faults import Findings
from shared.acceptance.reasons import Flag, Reason
from shared.sources import Source, UnknownTypes

TYPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ .:$/-]{0,127}")


def check_type(name: str, source: Source, found: Findings) -> None:
    """Note what is wrong with, or to be remarked on, a type, unless it is known to be none."""
    if found.blames("type"):
        return
    if not TYPE.fullmatch(name):
        message = "must be 1-128 letters, digits or _ .:$/- and begin with a letter or digit"
        found.fault("type", Reason.INVALID_VALUE, message)
    elif not source.settings.knows_type(name):
        _treat_unknown(source, found)


def _treat_unknown(source: Source, found: Findings) -> None:
    match source.settings.unknown_types:
        case UnknownTypes.ACCEPT:
            pass
        case UnknownTypes.FLAG:
            found.flag(Flag.UNKNOWN_TYPE)
        case UnknownTypes.REJECT:
            message = f"must be one of the types that the source {source.name} lists"
            found.fault("type", Reason.UNKNOWN_TYPE, message)
