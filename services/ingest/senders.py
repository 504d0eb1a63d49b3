"""Who posts: the key of a request, and the source that its touchpoints belong to."""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import parse_qsl

from services.ingest.posting import Posting
from shared.errors import Fault, Forbidden, NotFound, Unreadable
from shared.identity.policy import Policy
from shared.keys import KeyKind, Principal, Scope, presented_key
from shared.sources import API_SOURCE, Source


class Directory(Protocol):
    """Knows keys, sources and the identity policy without asking a database each time."""

    @property
    def policy(self) -> Policy:
        """The identity policy.

        Raises:
            DatabaseUnavailable: Nothing has been read yet.
        """
        ...

    async def authenticate(self, presented: str | None) -> Principal:
        """Return the holder of *presented*.

        Raises:
            Unauthorized: There is no such key in force, or none was presented.
            DatabaseUnavailable: Nobody can tell.
        """
        ...

    async def find_source(self, name: str) -> Source | None:
        """Return the source *name*; None if there is none.

        Raises:
            DatabaseUnavailable: Nobody can tell.
        """
        ...

    async def check(self) -> str | None:
        """Return None if keys can be told apart, else a sentence that says why not."""
        ...


async def authenticated(posting: Posting, directory: Directory, *further: str | None) -> Principal:
    """Return who posts, by the key in the headers.

    Args:
        posting: The request.
        directory: Knows the keys.
        further: Keys from elsewhere in the request, which count where the headers have none.

    Raises:
        Unauthorized: There is no such key in force, or none was presented.
        Forbidden: The key may not post, or it is a secret key in somebody's browser.
        DatabaseUnavailable: Nobody can tell.
    """
    principal = await holder_of_key(posting, directory, *further)
    principal.require(Scope.TOUCHPOINTS_WRITE)
    return principal


async def holder_of_key(posting: Posting, directory: Directory, *further: str | None) -> Principal:
    """Return whose key a request presents; what it may is another question.

    Raises:
        Unauthorized: There is no such key in force, or none was presented.
        Forbidden: It is a secret key in somebody's browser.
        DatabaseUnavailable: Nobody can tell.
    """
    headers = posting.headers
    presented = presented_key(headers.get(b"authorization"), headers.get(b"x-write-key"), *further)
    principal = await directory.authenticate(presented)
    principal.refuse_foreign_page(origin=posting.origin, host=posting.host)
    return principal


async def source_of(principal: Principal, named: str | None, directory: Directory) -> Source:
    """Return the source that a request posts for.

    Args:
        principal: Who posts. A write key posts for its own source, a secret key for any.
        named: The ``source`` parameter.
        directory: Knows the sources.

    Raises:
        Forbidden: A write key names another source; code ``wrong_source``.
        NotFound: There is no such source.
        DatabaseUnavailable: Nobody can tell.
    """
    if principal.kind is KeyKind.WRITE and named not in (None, principal.source):
        raise Forbidden(
            f"this write key posts for the source {principal.source} only", code="wrong_source"
        )
    name = principal.source or named or API_SOURCE.name
    source = await directory.find_source(name)
    if source is None:
        message = f"there is no source named {name}; POST /v1/sources makes one"
        raise NotFound(message, faults=[Fault("source", "not_found", message)])
    return source


async def identify(
    posting: Posting, directory: Directory, named: str | None, *further: str | None
) -> Source:
    """Note at a request whose touchpoints it brings, and return that source.

    Args:
        posting: The request.
        directory: Knows keys and sources.
        named: The ``source`` parameter.
        further: Keys from elsewhere in the request, which count where the headers have none.

    Raises:
        Unauthorized: There is no such key in force, or none was presented.
        Forbidden: The key, or the page, may not post.
        NotFound: There is no such source.
        DatabaseUnavailable: Nobody can tell.
    """
    principal = await authenticated(posting, directory, *further)
    posting.source = source = await source_of(principal, named, directory)
    check_origin(posting.origin, source)
    return source


def check_origin(origin: str | None, source: Source) -> None:
    """Check that a page which posts may do so.

    Raises:
        Forbidden: The source lists the origins of its pages, and this is none of them; code
            ``origin_not_allowed``.
    """
    if origin is not None and not source.settings.allows_origin(origin):
        raise Forbidden(
            f"pages of {origin} may not post for the source {source.name}: its allowed_origins "
            "do not list them",
            code="origin_not_allowed",
        )


def tracking_parameter(query: bytes, name: str) -> str | None:
    """Return the first parameter *name* of a tracking route, which ignores all others."""
    if not query:
        return None
    return dict(reversed(parse_qsl(query.decode("latin-1")))).get(name)


def source_parameter(query: bytes) -> str | None:
    """Return the ``source`` parameter of a query string, the only one that the native route has.

    Raises:
        Unreadable: There are others, or two of it; code ``bad_parameter``.
    """
    return parameters_of(query, "source").get("source")


def parameters_of(query: bytes, *known: str) -> Mapping[str, str]:
    """Return the parameters of a query string, each of which is among those *known*.

    Raises:
        Unreadable: There are others, or two of one; code ``bad_parameter``.
    """
    found: dict[str, str] = {}
    if not query:
        return found
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            raise bad_parameter(name, "is no parameter of this path")
        if name in found:
            raise bad_parameter(name, "may stand there once")
        found[name] = value
    return found


def bad_parameter(name: str, message: str) -> Unreadable:
    """Return the error for a parameter that is wrong; *message* says what would be right."""
    fault = Fault(name, "bad_parameter", message)
    return Unreadable(f"{name} {message}", code="bad_parameter", faults=[fault])
