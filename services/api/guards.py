"""Who may ask: the key of a request, and the scopes that routes want."""

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

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


def allowed(*any_of: Scope) -> Dependency:
    """Return the dependency of routes that want a key with one of the scopes *any_of*."""

    async def guard(request: Request) -> Principal:
        return await admitted(request, *any_of)

    dependency: Dependency = Depends(guard)
    return dependency


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
