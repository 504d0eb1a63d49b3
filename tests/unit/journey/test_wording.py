import pytest

from shared.journey.conditions import Condition
from shared.journey.reading.conditions import Known, read_condition
from shared.journey.reading.shape import ROOT, Faults, Node
from shared.journey.wording import condition_document, phrase
from shared.touchpoints import JsonObject

WORDS: list[tuple[JsonObject, str]] = [
    ({"signal": "a"}, "a touchpoint that is a"),
    ({"signal": "a", "at_least": 3, "within": "P14D"}, "at least 3 a within P14D"),
    ({"signal": "a", "at_most": 0}, "at most 0 a"),
    (
        {"signal": "a", "distinct": "properties.sku", "at_least": 2},
        "at least 2 a with different properties.sku",
    ),
    (
        {"signal": "a", "sum": "properties.value", "at_most": 9.5, "within": "P1D"},
        "a sum of properties.value over a within P1D of at most 9.5",
    ),
    ({"score": "heat", "at_least": 6}, "a score heat of at least 6"),
    (
        {"trait": "plan.name", "exists": True, "ne": "free"},
        'a trait plan.name that is not "free" and is there',
    ),
    ({"trait": "plan", "exists": False}, "a trait plan that is missing"),
    ({"trait": "tags", "contains": "ü"}, 'a trait tags that contains "ü"'),
    ({"trait": "seats", "gt": 1, "lte": 5}, "a trait seats that is over 1 and is at most 5"),
    ({"trait": "seats", "gte": 1, "lt": 5}, "a trait seats that is at least 1 and is under 5"),
    ({"trait": "plan", "eq": "pro"}, 'a trait plan that is "pro"'),
    (
        {"trait": "plan", "in": ["a", 1], "prefix": "a"},
        'a trait plan that is one of ["a", 1] and begins with "a"',
    ),
    ({"in_stage_for": "P9D"}, "P9D in the stage"),
    ({"activity": ["dormant", "churned"]}, "the activity dormant or churned"),
    ({"reached": "first"}, "first reached before"),
    (
        {"all": [{"signal": "a"}, {"any": [{"not": {"signal": "a"}}, {"reached": "first"}]}]},
        (
            "all of (a touchpoint that is a; one of (not (a touchpoint that is a); "
            "first reached before))"
        ),
    ),
]


def read(document: JsonObject) -> Condition:
    faults = Faults()
    known = Known(signals=("a",), scores=("heat",), stages=("first",))
    condition = read_condition(Node(document, ROOT, faults), known, bare=True)
    faults.refuse_if_any()
    return condition


@pytest.mark.parametrize("document", [document for document, _ in WORDS])
def test_a_condition_is_written_as_it_was_read(document: JsonObject) -> None:
    assert condition_document(read(document)) == document


@pytest.mark.parametrize(("document", "words"), WORDS)
def test_a_condition_is_said_in_words(document: JsonObject, words: str) -> None:
    assert phrase(read(document)) == words
