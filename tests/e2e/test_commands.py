"""The commands that talk to a running product: what they print, and how they end."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest

from shared.journey.bundled import bundled_model
from tests.fixtures.commands import Command
from tests.fixtures.processes import Ran, run
from tests.fixtures.product import Product

Ask: TypeAlias = Callable[..., Ran]

ANA = "email:ana@example.com"
HISTORY = [
    {
        "event_id": f"ana-{number}",
        "type": type_,
        "occurred_at": f"2026-01-0{number + 1}T10:00:00Z",
        "customer": {"email": "ana@example.com"},
        "properties": {"order_id": "1"},
    }
    for number, type_ in enumerate(["page_viewed", "product_viewed", "order_completed"])
]


@pytest.fixture(scope="module")
def told(shared_product: Product) -> Product:
    """A product that knows Ana, and has refused one touchpoint."""
    shared_product.post(*HISTORY)
    with shared_product.client() as client:
        assert client.post("/v1/touchpoints", json={"customer": {}}).status_code == 422
    for touchpoint in HISTORY:
        shared_product.wait_until_stored(str(touchpoint["event_id"]))
    return shared_product


@pytest.fixture
def ask(command: Command, told: Product) -> Ask:
    """``journeyline`` with that product's data folder."""

    def ask(*arguments: str | Path, **environment: str) -> Ran:
        return command(*arguments, "--data", told.data, **environment)

    return ask


def _line(ran: Ran) -> str:
    """Return the one line of a command that failed."""
    assert ran.code == 1, ran
    assert ran.out == ""
    [line] = ran.err.splitlines()
    return line


def test_timeline_shows_touchpoints_and_moves_newest_first(ask: Ask) -> None:
    shown = ask("timeline", ANA)
    assert (shown.code, shown.err) == (0, "")
    heading, *table = shown.out.splitlines()
    assert heading.startswith("Retention since ")
    rows = [line for line in table if "2026-" in line]
    assert [line for line in rows if "api/ana-" in line] == sorted(
        (line for line in rows if "api/ana-" in line), reverse=True
    )
    assert any("stage: " in line and "onboarding" in line for line in rows)


def test_timeline_as_json_is_what_the_api_answers(ask: Ask) -> None:
    shown = ask("timeline", ANA, "--json", "--limit", "1")
    answer = msgspec.json.decode(shown.out)
    assert answer["journey"]["stage"]["key"] == "retention"
    assert len(answer["timeline"]["items"]) == 1


def test_what_senders_chose_neither_styles_nor_steers_a_terminal(ask: Ask, told: Product) -> None:
    hostile = {**HISTORY[0], "event_id": "[/red]\x1b[2J\u202e", "customer": {"user_id": "u_9"}}
    told.post(hostile, {**hostile, "event_id": "after"})
    told.wait_until_stored("after")
    shown = ask("timeline", "user_id:u_9")
    assert (shown.code, shown.err) == (0, "")
    assert "api/[/red]\\x1b[2J\\u202e" in shown.out
    assert "\x1b" not in shown.out


def test_what_goes_into_a_pipe_is_not_cut(ask: Ask) -> None:
    event_id = str(HISTORY[0]["event_id"])
    assert f"api/{event_id}" in ask("timeline", ANA, COLUMNS="40").out
    scopes = ask("keys", "list", COLUMNS="40").out
    assert "admin, customers:erase, customers:read, models:write, quarantine:write" in scopes


def test_a_key_is_made_that_ends(ask: Ask, told: Product) -> None:
    made = ask("keys", "create", "--scope", "admin", "--expires", "2999-01-31T01:00:00+01:00")
    assert made.code == 0, made
    with told.client() as client:
        listed = {each["id"]: each["expires_at"] for each in client.get("/v1/keys").json()["items"]}
    assert listed[made.out.split()[1]] == "2999-01-31T00:00:00Z"
    assert "--expires is not an RFC 3339 time" in _line(
        ask("keys", "create", "--scope", "admin", "--expires", "tomorrow")
    )


def test_an_erasure_that_nobody_confirms_does_nothing_and_says_so(told: Product) -> None:
    refused = told.run("erase", ANA)
    assert refused.code == 1
    assert refused.err.splitlines()[-1] == "journeyline: nothing was done"
    assert "Traceback" not in refused.err
    assert told.run("timeline", ANA).code == 0


