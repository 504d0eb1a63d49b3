"""A request that posts, while it is being answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.types import Receive
from starlette.types import Scope as AsgiScope

from shared.sources import Source


@dataclass(slots=True)
class Posting:
    """A request that posts; ``source`` is set as soon as it is known whose it is.

    Of a header that stands there twice, ``headers`` has the first.
    """

    scope: AsgiScope
    receive: Receive
    headers: Mapping[bytes, bytes] = field(init=False)
    source: Source | None = None

    def __post_init__(self) -> None:
        self.headers = dict(reversed(self.scope["headers"]))

    @property
    def origin(self) -> str | None:
        """The page that posts, as browsers say it; None if it is no page."""
        return self._text(b"origin")

    @property
    def host(self) -> str | None:
        """The server that the sender meant."""
        return self._text(b"host")

    def _text(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")
