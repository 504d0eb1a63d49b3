"""Files to trace: every line judged as ingest would, customers resolved by their links."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from services.cli.tracefiles import DEFAULT_SOURCE, BadLine, read_customers
from shared.errors import Invalid
from shared.identity.policy_documents import default_policy
from shared.instants import parse_rfc3339
from shared.journey.tracing import TracedCustomer

POLICY = default_policy()
AT = "2026-01-05T10:00:00Z"

Read = Callable[..., list[TracedCustomer]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(*lines: dict[str, object] | str) -> list[TracedCustomer]:
        file = tmp_path / "file.ndjson"
        texts = [line if isinstance(line, str) else _text(line) for line in lines]
        file.write_text("\n".join(texts), "utf-8")
        return read_customers(file, POLICY)

    return read


def _text(line: dict[str, object]) -> str:
    return msgspec.json.encode(line).decode()


def _visit(**changes: object) -> dict[str, object]:
    visit = {"type": "visit", "occurred_at": AT, "customer": {"email": "ana@example.com"}}
    return {**visit, **changes}


def _event_ids(customers: Sequence[TracedCustomer]) -> list[list[str]]:
    return [[one.event_id for one in customer.touchpoints] for customer in customers]


def test_identifiers_that_come_together_are_one_customer(read: Read) -> None:
    [ana, ben] = sorted(
        read(
            _visit(event_id="1"),
            _visit(event_id="2", customer={"email": "ANA@example.com", "user_id": "u_1"}),
            _visit(event_id="3", customer={"user_id": "u_1"}),
            _visit(event_id="4", customer={"user_id": "u_2"}),
        ),
        key=lambda customer: len(customer.touchpoints),
        reverse=True,
    )
    assert sorted(one.event_id for one in ana.touchpoints) == ["1", "2", "3"]
    assert {str(identifier) for identifier in ana.identifiers} == {
        "email:ana@example.com",
        "user_id:u_1",
    }
    assert _event_ids([ben]) == [["4"]]


def test_an_identity_that_comes_again_changes_nothing(read: Read) -> None:
    customers = read(_visit(event_id="1"), _visit(event_id="1", type="call"))
    assert [[one.type for one in customer.touchpoints] for customer in customers] == [["visit"]]


def test_one_event_id_of_two_sources_is_two_touchpoints(read: Read) -> None:
    [customer] = read(_visit(event_id="1"), _visit(event_id="1", source="till-7"))
    assert [one.source for one in customer.touchpoints] == [DEFAULT_SOURCE, "till-7"]


def test_equal_rows_without_event_ids_are_as_many_touchpoints(read: Read) -> None:
    [customer] = read(_visit(), _visit(), _visit(type="call"))
    assert len({one.event_id for one in customer.touchpoints}) == 3


def test_the_time_of_receipt_holds_back_what_claims_to_be_later(read: Read) -> None:
    [customer] = read(_visit(received_at="2026-01-04T10:00:00Z"))
    assert customer.touchpoints[0].at == parse_rfc3339("2026-01-04T10:05:00Z")


def test_what_was_sent_at_some_time_was_received_then(read: Read) -> None:
    [customer] = read(_visit(sent_at="2026-01-04T10:00:00Z"))
    assert customer.touchpoints[0].at == parse_rfc3339("2026-01-04T10:05:00Z")


def test_without_a_time_of_receipt_a_touchpoint_is_taken_at_its_word(read: Read) -> None:
    [customer] = read(_visit(occurred_at="2031-01-05T10:00:00Z"))
    assert customer.touchpoints[0].at == parse_rfc3339("2031-01-05T10:00:00Z")


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (_visit(type=None), "type"),
        (_visit(customer={}), "customer"),
        (_visit(occurred_at=None), "occurred_at"),
        (_visit(occurred_at="yesterday"), "occurred_at"),
        (_visit(occurred_at=7), "occurred_at"),
        (_visit(received_at="soon"), "received_at"),
        (_visit(source="No Name"), "source"),
        (_visit(source=7), "source"),
        (_visit(colour="red"), "colour"),
    ],
)
def test_a_line_that_ingest_would_refuse_is_named(
    read: Read, line: dict[str, object], path: str
) -> None:
    with pytest.raises(BadLine) as caught:
        read(_visit(), line)
    assert ", line 2: " in caught.value.message
    assert [fault.path for fault in caught.value.faults] == [path]


def test_a_line_that_is_no_json_is_named(read: Read) -> None:
    with pytest.raises(BadLine, match="line 2: is no JSON object"):
        read(_visit(), "{")


def test_a_csv_file_is_read_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    file.write_text(f"type;occurred_at;customer.email\nvisit;{AT};ana@example.com\n")
    [customer] = read_customers(file, POLICY)
    assert [one.type for one in customer.touchpoints] == ["visit"]
    file.write_text("Typ;customer.email\nvisit;ana@example.com\n")
    with pytest.raises(Invalid, match="first line"):
        read_customers(file, POLICY)
