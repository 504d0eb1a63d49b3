"""Files of touchpoints for ``model trace``: each line judged as ingest would, then linked."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from services.classifier.reading import arrival_of
from services.cli.rows import open_rows
from shared.acceptance.items import accept
from shared.acceptance.terms import Terms
from shared.errors import Fault, Invalid, JourneylineError
from shared.files.row import Row
from shared.identity.components import resolve
from shared.identity.links import Link, links_of
from shared.identity.policy import Policy
from shared.instants import Instant, parse_rfc3339
from shared.journey.tracing import TracedCustomer
from shared.records import TouchpointRecord
from shared.sources import NAME, Source
from shared.touchpoints import Channel, Identifier, JsonObject, Touchpoint

DEFAULT_SOURCE: Final = "file"


class BadLine(JourneylineError):
    """A line of a file that is no touchpoint."""


@dataclass(slots=True)
class _Read:
    """What has been read of a file so far."""

    touchpoints: dict[Identifier, list[Touchpoint]] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    alone: set[Identifier] = field(default_factory=set)
    seen: set[tuple[str, str]] = field(default_factory=set)
    repeats: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often the content behind a derived id came so far; equal rows of a file are two."""

    def add(self, record: TouchpointRecord, policy: Policy) -> None:
        """Take in one touchpoint; a repeated identity changes nothing."""
        identity = (record.sender, record.id)
        if identity in self.seen:
            return
        self.seen.add(identity)
        arrival = arrival_of(0, record)
        identifiers, touchpoint = arrival.identifiers, arrival.touchpoint
        self.touchpoints.setdefault(identifiers[0], []).append(touchpoint)
        self.alone.update(identifiers)
        if record.data.links:
            self.links += links_of(identifiers, touchpoint.place, policy)


def read_customers(path: Path, policy: Policy) -> list[TracedCustomer]:
    """Return the customers that the touchpoints of *path* belong to.

    Raises:
        BadLine: a line is no valid touchpoint; names the line and what would be right.
    """
    read = _Read()
    with open_rows(path, identify=False) as rows:
        for row in rows:
            if not isinstance(row, Row):
                raise BadLine(f"{path}, line {row.line}: {row.why}")
            try:
                read.add(_accept(row.item, policy, read.repeats), policy)
            except Invalid as error:
                raise BadLine(
                    f"{path}, line {row.line}: {error.message}", faults=error.faults
                ) from error
    return list(_customers(read, policy))


def _accept(
    item: JsonObject, policy: Policy, repeats: dict[tuple[str, str], int]
) -> TouchpointRecord:
    given = dict(item)
    name = given.pop("source", None)
    received = given.pop("received_at", None)
    source = DEFAULT_SOURCE if name is None else name
    if not isinstance(source, str) or not NAME.fullmatch(source):
        raise _invalid("source", "must be the name of a source, such as web or till-7")
    occurred_at = _time(given, "occurred_at")
    if occurred_at is None:
        raise _invalid("occurred_at", "is required in a file to trace")
    sent_at = _time(given, "sent_at")
    received_at = _time({"received_at": received}, "received_at")
    if received_at is None:
        received_at = occurred_at if sent_at is None else sent_at
    terms = Terms(Source(source, Channel.WEB), policy, received_at, lambda: UUID(int=0))
    record = accept(given, terms)
    if given.get("event_id"):
        return record
    ordinal = repeats.get((source, record.id), 0)
    repeats[source, record.id] = ordinal + 1
    return accept(given, terms, ordinal=ordinal) if ordinal else record


def _time(given: JsonObject, name: str) -> Instant | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _invalid(name, "must be an RFC 3339 time as text")
    try:
        return parse_rfc3339(value)
    except ValueError as error:
        raise _invalid(name, str(error)) from error


def _invalid(path: str, message: str) -> Invalid:
    return Invalid(f"{path} {message}", faults=[Fault(path, "invalid", message)])


def _customers(read: _Read, policy: Policy) -> Iterator[TracedCustomer]:
    for customer in resolve(read.links, frozenset(), policy, alone=read.alone).customers:
        touchpoints = [
            touchpoint
            for identifier in sorted(customer.identifiers)
            for touchpoint in read.touchpoints.get(identifier, ())
        ]
        yield TracedCustomer(str(customer.id), tuple(customer.identifiers), touchpoints)
