"""What the contract tests of the API share."""

from collections.abc import AsyncIterator

import pytest

from tests.fixtures.served_api import Served, served_api


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    """The API over a database of this test's own."""
    async with served_api(database_url) as api:
        yield api
