"""The stage models that come with the product."""

from importlib.resources import files
from typing import Final

BUNDLED: Final = tuple(
    sorted(
        entry.name.removesuffix(".yaml")
        for entry in files("shared.journey").joinpath("models").iterdir()
        if entry.name.endswith(".yaml")
    )
)
"""The keys of the bundled models."""


def bundled_model(key: str) -> str:
    """Return the document of the bundled model *key*.

    Raises:
        KeyError: there is none.
    """
    if key not in BUNDLED:
        raise KeyError(key)
    return files("shared.journey").joinpath("models", f"{key}.yaml").read_text("utf-8")
