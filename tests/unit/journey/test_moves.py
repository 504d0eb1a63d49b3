import hashlib

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from shared.journey.moves import (
    Cause,
    DeadlineCause,
    Identity,
    Move,
    TouchpointCause,
    cause_document,
    parse_cause,
    transition_id,
)
from shared.touchpoints import Place
from tests.fixtures.small_models import day

DECIDED = TouchpointCause("shop", "o/1", (Place(day(1), "shop", "o/1"), Place(day(0), "shop", "x")))
DUE = DeadlineCause(day(1), "P14D", "signal", Identity("shop", "x"))
UNTOUCHED = DeadlineCause(day(1), "P14D", "entered", None)


def move(cause: Cause) -> Move:
    return Move("stage", "advance", "first", "second", day(2), 1, "up", cause)


def test_an_id_is_made_from_the_canonical_json_of_what_names_the_move() -> None:
    named = (
        '["v","c","stage",1,"first","second","2026-01-03T00:00:00Z","up","shop/o/1"]',
        '["v","c","stage",1,"first","second","2026-01-03T00:00:00Z","up","2026-01-02T00:00:00Z"]',
    )
    causes: tuple[Cause, ...] = (DECIDED, DUE)
    for text, cause in zip(named, causes, strict=True):
        expected = hashlib.sha256(text.encode()).hexdigest()[:32]
        assert transition_id("v", "c", move(cause)) == expected


def test_an_id_does_not_depend_on_the_evidence() -> None:
    bare = TouchpointCause("shop", "o/1")
    assert transition_id("v", "c", move(bare)) == transition_id("v", "c", move(DECIDED))


def test_a_cause_is_written_as_transitions_carry_it() -> None:
    assert cause_document(DECIDED) == {
        "touchpoint": {"source": "shop", "event_id": "o/1"},
        "evidence": [
            {"source": "shop", "event_id": "o/1", "at": "2026-01-02T00:00:00Z"},
            {"source": "shop", "event_id": "x", "at": "2026-01-01T00:00:00Z"},
        ],
    }
    assert cause_document(DUE) == {
        "deadline": {
            "base_at": "2026-01-02T00:00:00Z",
            "after": "P14D",
            "base": "signal",
            "touchpoint": {"source": "shop", "event_id": "x"},
        }
    }


@pytest.mark.parametrize("cause", [DECIDED, DUE, UNTOUCHED, TouchpointCause("s", "e")])
def test_a_written_cause_is_read_again(cause: Cause) -> None:
    assert parse_cause(cause_document(cause)) == cause


@pytest.mark.parametrize(
    "document", [{}, {"deadline": {"after": "P1D"}}, {"touchpoint": {"source": "a"}}]
)
def test_what_is_no_cause_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"cause|missing"):
        parse_cause(document)


def test_moves_can_be_stored_and_read() -> None:
    stored = msgspec.msgpack.encode([move(DECIDED), move(UNTOUCHED)])
    assert msgspec.msgpack.decode(stored, type=list[Move]) == [move(DECIDED), move(UNTOUCHED)]


@given(st.text(), st.text(), st.integers(min_value=1, max_value=2**31))
def test_a_transition_s_id_is_the_hash_of_canonical_json(
    rule: str, event_id: str, cycle: int
) -> None:
    move = Move("stage", "advance", None, "a", 0, cycle, rule, TouchpointCause("s", event_id))
    named = ("v", "c", "stage", cycle, None, "a", "1970-01-01T00:00:00Z", rule, f"s/{event_id}")
    canonical = rfc8785.dumps(named)
    assert transition_id("v", "c", move) == hashlib.sha256(canonical).hexdigest()[:32]
