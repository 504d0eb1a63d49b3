"""Identity policies as documents: reading and checking them, and the one that is built in."""

from functools import lru_cache
from importlib.resources import files

from shared.identity.policy import KindRule, Policy
from shared.identity.policy_checking import FORMAT, Checking
from shared.identity.policy_text import plain_value
from shared.touchpoints import JsonObject, JsonValue


@lru_cache(1)
def default_policy() -> Policy:
    """Return the policy of a deployment that has not been given its own."""
    folder = files("shared.identity") / "policies"
    return read_policy((folder / "default.yaml").read_bytes())


def read_policy(document: str | bytes) -> Policy:
    """Read a policy in YAML or JSON.

    Raises:
        PolicyRefused: The text cannot be read, or ``faults`` name all that is wrong in it.
    """
    return policy_of(plain_value(document))


def policy_of(document: JsonValue) -> Policy:
    """Check a policy that has been parsed already.

    Raises:
        PolicyRefused: ``faults`` name all that is wrong in it, each with its path.
    """
    return Checking().policy(document)


def document_of(policy: Policy) -> JsonObject:
    """Return the document of *policy*; ``policy_of`` reads it back as an equal policy."""
    return {
        "format": FORMAT,
        "kinds": [_kind_document(rule) for rule in policy.kinds],
        "blocked": [
            {"kind": rule.kind, "values": list(rule.values), "patterns": list(rule.patterns)}
            for rule in policy.blocked
        ],
    }


def _kind_document(rule: KindRule) -> JsonObject:
    if rule.limit is None:
        return {"kind": rule.kind}
    if rule.limit == 1:
        return {"kind": rule.kind, "unique": True}
    return {"kind": rule.kind, "max_per_customer": rule.limit}
