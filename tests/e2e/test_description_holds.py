"""Requests that Schemathesis makes from our own OpenAPI, against the real product: no 5xx."""

import os
from typing import Any, Final, TypeAlias

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok

from tests.fixtures.product import Product

EXAMPLES: Final = 300 if "LONG_RUNS" in os.environ else 6
"""Of each operation; ``make test-full`` makes many."""

Operation: TypeAlias = schemathesis.APIOperation[Any, Any, Any, Any]
Case: TypeAlias = schemathesis.Case[Any]

ENDLESS: Final = {"/v1/stream"}
UNAVAILABLE: Final = 503
"""The only answer above 499 that is allowed: it says when to come again."""


def check(operation: Operation, key: str) -> None:
    """Make requests of one operation, right ones and wrong ones."""

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def hold(case: Case) -> None:
        for name in ("timeout", "wait_for"):  # nobody has to wait for what never comes
            case.query.pop(name, None)
        answer = case.call(headers={"Authorization": f"Bearer {key}"}, timeout=60)
        told = f"{answer.status_code} for {case.as_curl_command()}: {answer.text[:500]}"
        if answer.status_code == UNAVAILABLE:
            assert "retry-after" in answer.headers, told
        else:
            assert answer.status_code < 500, told

    hold()


@pytest.mark.filterwarnings("ignore")
def test_no_request_that_the_description_suggests_is_answered_with_an_error_of_ours(
    shared_product: Product,
) -> None:
    key = shared_product.credentials.secret_key
    schema = schemathesis.openapi.from_url(f"{shared_product.url}/openapi.json")
    checked = 0
    for result in schema.get_all_operations():
        operation = result.ok() if isinstance(result, Ok) else pytest.fail(str(result))
        if operation.path not in ENDLESS:
            check(operation, key)
            checked += 1
    assert checked > 50
    assert "a request failed" not in shared_product.said
