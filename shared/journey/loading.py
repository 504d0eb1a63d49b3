"""The one way from a document to a stage model."""

from shared.journey.model import StageModel
from shared.journey.reading.checks import check_model
from shared.journey.reading.document import read_document
from shared.journey.reading.text import read_text
from shared.journey.trials import check_examples


def load_model(document: str | bytes) -> StageModel:
    """Load a stage model from YAML 1.2 or JSON and run its examples.

    Raises:
        ModelRefused: ``faults`` name everything wrong that could be found at once: first the
            text, then the shape and unknown names, then rules against each other, then examples.
    """
    model = read_model(document)
    check_examples(model)
    return model


def read_model(document: str | bytes) -> StageModel:
    """Load a stage model without running its examples; it has passed before, or will.

    Raises:
        ModelRefused: As ``load_model``, examples apart.
    """
    model = read_document(read_text(document))
    check_model(model)
    return model
