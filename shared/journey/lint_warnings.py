"""What a linter says of a model."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelWarning:
    """Something to look at again; ``path`` is the place in the document, ``code`` is stable."""

    path: str
    code: str
    message: str
