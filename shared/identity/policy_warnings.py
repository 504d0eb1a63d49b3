"""What is odd about a policy that may be used all the same."""

from collections.abc import Iterator

from shared.errors import Fault
from shared.identity.globs import WILDCARD
from shared.identity.normalisation import PHONE, normalise
from shared.identity.policy import ANY_KIND, BlockRule, Policy


def warnings_of(policy: Policy) -> tuple[Fault, ...]:
    """Return what in *policy* is probably not meant, in the order of its document."""
    return tuple(_warnings(policy))


def _warnings(policy: Policy) -> Iterator[Fault]:
    if 1 not in policy.limits.values():
        message = "lists no unique kind, so nothing keeps two persons apart"
        yield Fault("kinds", "no_unique_kind", message)
    listed = {rule.kind for rule in policy.kinds} | {ANY_KIND}
    for index, rule in enumerate(policy.blocked):
        path = f"blocked[{index}]"
        if rule.kind not in listed:
            message = f"blocks values of {rule.kind}, which is not listed under kinds"
            yield Fault(f"{path}.kind", "unlisted_kind", message)
        yield from _value_warnings(rule, path)
        yield from _pattern_warnings(rule, path)


def _value_warnings(rule: BlockRule, path: str) -> Iterator[Fault]:
    for index, value in enumerate(rule.values):
        place = f"{path}.values[{index}]"
        if WILDCARD in value:
            message = "holds a *, which stands for itself here; a pattern belongs in patterns"
            yield Fault(place, "wildcard_in_value", message)
        elif rule.kind == PHONE and normalise(PHONE, value, phone_region=None).flags:
            message = "is no E.164 number, so it blocks only numbers that could not be read either"
            yield Fault(place, "phone_not_normalised", message)


def _pattern_warnings(rule: BlockRule, path: str) -> Iterator[Fault]:
    for index, pattern in enumerate(rule.patterns):
        if not pattern.strip(WILDCARD):
            kinds = "every kind" if rule.kind == ANY_KIND else rule.kind
            message = f"blocks all values of {kinds}"
            yield Fault(f"{path}.patterns[{index}]", "blocks_all", message)
