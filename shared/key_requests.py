"""Requests for keys: what somebody wants a key for, checked before one is made."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.document_reading import is_storable
from shared.errors import Fault, Invalid
from shared.instants import Instant
from shared.keys import KeyKind, Scope

LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """A key that is wanted: of a source (a write key), or with scopes (a secret key).

    ``kind`` may be left out where one of the two tells it.
    """

    name: str | None = None
    kind: KeyKind | None = None
    source: str | None = None
    scopes: frozenset[Scope] = frozenset()
    expires_at: Instant | None = None

    def checked_kind(self) -> KeyKind:
        """Return the kind of key that this is about.

        Raises:
            Invalid: It is not clear, or a write key has scopes, or a secret key a source.
        """
        kind = self.kind or (KeyKind.WRITE if self.source is not None else KeyKind.SECRET)
        faults = [*_kind_faults(kind, self.source, self.scopes), *_name_faults(self.name)]
        if faults:
            told = "; ".join(f"{fault.path} {fault.message}" for fault in faults)
            raise Invalid(told, code="invalid_key", faults=faults)
        return kind


def parse_scopes(texts: Iterable[str]) -> frozenset[Scope]:
    """Read scopes by their names.

    Raises:
        Invalid: One is none.
    """
    named = list(texts)
    wrong = [text for text in named if text not in set(Scope)]
    if wrong:
        message = f"has {', '.join(wrong)}, but scopes are {', '.join(Scope)}"
        raise Invalid(f"scopes {message}", faults=[Fault("scopes", "invalid_value", message)])
    return frozenset(Scope(text) for text in named)


def _kind_faults(kind: KeyKind, source: str | None, scopes: frozenset[Scope]) -> list[Fault]:
    match kind:
        case KeyKind.WRITE if source is None:
            return [Fault("source", "missing", "must name the source of a write key")]
        case KeyKind.WRITE if scopes:
            return [Fault("scopes", "invalid_value", "must be left out: a write key has none")]
        case KeyKind.SECRET if source is not None:
            return [Fault("source", "invalid_value", "must be left out: a secret key has none")]
        case KeyKind.SECRET if not scopes:
            return [Fault("scopes", "missing", f"must be some of {', '.join(Scope)}")]
        case _:
            return []


def _name_faults(name: str | None) -> list[Fault]:
    if name is not None and not (1 <= len(name) <= LONGEST_NAME and is_storable(name)):
        return [Fault("name", "invalid_value", f"must be a text of 1-{LONGEST_NAME} characters")]
    return []
