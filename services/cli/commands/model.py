"""``journeyline model``: check a stage model, try it on a file, and put it in force."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.box import SIMPLE
from rich.table import Table

from services.cli.commands.diffs import diff
from services.cli.commands.releases import activate, draft, list_models, rollback, shadow
from services.cli.commands.suggestions import suggest
from services.cli.tables import plain, print_table
from services.cli.tracefiles import read_customers
from shared.errors import ModelRefused
from shared.identity.policy_documents import default_policy
from shared.instants import Instant, parse_rfc3339
from shared.journey.lint import ModelWarning, lint, lint_on_data
from shared.journey.loading import load_model
from shared.journey.model import StageModel
from shared.journey.program import compile_model
from shared.journey.tracing import TracedCustomer, latest_touchpoint, trace
from shared.touchpoints import JsonObject

app = typer.Typer(
    help="Check stage models, try them on files, and put them in force.", no_args_is_help=True
)
app.command("list")(list_models)
app.command("draft")(draft)
app.command("diff")(diff)
app.command("shadow")(shadow)
app.command("activate")(activate)
app.command("rollback")(rollback)
app.command("suggest")(suggest)

ModelFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="YAML or JSON")]
TouchpointFile = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="NDJSON, one touchpoint a line")
]
REFUSED: Final = 1


class _TracedStage(msgspec.Struct):
    label: str
    since: str


class _TracedActivity(msgspec.Struct):
    state: str


class _Traced(msgspec.Struct):
    """The part of a traced journey that the table shows."""

    customer_id: str
    cycle: int
    transitions: list[JsonObject]
    identifiers: list[dict[str, str]]
    stage: _TracedStage | None = None
    activity: _TracedActivity | None = None


@app.command()
def check(
    model: ModelFile,
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", exists=True, dir_okay=False, help="NDJSON: touchpoints to try it on"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the findings as JSON")] = False,
) -> None:
    """Validate and lint MODEL; exit 0 if it loads, with or without warnings, 1 if refused.

    With --data it also says which rules never fired on these touchpoints, which signals never
    matched, and which types no signal knows.
    """
    try:
        loaded = load_model(model.read_bytes())
    except ModelRefused as error:
        if not as_json:
            raise
        _print_json({"ok": False, "errors": list(error.faults), "warnings": []})
        raise typer.Exit(REFUSED) from error
    warnings = lint(loaded) if data is None else (*lint(loaded), *_lint_on(loaded, data))
    if as_json:
        _print_json({"ok": True, **_named(loaded), "errors": [], "warnings": list(warnings)})
        return
    for warning in warnings:
        typer.echo(f"warning: {warning.path}: {warning.message}", err=True)
    stages = " → ".join(stage.key for stage in loaded.stages)
    typer.echo(f"{loaded.key} {loaded.version[:12]}: {stages}")
    typer.echo(f"{len(loaded.examples)} examples hold, {len(warnings)} warnings")


@app.command("trace")
def trace_file(
    model: ModelFile,
    touchpoints: TouchpointFile,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="RFC 3339; else the latest time in the file")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json")] = "table",
) -> None:
    """Fold the touchpoints of a file under MODEL and print every customer's journey."""
    if output not in {"table", "json"}:
        raise typer.BadParameter("must be table or json", param_hint="--format")
    program = compile_model(load_model(model.read_bytes()))
    customers = read_customers(touchpoints, default_policy())
    when = _as_of(as_of, customers)
    documents = trace(program, customers, when)
    if output == "json":
        for document in documents:
            typer.echo(msgspec.json.encode(document).decode())
        return
    print_table(_table([msgspec.convert(document, _Traced) for document in documents]))
    histories = [customer.touchpoints for customer in customers]
    for warning in lint_on_data(program, histories, when):
        typer.echo(f"warning: {warning.path}: {warning.message}", err=True)


def _lint_on(model: StageModel, data: Path) -> tuple[ModelWarning, ...]:
    customers = read_customers(data, default_policy())
    histories = [customer.touchpoints for customer in customers]
    return lint_on_data(compile_model(model), histories, latest_touchpoint(customers) or 0)


def _as_of(text: str | None, customers: list[TracedCustomer]) -> Instant:
    if text is None:
        return latest_touchpoint(customers) or 0
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--as-of") from error


def _named(model: StageModel) -> JsonObject:
    return {"key": model.key, "title": model.title, "version": model.version}


def _print_json(document: JsonObject) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(document)).decode())


def _table(journeys: list[_Traced]) -> Table:
    table = Table("customer", "stage", "since", "activity", "cycle", "moves", box=SIMPLE)
    for journey in journeys:
        first = journey.identifiers[0] if journey.identifiers else {}
        table.add_row(
            plain(f"{first.get('kind', '')}:{first.get('value', '')}"),
            plain(journey.stage.label if journey.stage else "-"),
            journey.stage.since if journey.stage else "",
            journey.activity.state if journey.activity else "-",
            str(journey.cycle),
            str(len(journey.transitions)),
        )
    return table
