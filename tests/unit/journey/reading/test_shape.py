import pytest

from shared.errors import Fault, ModelRefused
from shared.journey.reading.shape import MOST_FAULTS, ROOT, Faults, Node
from shared.touchpoints import JsonValue


def node(value: JsonValue) -> tuple[Node, Faults]:
    faults = Faults()
    return Node(value, "place", faults), faults


def noted(faults: Faults) -> list[Fault]:
    with pytest.raises(ModelRefused) as caught:
        faults.refuse_if_any()
    return list(caught.value.faults)


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("json_object", [1]),
        ("items", {"a": 1}),
        ("text", 5),
        ("boolean", "true"),
        ("integer", True),
        ("integer", 1.0),
        ("number", "5"),
        ("number", True),
        ("duration", 14),
    ],
)
def test_a_value_of_the_wrong_type_is_noted_at_its_path(reader: str, value: JsonValue) -> None:
    one, faults = node(value)
    read = {
        "json_object": one.json_object,
        "items": one.items,
        "text": one.text,
        "boolean": one.boolean,
        "integer": lambda: one.integer(0),
        "number": one.number,
        "duration": one.duration,
    }[reader]
    read()
    assert [(fault.path, fault.code) for fault in noted(faults)] == [("place", "wrong_type")]


def test_keys_of_the_author_s_choice_must_stand_in_an_object_that_is_not_empty() -> None:
    for value, code in (([1], "wrong_type"), ({}, "empty")):
        one, faults = node(value)
        assert list(one.entries()) == []
        assert [fault.code for fault in noted(faults)] == [code]


def test_a_missing_member_is_noted_once_however_it_is_read() -> None:
    one, faults = node({"other": 1})
    members = one.members(("name",), ("other",))
    members["name"].text()
    members["name"].duration()
    members["name"].members(("inner",))
    assert [(fault.path, fault.code) for fault in noted(faults)] == [("place.name", "missing")]
    assert members["other"].number() == 1


def test_a_path_is_written_so_that_it_can_be_followed() -> None:
    faults = Faults()
    root = Node({"a": {"b c": [{"d.e": 1}]}}, ROOT, faults)
    inner = root.members(("a",))["a"].members(("b c",))["b c"].items()[0].members(("d.e",))["d.e"]
    assert inner.path == 'a["b c"][0]["d.e"]'


def test_without_faults_nothing_is_refused() -> None:
    one, faults = node("text")
    assert one.text() == "text"
    faults.refuse_if_any()


def test_a_refusal_names_the_first_fault_and_how_many_more_there_are() -> None:
    faults = Faults()
    for number in range(MOST_FAULTS + 50):
        faults.note(f"at[{number}]", "bad", "is bad")
    with pytest.raises(ModelRefused, match=r"at\[0\]: is bad \(and 99 more\)"):
        faults.refuse_if_any()


def test_a_choice_that_is_unknown_says_what_is_known() -> None:
    one, faults = node("x")
    one.reference([], "score")
    one.one_of(["web", "email"], "channel")
    messages = [fault.message for fault in noted(faults)]
    assert messages == [
        "'x' is no score here; there are none",
        "'x' is no channel here; known: email, web",
    ]
