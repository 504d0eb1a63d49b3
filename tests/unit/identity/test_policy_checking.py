import pytest

from shared.errors import PolicyRefused
from shared.identity.policy_documents import policy_of
from shared.touchpoints import JsonValue


def faults_of(document: JsonValue) -> list[tuple[str, str]]:
    with pytest.raises(PolicyRefused) as refused:
        policy_of(document)
    return [(fault.path, fault.code) for fault in refused.value.faults]


def with_kind(**members: JsonValue) -> JsonValue:
    return {"format": 1, "kinds": [{"kind": "email"}, members]}


def with_block(**members: JsonValue) -> JsonValue:
    return {"format": 1, "kinds": [], "blocked": [members]}


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ([], ("", "wrong_type")),
        ("", ("", "wrong_type")),
        ({"kinds": []}, ("format", "missing")),
        ({"format": 1}, ("kinds", "missing")),
        ({"format": 2, "kinds": []}, ("format", "bad_format")),
        ({"format": 1.0, "kinds": []}, ("format", "bad_format")),
        ({"format": 1, "kinds": {}}, ("kinds", "wrong_type")),
        ({"format": 1, "kinds": [], "block": []}, ("block", "unknown_key")),
        ({"format": 1, "kinds": ["email"]}, ("kinds[0]", "wrong_type")),
        (with_kind(unique=True), ("kinds[1].kind", "missing")),
        (with_kind(kind="Email"), ("kinds[1].kind", "bad_kind")),
        (with_kind(kind="*"), ("kinds[1].kind", "bad_kind")),
        (with_kind(kind=7), ("kinds[1].kind", "bad_kind")),
        (with_kind(kind="email"), ("kinds[1].kind", "duplicate")),
        (with_kind(kind="phone", limit=3), ("kinds[1].limit", "unknown_key")),
        (with_kind(kind="phone", unique=1), ("kinds[1].unique", "wrong_type")),
        (with_kind(kind="phone", unique=True, max_per_customer=1), ("kinds[1]", "contradiction")),
        ({"format": 1, "kinds": [], "blocked": "all"}, ("blocked", "wrong_type")),
        (with_block(values=["x"]), ("blocked[0].kind", "missing")),
        (with_block(kind="a*", values=["x"]), ("blocked[0].kind", "bad_kind")),
        (with_block(kind="email"), ("blocked[0]", "empty")),
        (with_block(kind="email", values=[]), ("blocked[0]", "empty")),
        (with_block(kind="email", values=["a", " "]), ("blocked[0].values[1]", "wrong_type")),
        (with_block(kind="email", values=[["a"]]), ("blocked[0].values[0]", "wrong_type")),
        (with_block(kind="email", patterns=["a@b"]), ("blocked[0].patterns[0]", "bad_pattern")),
        (with_block(kind="email", patterns="a*"), ("blocked[0].patterns", "wrong_type")),
    ],
)
def test_a_fault_is_named_with_its_path(document: JsonValue, fault: tuple[str, str]) -> None:
    assert fault in faults_of(document)


@pytest.mark.parametrize("limit", [0, -1, 2.0, True, "many", [], 10**9])
def test_a_limit_is_a_whole_number_from_1(limit: JsonValue) -> None:
    faults = faults_of(with_kind(kind="phone", max_per_customer=limit))
    assert faults == [("kinds[1].max_per_customer", "bad_number")]


def test_two_kinds_that_could_not_be_read_are_not_called_the_same() -> None:
    document = {"format": 1, "kinds": [{"kind": "A"}, {"kind": "B"}]}
    assert faults_of(document) == [("kinds[0].kind", "bad_kind"), ("kinds[1].kind", "bad_kind")]


def test_all_faults_are_found_in_one_reading() -> None:
    document = {
        "format": 9,
        "kinds": [{"kind": "A"}, {"kind": "b", "max_per_customer": 0}],
        "blocked": [{"kind": "c", "values": [[]]}],
    }
    assert faults_of(document) == [
        ("format", "bad_format"),
        ("kinds[0].kind", "bad_kind"),
        ("kinds[1].max_per_customer", "bad_number"),
        ("blocked[0].values[0]", "wrong_type"),
    ]


def test_a_flood_of_faults_is_cut_off() -> None:
    assert len(faults_of({"format": 1, "kinds": ["no"] * 5_000})) == 100


def test_the_message_is_a_sentence_that_names_the_first_fault() -> None:
    with pytest.raises(PolicyRefused, match=r"^format must be 1, the format this reads\.$"):
        policy_of({"format": 3, "kinds": []})
