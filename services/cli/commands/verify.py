"""``journeyline verify``: recompute every journey and compare."""

from typing import Annotated

import httpx
import msgspec
import typer
from rich.console import Console

from services.cli.connection import (
    DEFAULT_DATA,
    Data,
    Key,
    Url,
    connect,
    find_target,
    refusal_of,
)
from shared.errors import JourneylineError


class VerifyLine(msgspec.Struct):
    """One line of the answer: progress, a difference, or the result at the end."""

    kind: str
    customers: int = 0
    touchpoints: int = 0
    differences: int = 0
    of: int = 0
    customer_id: str = ""
    what: str = ""


class Interrupted(JourneylineError):
    """The answer ended before its result."""


def verify(
    url: Url = None,
    key: Key = None,
    data: Data = DEFAULT_DATA,
    *,
    quiet: Annotated[bool, typer.Option("--quiet", help="no progress")] = False,
) -> None:
    """Recompute all customers and journeys from the stored touchpoints and compare."""
    console = Console(stderr=True, quiet=quiet)
    with (
        connect(find_target(url, key, data)) as client,
        client.stream("POST", "/v1/verify", timeout=httpx.Timeout(600, connect=5)) as answer,
    ):
        if not answer.is_success:
            answer.read()
            raise refusal_of(answer)
        result = _follow(answer, console)
    typer.echo(
        f"customers {result.customers}, touchpoints {result.touchpoints}, "
        f"differences {result.differences}"
    )
    if result.differences:
        raise typer.Exit(1)


def _follow(answer: httpx.Response, console: Console) -> VerifyLine:
    with console.status("comparing …") as status:
        for text in answer.iter_lines():
            line = msgspec.json.decode(text, type=VerifyLine)
            match line.kind:
                case "difference":
                    console.print(f"customer {line.customer_id}: {line.what}", style="red")
                case "result":
                    return line
                case _:
                    status.update(f"{line.customers} of {line.of} customers compared")
    raise Interrupted("the system stopped answering before the result: try again")
