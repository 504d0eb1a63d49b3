"""What adapters read, into log records: the same judgement for every wire format; pure."""

from collections.abc import Iterable, Iterator
from typing import Final, assert_never

import msgspec

from services.ingest.channels.contract import Document, Ignored, Read, Refused
from shared.acceptance.faults import refusal
from shared.acceptance.items import accept, reject
from shared.acceptance.limits import ITEM_BYTES
from shared.acceptance.native import Given
from shared.acceptance.reasons import Reason
from shared.acceptance.terms import Terms
from shared.errors import Fault, Invalid
from shared.records import Record
from shared.touchpoints import JsonObject

_encoder: Final = msgspec.json.Encoder()


def judge_reads(reads: Iterable[Read], terms: Terms) -> Iterator[Record | Ignored]:
    """Judge items one by one, in order; what is ignored comes out as it is.

    Raises:
        JourneylineError: What the adapter raises; whatever was judged before is void.
    """
    for read in reads:
        match read:
            case Document():
                yield _judged(read, terms)
            case Refused():
                yield _refused(read, terms)
            case Ignored():
                yield read
            case _:
                assert_never(read)


def _judged(document: Document, terms: Terms) -> Record:
    try:
        record = accept(document.item, terms)
        if len(document.raw) > ITEM_BYTES:
            _check_size(document.item)
    except Invalid as error:
        native = _native_of(document)
        return reject(document.raw, error, terms, event_id=_event_id_of(document), item=native)
    else:
        return record


def _native_of(document: Document) -> bytes | None:
    """Return a refused item in the native form; None where it cannot even be written as JSON."""
    item = document.item
    given = msgspec.structs.asdict(item) if isinstance(item, Given) else item
    try:
        return _encoder.encode({name: value for name, value in given.items() if value is not None})
    except (TypeError, ValueError, RecursionError):
        return None


def _check_size(item: JsonObject | Given) -> None:
    """Check an item that came out of something large: only what is kept of it has a limit.

    A vendor's payload may be far larger than the touchpoint that is in it.
    """
    if len(_encoder.encode(item)) > ITEM_BYTES:
        fault = Fault("", Reason.ITEM_TOO_LARGE, f"must be at most {ITEM_BYTES} bytes")
        raise refusal([fault])


def _event_id_of(document: Document) -> str | None:
    item = document.item
    event_id = item.event_id if isinstance(item, Given) else item.get("event_id")
    return event_id if isinstance(event_id, str) else None


def _refused(read: Refused, terms: Terms) -> Record:
    faults = [Fault(read.path, read.code, read.message)]
    error = Invalid(read.message, code=read.code, faults=faults)
    return reject(read.raw, error, terms, event_id=read.event_id)
