"""Logs: JSON lines on stderr, or readable ones on a terminal; never a secret.

The standard library's loggers (of uvicorn, SQLAlchemy, Alembic) end in the same lines. Texts that
senders chose cannot begin a new line, and whatever looks like a key, a password in an address or
a secret by its name is blotted out before it is written.
"""

import logging
import re
import sys
from contextvars import ContextVar
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

REQUEST_ID: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""The id of the request that this task answers."""

BLOT: Final = "***"

_SECRET_NAMES: Final = frozenset(
    {"key", "write_key", "secret_key", "secret", "secrets", "pepper", "password", "token"}
    | {"authorization", "cookie", "signature", "x-write-key", "database_url", "dsn"}
)
_SECRET_TEXT: Final = re.compile(
    r"(?P<key>\b(?:(?:wk|sk)_(?:[0-9A-Za-z]{8}_)?|whsec_))[0-9A-Za-z_+/=-]{8,}"
    r"|(?P<scheme>\b[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/@]+@"
    r"|(?P<credentials>\b[Bb](?:earer|asic) )[A-Za-z0-9._~+/=-]{20,}"
)
"""Of a key, its id may be read."""
_TOO_TALKATIVE: Final = ("httpx", "uvicorn", "alembic.runtime.plugins")
"""What these say of a request holds its address, and with it identifiers of customers."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def configure_logs(
    *, stream: TextIO = sys.stderr, pretty: bool | None = None, level: int = logging.INFO
) -> None:
    """Send everything that is logged in this process to *stream*.

    Args:
        stream: Where lines go.
        pretty: Lines for people instead of JSON; by default if *stream* is a terminal.
        level: The least severe level that is written.
    """
    for_people = stream.isatty() if pretty is None else pretty
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        blot_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(for_people=for_people),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _TOO_TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def blot_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Blot out what must not be read in logs, wherever it stands in *event*."""
    return {name: _without_secrets(name, value) for name, value in event.items()}


def without_secrets(text: str) -> str:
    """Return *text* with keys, credentials and passwords in addresses blotted out."""
    return _SECRET_TEXT.sub(_blotted, text)


def _rendering(*, for_people: bool) -> list[Processor]:
    if for_people:
        return [_on_one_line, structlog.dev.ConsoleRenderer(colors=True)]
    return [structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()]


def _add_request_id(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    identity = REQUEST_ID.get()
    if identity is not None:
        event.setdefault("request_id", identity)
    return event


def _without_secrets(name: str, value: object) -> object:
    if name.lower() in _SECRET_NAMES:
        return BLOT
    match value:
        case str():
            return without_secrets(value)
        case dict():
            return {key: _without_secrets(str(key), part) for key, part in value.items()}
        case list() | tuple():
            return [_without_secrets("", part) for part in value]
        case bytes() | BaseException():
            return without_secrets(repr(value))
        case _:
            return value


def _blotted(match: re.Match[str]) -> str:
    if match["key"]:
        return match["key"] + BLOT
    if match["scheme"]:
        return f"{match['scheme']}:{BLOT}@"
    return match["credentials"] + BLOT


def _on_one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Escape line ends in texts; a traceback, which is ours, keeps its lines."""
    return {
        name: _CONTROL.sub(lambda found: repr(found[0])[1:-1], value)
        if isinstance(value, str) and name != "exception"
        else value
        for name, value in event.items()
    }
