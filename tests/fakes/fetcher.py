"""A fetcher that knows all documents there are."""

from collections.abc import Mapping

from shared.errors import Unreachable


class InMemoryFetcher:
    """Has exactly *documents*, by address; ``asked`` lists what was asked for, in order."""

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self.documents = dict(documents)
        self.asked: list[str] = []

    async def fetch(self, address: str) -> bytes:
        """Return the document at *address*, or raise Unreachable."""
        self.asked.append(address)
        if address not in self.documents:
            raise Unreachable(f"{address} cannot be reached")
        return self.documents[address]
