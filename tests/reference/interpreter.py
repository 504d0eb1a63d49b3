"""A slow, plain interpreter of stage models: the second opinion on the engine.

No snapshots, no compiled rules, no state kept for windows: what the touchpoints so far say is
asked of the whole list of them, again and again. It assumes a model the loader accepts.
"""

from collections.abc import Iterable

from shared.instants import LATEST, Instant, rfc3339
from shared.touchpoints import Touchpoint
from tests.reference.documents import filled, version
from tests.reference.json_values import Document
from tests.reference.moves import Move
from tests.reference.walk import Walk


def interpret(
    document: Document, touchpoints: Iterable[Touchpoint], as_of: Instant, customer_id: str
) -> Document:
    """Return the journey of a customer as the JSON object of ``model trace``.

    Args:
        document: A valid stage model as parsed JSON, defaults not filled in.
        touchpoints: In any order; of one identity the first counts.
        as_of: The instant to read the journey at; later touchpoints are left out.
        customer_id: Goes into the ids of the transitions.

    Returns:
        The object without ``identifiers``. A next move after the year 9999, which no time can
        be written for, is null.
    """
    first_of: dict[tuple[str, str], Touchpoint] = {}
    for touchpoint in touchpoints:
        first_of.setdefault((touchpoint.source, touchpoint.event_id), touchpoint)
    walk = Walk(filled(document))
    for touchpoint in sorted(first_of.values(), key=lambda one: one.place):
        if touchpoint.at <= as_of:
            walk.apply(touchpoint)
    walk.advance(as_of)
    return _journey(walk, version(document), as_of, customer_id)


def _journey(walk: Walk, model_version: str, as_of: Instant, customer_id: str) -> Document:
    model, history, ahead = walk.model, walk.history(), walk.next_move()
    by_rank = [stage["key"] for stage in model["stages"] if stage["key"] in walk.reached]
    return {
        "customer_id": customer_id,
        "as_of": rfc3339(as_of),
        "model": model["key"],
        "version": model_version,
        "stage": _stage(walk),
        "activity": _activity(walk),
        "cycle": walk.cycle,
        "peak_stage": by_rank[-1] if by_rank else None,
        "next": _next(ahead) if ahead and ahead.at <= LATEST else None,
        "transitions": [move.document(model_version, customer_id) for move in walk.moves],
        "counts": {signal: len(history.live(signal)) for signal in model["signals"]},
        "scores": {key: round(history.score(key, as_of), 6) for key in model.get("scores", {})},
    }


def _stage(walk: Walk) -> Document | None:
    if walk.stage is None:
        return None
    rank = [stage["key"] for stage in walk.model["stages"]].index(walk.stage)
    stage = walk.model["stages"][rank]
    last = [move for move in walk.moves if move.axis == "stage"][-1]
    said = {name: stage[name] for name in ("key", "label", "role", "phase")}
    return {**said, "rank": rank, "since": rfc3339(last.at), "rule": last.rule}


def _activity(walk: Walk) -> Document | None:
    if walk.activity is None or walk.last_active is None:
        return None
    last = [move for move in walk.moves if move.axis == "activity"][-1]
    last_active_at = rfc3339(walk.last_active.at)
    return {"state": walk.activity, "since": rfc3339(last.at), "last_active_at": last_active_at}


def _next(move: Move) -> Document:
    return {"at": rfc3339(move.at), "axis": move.axis, "to": move.to, "rule": move.rule}
