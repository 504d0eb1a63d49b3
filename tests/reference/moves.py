"""Moves of the reference interpreter, as the JSON objects they are published as."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import rfc8785

from shared.instants import Instant, rfc3339
from shared.touchpoints import Touchpoint
from tests.reference.json_values import Document


@dataclass(frozen=True)
class Move:
    """A change on one axis; ``cause`` is the JSON object of the specification."""

    axis: str
    kind: str
    from_: str | None
    to: str
    at: Instant
    cycle: int
    rule: str
    cause: Document

    def document(self, version: str, customer_id: str) -> Document:
        """Return the transition, with its id under a model and for a customer."""
        at = rfc3339(self.at)
        named = rfc8785.dumps(
            [
                version,
                customer_id,
                self.axis,
                self.cycle,
                self.from_,
                self.to,
                at,
                self.rule,
                _origin(self.cause),
            ]
        )
        return {
            "id": hashlib.sha256(named).hexdigest()[:32],
            "axis": self.axis,
            "kind": self.kind,
            "from": self.from_,
            "to": self.to,
            "at": at,
            "cycle": self.cycle,
            "rule": self.rule,
            "cause": self.cause,
        }


@dataclass(frozen=True)
class Deadline:
    """Something that happens at ``at`` if no touchpoint comes before it."""

    at: Instant
    axis: str
    to: str
    rule: str
    after: str
    base: str
    base_at: Instant
    touchpoint: Touchpoint | None
    when: Document | None = None

    def cause(self) -> Document:
        """Return the cause of the move this deadline makes."""
        given_by = self.touchpoint and _identity(self.touchpoint)
        said = {"base_at": rfc3339(self.base_at), "after": self.after, "base": self.base}
        return {"deadline": {**said, "touchpoint": given_by}}


def caused_by(touchpoint: Touchpoint, evidence: Sequence[Touchpoint]) -> Document:
    """Return the cause of a move that *touchpoint* decided."""
    listed = [{**_identity(proof), "at": rfc3339(proof.at)} for proof in evidence]
    return {"touchpoint": _identity(touchpoint), "evidence": listed}


def _identity(touchpoint: Touchpoint) -> Document:
    return {"source": touchpoint.source, "event_id": touchpoint.event_id}


def _origin(cause: Document) -> str:
    if "deadline" in cause:
        return str(cause["deadline"]["base_at"])
    return f"{cause['touchpoint']['source']}/{cause['touchpoint']['event_id']}"
