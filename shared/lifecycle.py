"""The life of a service process: settings from the environment, signals, and its last words."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Final, TypeVar

import uvloop
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from shared.errors import SetupError
from shared.logs import configure_logs
from shared.metrics import note_build

FAILED: Final = 1
MISUSED: Final = 2

Settings = TypeVar("Settings", bound=BaseSettings)


def run_service(
    name: str,
    settings_type: type[Settings],
    run: Callable[[Settings, asyncio.Event], Coroutine[object, object, None]],
    *,
    new_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop,
) -> None:
    """Run a service until SIGINT or SIGTERM; it then finishes what it began.

    Exits with 2 if a setting is wrong and with 1 if the surroundings are not fit, after one line
    on stderr that says what to do.

    Args:
        name: Of the service, for that line.
        settings_type: Read from the environment here, once.
        run: Serves until the event is set.
        new_loop: Makes the event loop that it runs on.
    """
    configure_logs()
    note_build()
    try:
        settings = settings_type()
    except ValidationError as error:
        sys.stderr.write(f"{name}: {wrong_settings(settings_type, error)}\n")
        sys.exit(MISUSED)
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_until_told(run, settings))
    except* SetupError as group:
        sys.stderr.write(f"{name}: {_first(group)}\n")
        sys.exit(FAILED)


def wrong_settings(settings_type: type[BaseSettings], error: ValidationError) -> str:
    """Say which variables of the environment are wrong, and why, without their values."""
    wrong = _settings_named(settings_type, error.title)
    prefix = wrong.model_config.get("env_prefix", "")
    faults = []
    for fault in error.errors(include_input=False):
        field = str(fault["loc"][0]) if fault["loc"] else ""
        known = field in wrong.model_fields
        said = fault["msg"].removeprefix("Value error, ")
        faults.append(f"{prefix + field.upper() if known else field}: {said}".removeprefix(": "))
    return "; ".join(faults)


def _settings_named(settings_type: type[BaseSettings], title: str) -> type[BaseSettings]:
    """Return the settings that an error is about: the service's, or those nested in them."""
    fields = (field.annotation for field in settings_type.model_fields.values())
    nested = (each for each in fields if isinstance(each, type) and issubclass(each, BaseSettings))
    return next((each for each in nested if each.__name__ == title), settings_type)


def _first(group: BaseExceptionGroup[SetupError]) -> str:
    """Return the first sentence of a group, however deep it lies."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error.message


async def _until_told(
    run: Callable[[Settings, asyncio.Event], Coroutine[object, object, None]], settings: Settings
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    await run(settings, stopping)
