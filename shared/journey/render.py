"""Journeys as the JSON objects that people and programs are given."""

from shared.instants import rfc3339
from shared.journey.deadlines import NextMove
from shared.journey.differing import Compared, Parting, Standing
from shared.journey.journeys import ActivityNow, Journey, StageNow
from shared.journey.model import StageModel
from shared.journey.moves import Move, TouchpointCause, cause_document, transition_id
from shared.journey.program import Program
from shared.touchpoints import JsonObject


def journey_document(journey: Journey, program: Program, customer_id: str) -> JsonObject:
    """Write a customer's whole journey; times are RFC 3339."""
    model = program.model
    return {
        "customer_id": customer_id,
        "as_of": rfc3339(journey.as_of),
        "model": model.key,
        "version": model.version,
        "stage": stage_document(journey.stage, model),
        "activity": activity_document(journey.activity),
        "cycle": journey.cycle,
        "peak_stage": journey.peak_stage,
        "next": next_document(journey.next),
        "transitions": [
            transition_document(move, model.version, customer_id) for move in journey.transitions
        ],
        "counts": dict(journey.counts),
        "scores": dict(journey.scores),
    }


def stage_document(stage: StageNow | None, model: StageModel) -> JsonObject | None:
    """Write the present stage as the model shows it."""
    if stage is None:
        return None
    shown = model.stage(stage.key)
    return {
        "key": shown.key,
        "label": shown.label,
        "role": shown.role,
        "phase": shown.phase,
        "rank": shown.rank,
        "since": rfc3339(stage.since),
        "rule": stage.rule,
    }


def activity_document(activity: ActivityNow | None) -> JsonObject | None:
    """Write the present activity."""
    if activity is None:
        return None
    return {
        "state": activity.state,
        "since": rfc3339(activity.since),
        "last_active_at": rfc3339(activity.last_active_at),
    }


def next_document(next_move: NextMove | None) -> JsonObject | None:
    """Write what comes if no touchpoint does."""
    return None if next_move is None else {**next_move._asdict(), "at": rfc3339(next_move.at)}


def transition_document(move: Move, version: str, customer_id: str) -> JsonObject:
    """Write one move of a customer under a model version."""
    return {"id": transition_id(version, customer_id, move), **move_document(move)}


def move_document(move: Move) -> JsonObject:
    """Write one move, without the id that it has for some customer."""
    return {
        "axis": move.axis,
        "kind": move.kind,
        "from": move.from_,
        "to": move.to,
        "at": rfc3339(move.at),
        "cycle": move.cycle,
        "rule": move.rule,
        "cause": cause_document(move.cause),
    }


def compared_document(compared: Compared) -> JsonObject:
    """Write what two models make of one customer, the one compared with as ``from``."""
    return {
        "from": _standing_document(compared.before),
        "to": _standing_document(compared.after),
        "first": None if compared.parting is None else _parting_document(compared.parting),
    }


def _standing_document(standing: Standing) -> JsonObject:
    return {"stage": standing.stage, "activity": standing.activity, "cycle": standing.cycle}


def _parting_document(parting: Parting) -> JsonObject:
    first = parting.first
    cause = first.cause
    named = cause if isinstance(cause, TouchpointCause) else cause.touchpoint
    return {
        "axis": first.axis,
        "at": rfc3339(first.at),
        "touchpoint": named and {"source": named.source, "event_id": named.event_id},
        "from": None if parting.before is None else move_document(parting.before),
        "to": None if parting.after is None else move_document(parting.after),
    }
