"""Reading matchers and the tests inside them."""

from typing import Final

from shared.journey.matchers import OPERATORS, Comparison, Matcher, Operator, PathTests
from shared.journey.reading.shape import MemberNodes, Node
from shared.journey.values import Path, is_number
from shared.touchpoints import Channel

CHANNELS: Final = tuple(channel.value for channel in Channel)
ROOTS: Final = ("properties", "context", "traits")


def read_matcher(node: Node) -> Matcher:
    """Read a matcher; at least one part is needed."""
    optional = ("channel", "type", "source", "where", "any", "all", "not")
    members = node.members((), optional)
    return Matcher(
        channel=frozenset(
            choice.one_of(CHANNELS, "channel") for choice in _given(members, "channel")
        ),
        type=frozenset(choice.text() for choice in _given(members, "type")),
        source=frozenset(choice.text() for choice in _given(members, "source")),
        where=_read_where(members["where"]) if "where" in members else (),
        any=tuple(map(read_matcher, members["any"].items())) if "any" in members else (),
        all=tuple(map(read_matcher, members["all"].items())) if "all" in members else (),
        negated=read_matcher(members["not"]) if "not" in members else None,
    )


def read_path(node: Node) -> Path:
    """Read a path into a touchpoint or the customer's traits, such as ``properties.order_id``."""
    return split_path(node, node.text())


def split_path(node: Node, text: str) -> Path:
    """Split *text*, which stands at *node*, into the members it goes down."""
    path = tuple(text.split("."))
    if text and (len(path) == 1 or "" in path or path[0] not in ROOTS):
        message = "must go down from properties., context. or traits., such as properties.order_id"
        node.refuse("bad_path", message)
    return path


def read_tests(members: MemberNodes) -> tuple[Comparison, ...]:
    """Read those of *members* that are tests."""
    return tuple(
        _read_comparison(members[operator], operator)
        for operator in OPERATORS
        if operator in members
    )


def _given(members: MemberNodes, name: str) -> list[Node]:
    return members[name].one_or_more() if name in members else []


def _read_where(node: Node) -> tuple[PathTests, ...]:
    return tuple(
        PathTests(split_path(tests, path), read_tests(tests.members((), OPERATORS)))
        for path, tests in node.entries()
    )


def _read_comparison(node: Node, operator: Operator) -> Comparison:
    operand = node.json()
    if operator == "in" and operand is not None:
        for item in node.items():
            _refuse_null(item)
    elif operand is None:
        _refuse_null(node)
    elif operator in {"gt", "gte", "lt", "lte"}:
        if not is_number(operand) and not isinstance(operand, str):
            node.refuse("wrong_type", "must be a number or a string")
    elif operator == "exists":
        node.boolean()
    elif operator == "prefix" and not isinstance(operand, str):
        node.refuse("wrong_type", "must be a string")
    return Comparison(operator, operand)


def _refuse_null(node: Node) -> None:
    if node.json() is None:
        node.refuse("wrong_type", "must not be null; use exists: false for a missing value")
