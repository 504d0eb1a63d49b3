"""Who may ask: the key of a request, and the scopes that routes want."""

from dataclasses import dataclass

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute

from services.api.resources import resources_of
from shared.keys import Principal, Scope, presented_key


async def authenticated(request: Request) -> Principal:
    """Return whose key *request* presents.

    Raises:
        Unauthorized: there is no such key in force, or none was presented.
        Forbidden: a page of another origin presents a secret key.
    """
    headers = dict(request.scope["headers"])
    presented = presented_key(headers.get(b"authorization"), headers.get(b"x-write-key"))
    principal = await resources_of(request).directory.authenticate(presented)
    principal.refuse_foreign_page(
        origin=request.headers.get("origin"), host=request.headers.get("host")
    )
    return principal


@dataclass(frozen=True, slots=True)
class Guard:
    """The dependency of a route that wants a key with one of the scopes ``any_of``."""

    any_of: tuple[Scope, ...]

    async def __call__(self, request: Request) -> Principal:
        """Return whose key *request* presents; raises what ``admitted`` raises."""
        return await admitted(request, *self.any_of)


def allowed(*any_of: Scope) -> Dependency:
    """Return the dependency of routes that want a key with one of the scopes *any_of*."""
    dependency: Dependency = Depends(Guard(any_of))
    return dependency


async def ask_guards(request: Request) -> None:
    """Ask the guards of the route that *request* went to; for one that did not get as far.

    Raises:
        JourneylineError: a guard refuses the request.
    """
    route = request.scope.get("route")
    if isinstance(route, APIRoute):
        for dependency in route.dependant.dependencies:
            if isinstance(dependency.call, Guard):
                await dependency.call(request)


async def admitted(request: Request, *any_of: Scope) -> Principal:
    """Return whose key *request* presents, which has one of the scopes *any_of*.

    The request counts for the rate of that key, and is noted in the trail of reads.

    Raises:
        Unauthorized: there is no such key in force, or none was presented.
        TooManyRequests: the key is over its rate.
        Forbidden: it has none of the scopes, or a page of another origin presents it.
    """
    principal = await authenticated(request)
    resources = resources_of(request)
    resources.rates.take(principal.key_id, request.scope)
    principal.require(*any_of)
    resources.background.trail.note(principal, request)
    return principal


CUSTOMERS_READ = allowed(Scope.CUSTOMERS_READ)
CUSTOMERS_ERASE = allowed(Scope.CUSTOMERS_ERASE)
ERASURES_READ = allowed(Scope.CUSTOMERS_READ, Scope.CUSTOMERS_ERASE)
MODELS_READ = allowed(Scope.CUSTOMERS_READ, Scope.MODELS_WRITE)
MODELS_WRITE = allowed(Scope.MODELS_WRITE)
QUARANTINE_WRITE = allowed(Scope.QUARANTINE_WRITE)
QUARANTINE_READ = allowed(Scope.CUSTOMERS_READ, Scope.QUARANTINE_WRITE)
POLICY_READ = allowed(Scope.CUSTOMERS_READ, Scope.ADMIN)
ADMIN = allowed(Scope.ADMIN)