def test_a_key_that_ends_is_made_in_the_database_itself(
    command: Command, database_url: str
) -> None:
    def keys(*arguments: str) -> Ran:
        return command(
            "keys", *arguments, "--database-url", database_url, KEY_PEPPER="pepper of the test"
        )

    made = keys("create", "--scope", "admin", "--expires", "2999-01-31T01:00:00+01:00")
    assert made.code == 0, made
    [shown] = [line for line in keys("list").out.splitlines() if made.out.split()[1] in line]
    assert "2999-01-31T00:00:00Z" in shown
    refused = keys("create", "--scope", "admin", "--expires", "2020-01-31T00:00:00Z")
    assert refused.code == 1
    assert "expires_at must lie in the future" in _line(refused)
    assert keys("list").out.count("secret") == 1


def test_timeline_of_an_unknown_customer_says_so(ask: Ask) -> None:
    assert "no customer" in _line(ask("timeline", "email:nobody@example.com"))
    assert "kind:value" in _line(ask("timeline", "rubbish"))


def test_ledger_accounts_for_every_record(ask: Ask) -> None:
    shown = ask("ledger")
    assert (shown.code, shown.err) == (0, "")
    total = next(line for line in shown.out.splitlines() if "total" in line)
    numbers = [int(cell) for cell in total.replace("│", " ").split()[1:]]
    assert numbers[0] == sum(numbers[1:])
    assert numbers[3] == 1, "one was refused"
    assert msgspec.json.decode(ask("ledger", "--json").out)["total"]["quarantined"] == 1


def test_verify_ends_with_what_it_compared(ask: Ask, told: Product) -> None:
    shown = ask("verify")
    with told.client() as client:
        stored = client.get("/v1/ledger").json()["total"]["stored"]
        customers = client.get("/v1/customers").json()["total"]
    expected = f"customers {customers}, touchpoints {stored}, differences 0\n"
    assert (shown.code, shown.out) == (0, expected)


def test_a_key_is_made_listed_used_and_revoked(ask: Ask) -> None:
    made = ask("keys", "create", "--name", "reader", "--scope", "customers:read")
    assert made.code == 0
    key_id, key = (line.split()[1] for line in made.out.splitlines())
    assert ask("timeline", ANA, "--key", key).code == 0
    assert "scope admin" in _line(ask("keys", "list", "--key", key))
    listed = ask("keys", "list").out
    assert key_id in listed
    assert key not in listed
    assert ask("keys", "revoke", key_id).code == 0
    assert "no key" in _line(ask("keys", "revoke", "nonsense"))


def test_a_source_is_made_listed_and_changed(ask: Ask) -> None:
    assert ask("sources", "create", "store-7", "--channel", "in_store").code == 0
    assert "store-7" in ask("sources", "list").out
    assert ask("sources", "update", "store-7", "--settings", '{"links": "identify_only"}').code == 0
    assert "already" in _line(ask("sources", "create", "store-7", "--channel", "web"))
    assert "channel" in _line(ask("sources", "create", "store-8", "--channel", "shop"))
    assert "no source" in _line(ask("sources", "update", "store-9", "--channel", "web"))


def test_doctor_finds_nothing_wrong_with_a_running_product(ask: Ask, told: Product) -> None:
    shown = ask("doctor")
    assert shown.code == 0, shown
    assert {line.split()[0] for line in shown.out.splitlines()} == {"ok"}
    assert f"system at {told.url}" in shown.out


def test_doctor_says_what_to_do_about_a_wrong_key(ask: Ask) -> None:
    shown = ask("doctor", "--key", "sk_wrong")
    assert shown.code == 1
    assert "BAD" in shown.out
    assert "JOURNEYLINE_KEY" in shown.out


def test_the_environment_names_system_and_key(command: Command, told: Product) -> None:
    named = {"JOURNEYLINE_URL": told.url, "JOURNEYLINE_KEY": told.credentials.secret_key}
    assert command("ledger", "--data", "/nowhere", **named).code == 0


