"""The product as processes, for the tests here alone."""

from tests.fixtures.commands import command
from tests.fixtures.product import (
    new_product,
    product,
    shared_product,
    stopped_product,
    used_folder,
)

__all__ = ["command", "new_product", "product", "shared_product", "stopped_product", "used_folder"]
