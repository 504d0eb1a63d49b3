"""``journeyline model suggest``: what touchpoints say about a stage model, ready to be pasted."""

from pathlib import Path
from typing import Annotated

import httpx
import msgspec
import typer
from rich.console import Console

from services.cli.commands.releases import Wanted, version_of
from services.cli.connection import (
    DEFAULT_DATA,
    Data,
    Key,
    Url,
    ask,
    connect,
    find_target,
    refusal_of,
)
from services.cli.tracefiles import read_customers
from shared.catalogue.types import Direction, touchpoint_types
from shared.errors import JourneylineError
from shared.identity.policy_documents import default_policy
from shared.journey.fold import in_order
from shared.journey.loading import load_model
from shared.journey.model import StageModel
from shared.journey.observing import Observations, Observer
from shared.journey.program import compile_model
from shared.journey.reading.document import read_document
from shared.journey.suggestions import suggest as suggestions
from shared.journey.tracing import latest_touchpoint


class Interrupted(JourneylineError):
    """The answer ended before its result."""


class _Line(msgspec.Struct):
    """Progress, or the result at the end."""

    kind: str
    customers: int = 0
    of: int = 0
    seen: Observations | None = None


class _Stored(msgspec.Struct):
    document: dict[str, object]


def suggest(
    wanted: Wanted,
    touchpoints: Annotated[
        Path | None,
        typer.Option(
            "--touchpoints",
            exists=True,
            dir_okay=False,
            help="NDJSON, one touchpoint a line; else all that a running system has stored",
        ),
    ] = None,
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Say what touchpoints show of a stage model, as YAML to paste, with the numbers it is from.

    Types that no signal knows, how long customers pause before they come back, how far counts get,
    and what never happened. Nothing is changed but that a file is stored as a draft before a
    running system can watch it.
    """
    file = Path(wanted)
    if touchpoints is not None and file.is_file():
        model = load_model(file.read_bytes())
        seen = _watched(model, touchpoints)
    else:
        with connect(find_target(url, key, data)) as client:
            version = version_of(client, wanted)
            answer = ask(client, "GET", f"/v1/models/{version}")
            model = read_document(msgspec.convert(answer, _Stored).document)
            seen = _seen(client, version) if touchpoints is None else _watched(model, touchpoints)
    types = touchpoint_types().values()
    outbound = {name for one in types if one.direction is Direction.OUTBOUND for name in one.names}
    typer.echo(suggestions(model, seen, outbound), nl=False)


def _watched(model: StageModel, touchpoints: Path) -> Observations:
    customers = read_customers(touchpoints, default_policy())
    observer = Observer(compile_model(model), latest_touchpoint(customers) or 0)
    for customer in customers:
        observer.take(in_order(customer.touchpoints))
        observer.end_customer()
    return observer.end()


def _seen(client: httpx.Client, version: str) -> Observations:
    """Let the system watch all it has stored, and show how far it is."""
    path, console = f"/v1/models/{version}/observations", Console(stderr=True)
    with (
        console.status("watching …") as status,
        client.stream("GET", path, timeout=httpx.Timeout(600, connect=5)) as answer,
    ):
        if not answer.is_success:
            answer.read()
            raise refusal_of(answer)
        for text in answer.iter_lines():
            line = msgspec.json.decode(text, type=_Line)
            if line.seen is not None:
                return line.seen
            status.update(f"{line.customers:,} of {line.of:,} customers watched")
    raise Interrupted("the system stopped answering before the result: try again")
