"""What the contract tests of the API share."""

from collections.abc import AsyncIterator

import pytest

from tests.fixtures.classified_api import Classified, classified_api
from tests.fixtures.served_api import Served, served_api


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    """The API over a database of this test's own."""
    async with served_api(database_url) as api:
        yield api


@pytest.fixture
async def classified(database_url: str) -> AsyncIterator[Classified]:
    """The API over what a classifier has stored, in a database of this test's own."""
    async with classified_api(database_url) as api:
        yield api
