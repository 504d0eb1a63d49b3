"""A classifier in a process of its own, which feeds one partition of a shared crowd.

``python -m tests.integration.classifier.linking_child DATABASE_URL PARTITION SEED``
"""

import asyncio
import sys
from functools import partial
from random import Random

from shared.storage.engine import open_engine
from tests.fixtures.classification import Classifier
from tests.fixtures.crowds import batches, crowd, persistently


async def main(database_url: str, partition: int, seed: int) -> None:
    """Classify every second touchpoint of the crowd, in batches."""
    async with open_engine(database_url) as engine:
        classifier = Classifier(engine)
        for batch in batches(crowd(seed)[partition::2], Random(seed + partition)):
            await persistently(partial(classifier.feed, *batch, partition=partition))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
