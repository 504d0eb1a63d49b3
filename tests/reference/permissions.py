"""What the rules of a model allow: from where to where each of them may move."""

from collections.abc import Iterator
from typing import NamedTuple

from tests.reference.json_values import Document


class Permission(NamedTuple):
    """A move that a rule may make, by a touchpoint or else by a deadline."""

    rule: str
    by: str
    from_: str | None
    to: str


def permissions(document: Document) -> set[Permission]:
    """Return all that the rules of the model *document*, and the fold itself, may do."""
    waking = [Permission("sign_of_life", "touchpoint", one, "active") for one in _NOT_ACTIVE]
    return {
        *waking,
        Permission("dormant_after", "deadline", "active", "dormant"),
        Permission("churned_after", "deadline", "dormant", "churned"),
        Permission("start", "touchpoint", None, document["start"]),
        *_entering(document),
        *_leaving(document),
        *_restarting(document),
    }


_NOT_ACTIVE = (None, "dormant", "churned")


def _lasting(stages: list[Document]) -> list[str]:
    return [stage["key"] for stage in stages if not stage.get("terminal")]


def _entering(document: Document) -> Iterator[Permission]:
    for rank, stage in enumerate(document["stages"]):
        usual = ["none", *_lasting(document["stages"][:rank])]
        for rule in stage.get("enter", []):
            for source in rule.get("from", usual):
                from_ = None if source == "none" else source
                if from_ != stage["key"]:
                    yield Permission(rule["rule"], "touchpoint", from_, stage["key"])


def _leaving(document: Document) -> Iterator[Permission]:
    for stage in document["stages"]:
        for rule in stage.get("leave", []):
            yield Permission(rule["rule"], "deadline", stage["key"], rule["to"])


def _restarting(document: Document) -> Iterator[Permission]:
    for rule in document.get("cycle", {}).get("restart", []):
        for source in rule.get("from", _lasting(document["stages"])):
            yield Permission(rule["rule"], "touchpoint", source, rule["to"])
