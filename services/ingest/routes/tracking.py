"""What all routes have in common that pages and SDKs post to: CORS, and problems with CORS."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from services.ingest.cross_origin import answer_preflight, cross_origin_headers
from services.ingest.posting import Posting
from shared.errors import JourneylineError
from shared.http.asgi import by_method, request_id, respond
from shared.http.problems import Answer, problem

AnswerPosting: TypeAlias = Callable[[Posting], Awaitable[Answer]]
"""Answers a request, or raises an error of ``shared/errors.py``."""


def tracking_endpoint(answer_posting: AnswerPosting, *, method: str = "POST") -> ASGIApp:
    """Return the endpoint of a path that takes *method*, and OPTIONS without a key.

    Every answer that is made here, errors included, can be read by the page that posted.
    """

    async def answer_page(scope: AsgiScope, receive: Receive, send: Send) -> None:
        posting = Posting(scope, receive)
        try:
            answer = await answer_posting(posting)
        except JourneylineError as error:
            answer = problem(error, request_id(scope))
        headers = [*answer.headers, *cross_origin_headers(posting.origin, posting.source)]
        await respond(send, answer.status, answer.body, headers)

    return by_method({method: answer_page, "OPTIONS": answer_preflight})
