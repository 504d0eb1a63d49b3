"""The commands about who is one customer, against a running product."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest

from tests.fixtures.commands import Command
from tests.fixtures.processes import Ran
from tests.fixtures.product import Product

Ask: TypeAlias = Callable[..., Ran]

PHONE = "phone:+4930123456"


@pytest.fixture(scope="module")
def told(shared_product: Product) -> Product:
    """A product that knows two users of one phone."""
    shared_product.post(
        *(
            {
                "event_id": f"e-{user}",
                "type": "identify",
                "occurred_at": f"2026-01-0{number}T10:00:00Z",
                "customer": {"user_id": user, "phone": PHONE.partition(":")[2]},
            }
            for number, user in enumerate(("ana", "ben"), start=1)
        )
    )
    for user in ("ana", "ben"):
        shared_product.wait_until_stored(f"e-{user}")
    return shared_product


@pytest.fixture
def ask(command: Command, told: Product) -> Ask:
    """``journeyline`` with that product's data folder."""

    def ask(*arguments: str | Path) -> Ran:
        return command(*arguments, "--data", told.data)

    return ask


def test_a_link_is_shown_taken_back_and_restored(ask: Ask) -> None:
    shown = ask("links", "list", "user_id:ana")
    assert shown.code == 0, shown
    assert "linked" in shown.out
    assert "refused" in shown.out
    found = msgspec.json.decode(ask("links", "list", "user_id:ana", "--json").out)
    [link] = [each["id"] for each in found["links"]]
    undone = ask("links", "unlink", link, "--reason", "it is ben's phone")
    assert undone.code == 0, undone
    assert "nothing changed" not in undone.out
    assert "nothing changed" in ask("links", "unlink", link, "--reason", "again").out
    assert "bar" in ask("links", "list", "user_id:ana").out
    assert ask("links", "relink", link, "--reason", "it is not").code == 0


def test_a_link_is_made_and_an_identifier_taken_out(ask: Ask) -> None:
    made = ask("links", "make", "user_id:ben", "email:ben@example.com", "--reason", "he said so")
    assert made.code == 0, made
    taken = ask("unlink", "user_id:ben", "email:ben@example.com", "--reason", "he did not")
    assert taken.code == 0, taken
    customers = {line.split()[0]: line.split()[1] for line in taken.out.splitlines() if ":" in line}
    assert len(set(customers.values())) == 2
    wrong = ask("unlink", "user_id:ben", "email:ben@example.com", "--reason", "again")
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.err.startswith("journeyline: identifier must be one of the customer's")


def test_shared_identifiers_are_listed(ask: Ask) -> None:
    shared = ask("links", "shared")
    assert (shared.code, "identifier" in shared.out) == (0, True)


def test_a_policy_is_checked_set_and_shown(ask: Ask, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("format: 1\nkinds: [{kind: email, unique: maybe}]\n")
    refused = ask("policy", "set", wrong, "--reason", "x")
    assert (refused.code, refused.out) == (1, "")
    assert "kinds[0].unique" in refused.err
    policy = tmp_path / "policy.yaml"
    policy.write_text("format: 1\nkinds: [{kind: email}, {kind: user_id}]\n")
    assert ask("policy", "set", policy, "--reason", "mail first").out == "the policy is in force\n"
    again = ask("policy", "set", policy, "--reason", "mail first")
    assert again.out == "the policy was in force already\n"
    assert "warning: kinds lists no unique kind" in again.err
    shown = msgspec.json.decode(ask("policy", "show").out)
    assert (shown["reason"], shown["applying"]) == ("mail first", None)
    assert "differences 0" in ask("verify").out


def test_the_suppression_of_an_erasure_is_lifted(ask: Ask, told: Product) -> None:
    item = {"type": "page_viewed", "customer": {"user_id": "gone"}}
    told.post({**item, "event_id": "gone-1"})
    told.wait_until_stored("gone-1")
    certificate = msgspec.json.decode(ask("erase", "user_id:gone", "--yes").out)
    lifted = ask("erase", "--lift", certificate["id"], "--reason", "came back")
    assert lifted.code == 0, lifted
    assert lifted.out.startswith("lifted at ")
    told.post({**item, "event_id": "gone-2"})
    told.wait_until_stored("gone-2")
    for wrong in (("--lift", certificate["id"], "user_id:gone"), ("--lift", "x", "--dry-run"), ()):
        assert ask("erase", *wrong).code == 2
