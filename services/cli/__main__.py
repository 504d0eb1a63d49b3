"""The command's entry: wires the subcommands, turns errors into one line and an exit code."""

import sys
from typing import Final

import typer
from typer.exceptions import TyperException

from services.cli.commands import (
    accounts,
    audit,
    backup,
    demo,
    doctor,
    ledger,
    links,
    migrate,
    model,
    policy,
    privacy,
    quarantine,
    send,
    services,
    timeline,
    up,
    verify,
    webhooks,
)
from services.cli.entry import INTERRUPTED
from shared.errors import JourneylineError

FAILED: Final = 1

app = typer.Typer(
    name="journeyline",
    help="Every touchpoint of a customer on one timeline, folded into one journey.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up.up)
app.command("ingest")(services.ingest)
app.command("classifier")(services.classifier)
app.command("api")(services.api)
app.command("migrate")(migrate.migrate)
app.command("demo")(demo.demo)
app.command("send")(send.send)
app.command("timeline")(timeline.timeline)
app.command("verify")(verify.verify)
app.command("unlink")(links.unlink)
app.command("ledger")(ledger.ledger)
app.command("doctor")(doctor.doctor)
app.command("erase")(privacy.erase)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore_backup)
app.command("export")(privacy.export)
app.add_typer(accounts.keys, name="keys")
app.add_typer(accounts.sources, name="sources")
app.add_typer(links.app, name="links")
app.add_typer(policy.app, name="policy")
app.add_typer(model.app, name="model")
app.add_typer(audit.app, name="audit")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(webhooks.app, name="webhooks")


def main() -> None:
    """Run the command; exit 0 when all went well, 1 when it failed, 2 when it was misused."""
    try:
        code = app(standalone_mode=False)
    except TyperException as error:
        if message := error.format_message():  # without any arguments the help has been printed
            sys.stderr.write(f"journeyline: {message} (--help says how)\n")
        sys.exit(error.exit_code)
    except typer.Abort:  # a question was answered by no, or by nobody
        sys.stderr.write("\njourneyline: nothing was done\n")
        sys.exit(FAILED)
    except JourneylineError as error:
        sys.stderr.write(f"journeyline: {error.message}\n")
        for fault in error.faults:
            if fault.message not in error.message:
                sys.stderr.write(f"  {fault.path}: {fault.message}\n")
        sys.exit(FAILED)
    if code == INTERRUPTED:
        sys.stderr.write("journeyline: stopped\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
