"""The identity policy: which kinds are trusted, how many values a customer has, what never links.

A policy is data, one for the deployment. How its document looks stands in ``policy_documents.py``.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from shared.identity.globs import Glob
from shared.touchpoints import Identifier

ANY_KIND: Final = "*"

Rank: TypeAlias = tuple[int, str]
"""Sorts kinds by trust, the most trusted first."""


@dataclass(frozen=True, slots=True)
class KindRule:
    """A kind the policy lists; ``limit`` is how many values of it a customer may have.

    A kind with ``unique: true`` has the limit 1; None means any number.
    """

    kind: str
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class BlockRule:
    """Values that are no one's identifier, of one kind or of every kind (ANY_KIND).

    Values and patterns of a kind are compared with normalised values as they stand. Those of
    every kind are compared without regard to case: a placeholder such as ``null`` comes in all
    spellings, whereas a user id may differ from another in its case alone.
    """

    kind: str
    values: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Blocked:
    """The block rules of one kind, ready to compare."""

    values: frozenset[str]
    globs: tuple[Glob, ...]

    def covers(self, value: str) -> bool:
        return value in self.values or (
            bool(self.globs) and any(glob.matches(value) for glob in self.globs)
        )


_NOTHING: Final = _Blocked(frozenset(), ())


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that has been checked; ``kinds`` stand in order of trust.

    Values and patterns in ``blocked`` are normalised, those of ANY_KIND in lower case.
    """

    kinds: tuple[KindRule, ...]
    blocked: tuple[BlockRule, ...] = ()
    limits: dict[str, int] = field(init=False, repr=False, compare=False)
    """How many values of a kind a customer may have, for the kinds that have a limit."""
    _ranks: dict[str, Rank] = field(init=False, repr=False, compare=False)
    _blocked_of: dict[str, _Blocked] = field(init=False, repr=False, compare=False)
    _blocked_of_any: _Blocked = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        limits = {rule.kind: rule.limit for rule in self.kinds if rule.limit is not None}
        blocked_of = {kind: _gathered(kind, self.blocked) for kind in _kinds_in(self.blocked)}
        object.__setattr__(self, "limits", limits)
        object.__setattr__(
            self, "_ranks", {rule.kind: (place, "") for place, rule in enumerate(self.kinds)}
        )
        object.__setattr__(self, "_blocked_of_any", blocked_of.pop(ANY_KIND, _NOTHING))
        object.__setattr__(self, "_blocked_of", blocked_of)

    def rank(self, kind: str) -> Rank:
        """Return where *kind* stands in trust; kinds not listed come last, by name."""
        return self._ranks.get(kind) or (len(self.kinds), kind)

    def trust(self, identifier: Identifier) -> tuple[Rank, str]:
        """Return the sort key of identifiers: by trust in their kind, then by value."""
        return self.rank(identifier.kind), identifier.value

    def rank_unless_blocked(self, kind: str, value: str) -> Rank | None:
        """Return where *kind* stands in trust; None if *value*, normalised, is blocked.

        It is ``blocks`` and ``rank`` in one, for every identifier of every touchpoint.
        """
        of_kind = self._blocked_of.get(kind)
        if of_kind is not None and of_kind.covers(value):
            return None
        if self._blocked_of_any.covers(value.lower()):
            return None
        return self._ranks.get(kind) or (len(self.kinds), kind)

    def blocks(self, identifier: Identifier) -> bool:
        """Tell whether *identifier*, normalised, is blocked and never links."""
        return self.rank_unless_blocked(*identifier) is None


def _kinds_in(rules: tuple[BlockRule, ...]) -> list[str]:
    return sorted({rule.kind for rule in rules})


def _gathered(kind: str, rules: tuple[BlockRule, ...]) -> _Blocked:
    mine = [rule for rule in rules if rule.kind == kind]
    return _Blocked(
        frozenset(value for rule in mine for value in rule.values),
        tuple(Glob.parse(pattern) for rule in mine for pattern in rule.patterns),
    )
