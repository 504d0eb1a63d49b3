"""Running a model's examples."""

from shared.journey.model import StageModel


def check_examples(model: StageModel) -> None:
    """Run the examples of *model*."""
    del model
