"""What the integration tests of the API share."""

from collections.abc import AsyncIterator

import pytest

from tests.fixtures.hooked import Hooked
from tests.fixtures.receivers import receiver
from tests.fixtures.served_api import served_api


@pytest.fixture
async def hooked(database_url: str) -> AsyncIterator[Hooked]:
    async with served_api(database_url) as api, receiver() as to:
        yield Hooked(api, to)
