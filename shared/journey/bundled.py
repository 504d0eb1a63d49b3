"""The models that come with the product."""

from importlib.resources import files
from typing import Final

BUNDLED: Final = ("default", "five-stage", "b2b", "subscription")


def bundled_model(key: str) -> str:
    """Return the document of the bundled model with that key, as YAML.

    Raises:
        KeyError: There is none.
    """
    if key not in BUNDLED:
        raise KeyError(key)
    return (files("shared.journey") / "models" / f"{key}.yaml").read_text(encoding="utf-8")
