"""Which stage models look at a touchpoint type; pure."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from shared.catalogue.types import TouchpointType
from shared.journey.bundled import BUNDLED, bundled_model
from shared.journey.loading import read_model
from shared.journey.matchers import Matcher, Shape, compile_matcher
from shared.journey.model import StageModel


class Use(NamedTuple):
    """A signal that touchpoints of a type can match, perhaps only with certain properties."""

    model: str
    signal: str


@cache
def bundled_models() -> tuple[StageModel, ...]:
    """Return the stage models that come with the product."""
    return tuple(read_model(bundled_model(key)) for key in BUNDLED)


def uses_of(kind: TouchpointType, models: Iterable[StageModel]) -> Iterator[Use]:
    """Yield the signals that *kind* can match on one of its channels, in the models' order."""
    for model in models:
        for signal in model.signals:
            if any(verdict is not False for verdict in _verdicts(signal.match, kind)):
                yield Use(model.key, signal.key)


def models_ignoring(kind: TouchpointType, models: Iterable[StageModel]) -> Iterator[str]:
    """Yield the keys of the models to which *kind* is never a sign of life."""
    for model in models:
        ignore = model.activity.ignore
        if ignore is not None and all(verdict is True for verdict in _verdicts(ignore, kind)):
            yield model.key


def _verdicts(matcher: Matcher, kind: TouchpointType) -> Iterator[object]:
    """Yield True, False, or something else where properties decide, for each channel and name."""
    for name in kind.names:
        for channel in kind.channels:
            yield compile_matcher(matcher, Shape(name, channel, ""))