def test_a_wrong_key_is_one_clear_line(ask: Ask) -> None:
    for asked in (["ledger"], ["verify"], ["timeline", ANA], ["keys", "list"]):
        assert "not known" in _line(ask(*asked, "--key", "sk_wrong"))


def test_without_a_system_every_command_says_how_to_start_one(
    command: Command, tmp_path: Path
) -> None:
    nowhere = ["--url", "http://127.0.0.1:1", "--key", "sk_any"]
    for asked in (["ledger"], ["verify"], ["timeline", ANA], ["sources", "list"]):
        assert "journeyline up" in _line(command(*asked, *nowhere))
    line = _line(command("ledger", "--data", tmp_path))
    assert "journeyline up" in line
    assert str(tmp_path / "credentials.json") in line


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["timeline"], ["ledger", "--nonsense"], ["up", "--port", "99999"]],
    ids=" ".join,
)
def test_misuse_is_one_line_and_exit_2(command: Command, arguments: list[str]) -> None:
    ran = command(*arguments)
    assert (ran.code, ran.out) == (2, "")
    [line] = ran.err.splitlines()
    assert line.startswith("journeyline: ")


def test_no_command_at_all_shows_the_help() -> None:
    ran = run()
    assert (ran.code, ran.err) == (2, "")
    assert "Usage: journeyline" in ran.out
    assert " up " in ran.out


def test_model_check_and_trace_need_no_system(command: Command, tmp_path: Path) -> None:
    model = tmp_path / "model.yaml"
    model.write_text(bundled_model("default"))
    checked = command("model", "check", model)
    assert checked.code == 0
    assert "awareness → " in checked.out
    touchpoints = tmp_path / "ana.ndjson"
    touchpoints.write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in HISTORY))
    traced = command("model", "trace", model, touchpoints)
    assert traced.code == 0
    assert ANA in traced.out
    assert "Onboarding" in traced.out


def test_model_trace_and_the_product_tell_the_same_journey(
    command: Command, told: Product, tmp_path: Path
) -> None:
    model = tmp_path / "model.yaml"
    model.write_text(bundled_model("default"))
    touchpoints = tmp_path / "ana.ndjson"
    with_source = ({**item, "source": "api"} for item in HISTORY)
    touchpoints.write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in with_source))
    as_of = "2026-02-01T00:00:00Z"
    traced = command("model", "trace", model, touchpoints, "--format", "json", "--as-of", as_of)
    with told.client() as client:
        answered = client.get(f"/v1/customers/{ANA}/journey", params={"as_of": as_of}).json()
    document = msgspec.json.decode(traced.out)
    for member in ("customer_id", "stage", "activity", "cycle", "next", "transitions", "version"):
        assert document[member] == answered[member], member


def test_a_refused_model_names_every_fault(command: Command, tmp_path: Path) -> None:
    model = tmp_path / "model.yaml"
    model.write_text("format: 1\nkey: x\nstages: 7\n")
    checked = command("model", "check", model)
    assert checked.code == 1
    assert checked.err.startswith("journeyline: ")
    assert "stages" in checked.err
    assert command("model", "check", tmp_path / "missing.yaml").code == 2


@pytest.mark.parametrize("wrong", [("--as-of", "yesterday"), ("--format", "xml")])
def test_model_trace_takes_a_wrong_option_for_a_wrong_use(
    command: Command, tmp_path: Path, wrong: tuple[str, str]
) -> None:
    model = tmp_path / "model.yaml"
    model.write_text(bundled_model("default"))
    touchpoints = tmp_path / "ana.ndjson"
    touchpoints.write_bytes(msgspec.json.encode(HISTORY[0]) + b"\n")
    traced = command("model", "trace", model, touchpoints, *wrong)
    assert traced.code == 2
    assert wrong[0] in traced.err


def test_model_trace_names_the_line_that_is_no_touchpoint(command: Command, tmp_path: Path) -> None:
    model = tmp_path / "model.yaml"
    model.write_text(bundled_model("default"))
    touchpoints = tmp_path / "bad.ndjson"
    touchpoints.write_bytes(msgspec.json.encode(HISTORY[0]) + b'\n{"type": "x"}\n')
    traced = command("model", "trace", model, touchpoints)
    assert traced.code == 1
    assert f"{touchpoints}, line 2: " in traced.err
