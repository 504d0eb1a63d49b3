"""Stages, as rows of reports name them."""

from shared.journey.model import Stage, StageModel
from shared.touchpoints import JsonObject


def stage_members(stage: Stage) -> JsonObject:
    """Return what a row about *stage* begins with."""
    return {
        "stage": stage.key,
        "label": stage.label,
        "role": stage.role,
        "phase": stage.phase,
        "rank": stage.rank,
    }


def rank_in(model: StageModel, key: str | None) -> int:
    """Return the rank of the stage *key*; -1 for no stage, so that it comes first."""
    return -1 if key is None else model.stage(key).rank
