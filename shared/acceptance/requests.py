"""A whole request into log records; pure."""

from collections.abc import Iterator

from shared.acceptance.bodies import Sent
from shared.acceptance.faults import refusal
from shared.acceptance.items import judge, reject
from shared.acceptance.reasons import Reason
from shared.acceptance.terms import Terms
from shared.acceptance.values import BadJsonError
from shared.errors import Fault, Unreadable
from shared.records import Record


def judge_all(sent: Sent, terms: Terms) -> Iterator[Record]:
    """Judge the items of a request one by one, in order.

    Raises:
        Unreadable: An item is not JSON, and it is no line of its own; code ``bad_json``. What
            was judged before is void, as the whole request is.
    """
    for index, raw in enumerate(sent.items):
        try:
            yield judge(raw, terms)
        except BadJsonError as error:
            if not sent.as_lines:
                message = f"Item {index} is not JSON: {error}."
                raise Unreadable(message, code=Reason.BAD_JSON) from None
            faults = [Fault("", Reason.BAD_JSON, f"must be JSON: {error}")]
            yield reject(raw, refusal(faults), terms)
