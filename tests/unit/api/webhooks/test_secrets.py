"""Secrets and signatures, checked by libraries that are not ours."""

from types import ModuleType
from uuid import UUID

import pytest
import standardwebhooks
import svix

from services.api.webhooks.secrets import OVERLAP, secret_of, signatures, signing_generations
from shared.clock import wall_clock
from shared.instants import HOUR, SECOND

HOOK = UUID(int=7)
BODY = '{"type":"journey.transition","data":{"name":"Zoë"}}'.encode()


def headers(message_id: str, signature: str, now: int) -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now // SECOND),
        "webhook-signature": signature,
    }


@pytest.mark.parametrize("library", [standardwebhooks, svix], ids=["standardwebhooks", "svix"])
def test_libraries_of_others_accept_either_secret_and_no_other(library: ModuleType) -> None:
    now = wall_clock()
    old, new, other = (secret_of(b"pepper", HOOK, generation) for generation in range(3))
    sent = headers("m.1", signatures([new, old], "m.1", now, BODY), now)
    for secret in (old, new):
        library.Webhook(secret).verify(BODY, sent)
    for wrong_secret, body in ((other, BODY), (new, BODY.replace(b"Zo", b"zo"))):
        with pytest.raises(Exception, match="signature"):
            library.Webhook(wrong_secret).verify(body, sent)


def test_secrets_differ_by_endpoint_generation_and_pepper() -> None:
    secrets = {
        secret_of(pepper, UUID(int=hook), generation)
        for pepper in (b"one", b"other")
        for hook in range(3)
        for generation in range(3)
    }
    assert len(secrets) == 18
    assert all(secret.startswith("whsec_") and len(secret) == 50 for secret in secrets)


def test_a_secret_signs_for_a_day_after_the_next_one_came() -> None:
    assert signing_generations([], 0) == [0]
    assert signing_generations([0], OVERLAP - 1) == [1, 0]
    assert signing_generations([0], OVERLAP) == [1]
    assert signing_generations([0, HOUR], 2 * HOUR) == [2, 1, 0]
    assert signing_generations([0, HOUR], OVERLAP) == [2, 1]
