"""Links and bars as answers carry them, from rows."""

from services.api.moments import moment_text
from services.api.readers.links import BarRow, LinkRow
from shared.touchpoints import JsonObject


def link_document(row: LinkRow) -> JsonObject:
    """Return a link; one that was made by hand has an actor and a reason, and no touchpoint."""
    by_hand = row.actor is not None
    return {
        "id": str(row.id),
        "a": f"{row.a_kind}:{row.a_value}",
        "b": f"{row.b_kind}:{row.b_value}",
        "at": moment_text(row.effective_at),
        "source": None if by_hand else row.source,
        "event_id": None if by_hand else row.event_id,
        "seen": row.seen,
        "refused": row.refused,
        "barred": row.barred,
        "reason": row.reason,
        "actor": row.actor,
    }


def bar_document(row: BarRow) -> JsonObject:
    """Return a bar in force."""
    return {
        "id": str(row.id),
        "a": f"{row.a_kind}:{row.a_value}",
        "b": f"{row.b_kind}:{row.b_value}",
        "at": moment_text(row.recorded_at),
        "reason": row.reason,
        "actor": row.actor,
    }
