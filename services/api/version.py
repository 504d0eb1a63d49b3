"""Which version of the product answers."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("journeyline")
