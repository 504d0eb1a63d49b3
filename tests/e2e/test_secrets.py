"""The canary of secrets: none is in an error's answer, nor in what the processes write."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import msgspec
import pytest

from services.cli.connection import Credentials
from tests.fixtures.processes import within
from tests.fixtures.product import Product
from tests.fixtures.services import Deployment

HOOK: Final = "canary-hook-4b1d"
PASSWORD: Final = "canary-password-9c2e"
PEPPER: Final = "canary-pepper-77a0-of-a-deployment"
AWAY: Final = f"postgresql://ana:{PASSWORD}@127.0.0.1:1/nothing"
FEWEST: Final = 60


class Ask(NamedTuple):
    """A request that is wrong, and presents or mentions a secret."""

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: object = None


def wrong_places(key: str) -> Iterator[Ask]:
    """Yield requests that put *key* where none belongs."""
    for path in ("customers", "receipts/api", "journeys", "models", "erasures", "hooks/stripe"):
        yield Ask("GET", f"/v1/{path}/{key}")
    yield Ask("GET", f"/{key}")
    yield Ask("GET", f"/v1/customers/{key}:{key}")
    yield Ask("POST", f"/v1/hooks/stripe/{key}")
    yield Ask("POST", f"/v1/hooks/{key}/{key}")
    for name in ("key", "cursor", key, "limit", "ref"):
        yield Ask("GET", f"/v1/transitions?{name}={key}")
        yield Ask("GET", f"/v1/customers/lookup?{name}={key}")
    yield Ask("DELETE", f"/v1/keys/{key}")
    yield Ask("PATCH", f"/v1/sources/{key}", body={"channel": key})
    for body in ({"scopes": [key]}, {"source": key}, {"name": [key]}, {key: key}, {"kind": key}):
        yield Ask("POST", "/v1/keys", body=body)
    # Members of an item are named as they were sent: repairs of the quarantine go by these paths.
    for item in (key, [key], {"type": [key]}, {"customer": key}, {"customer": {"email": [key]}}):
        yield Ask("POST", "/v1/touchpoints", body=item)
    for path, method in (("models", "POST"), ("policy", "PUT"), ("links", "POST")):
        yield Ask(method, f"/v1/{path}", body={"format": key, key: key})
    yield Ask("POST", "/v1/webhooks", body={"url": f"https://ana:{key}@127.0.0.1/"})
    yield Ask("POST", "/v1/webhooks", body={"url": f"https://127.0.0.1/{key}"})


def wrong_keys(key: str) -> Iterator[Ask]:
    """Yield requests that present *key*, but not as it is presented."""
    for said in (f"Bearer {key}x", f"Bearer {key[:-3]}", f"Token {key}", f"Basic {key}", key):
        yield Ask("GET", "/v1/stages", {"Authorization": said})
        yield Ask("POST", "/v1/touchpoints", {"Authorization": said}, {})
    yield Ask("GET", "/v1/stages", {"X-Write-Key": f"{key}-"})
    yield Ask("GET", "/v1/stages", {"Authorization": f"Bearer {key}", "Origin": "https://e.test"})


def wrong_settings() -> Iterator[Ask]:
    """Yield sources whose settings hold a vendor's secret, and are refused."""
    wrong: tuple[object, ...] = (
        {"stripe": {"secrets": [HOOK, 1]}},
        {"stripe": {"secret": HOOK}},
        {"stripe": {"secrets": HOOK}},
        {"stripe": HOOK},
        {"nobody": {"secrets": [HOOK]}},
        {"stripe": {"secrets": [HOOK], "url": HOOK}},
        [HOOK],
    )
    for hooks in wrong:
        body = {"name": "planted", "channel": "web", "settings": {"hooks": hooks}}
        yield Ask("POST", "/v1/sources", body=body)


def refused(client: httpx.Client, asks: Iterator[Ask]) -> Iterator[tuple[Ask, str]]:
    """Yield what is answered to those of *asks* that are refused."""
    for ask in asks:
        content = None if ask.body is None else msgspec.json.encode(ask.body)
        answer = client.request(ask.method, ask.path, headers=ask.headers, content=content)
        assert answer.status_code < 500, (ask, answer.text)
        if answer.is_client_error:
            yield ask, f"{answer.headers} {answer.text}"


def plant(client: httpx.Client) -> str:
    """Make a source with a hook's secret and a webhook, and return the webhook's secret."""
    settings = {"hooks": {"stripe": {"secrets": [HOOK]}}}
    source = {"name": "hooked", "channel": "web", "settings": settings}
    client.post("/v1/sources", json=source).raise_for_status()
    made = client.post("/v1/webhooks", json={"url": "https://1.1.1.1/hook"}).raise_for_status()
    signed = {"Stripe-Signature": f"t=1,v1={HOOK}"}
    client.post("/v1/hooks/stripe/hooked", headers=signed, json={"id": HOOK})
    return str(made.json()["secret"])


def parts_of(credentials: Credentials) -> set[str]:
    """Return the secret parts of both keys; their ids may be known."""
    return {key.split("_")[2] for key in (credentials.secret_key, credentials.write_key)}


def test_no_secret_is_in_a_refusal_or_in_what_the_product_writes(product: Product) -> None:
    credentials = product.credentials
    with product.client() as client:
        webhook = plant(client)
        keys = (credentials.secret_key, credentials.write_key, webhook)
        told = list(refused(client, wrong_settings()))
        for key in keys:
            told += refused(client, wrong_places(key))
        with httpx.Client(base_url=product.url, timeout=30) as stranger:
            for key in keys[:2]:
                told += refused(stranger, (ask for ask in wrong_keys(key) if not_open(ask, key)))
    assert len(told) > FEWEST
    kept = msgspec.json.decode((product.data / "secrets.json").read_bytes(), type=dict[str, str])
    secrets = {*parts_of(credentials), webhook.removeprefix("whsec_"), HOOK, *kept.values()}
    product.stop()
    found = [(ask, secret) for ask, text in told for secret in secrets if secret in text]
    assert found == []
    assert [secret for secret in secrets if secret in product.said] == []


def not_open(ask: Ask, key: str) -> bool:
    """Tell whether *ask* is refused; a write key may be used in any page, but only posts."""
    return key.startswith("sk_") or ask.method == "GET"


@pytest.mark.parametrize("name", ["api", "ingest", "classifier"])
def test_a_service_whose_database_is_away_says_neither_password_nor_pepper(
    name: str, tmp_path: Path
) -> None:
    log = {f"{name.upper()}_LOG_PATH": str(tmp_path / "log.sqlite")}
    deployment = Deployment(tmp_path, AWAY, "", "touchpoints", {"KEY_PEPPER": PEPPER, **log})
    try:
        service = deployment.begin(name)

        def has_spoken() -> bool:
            return service.process.poll() is not None or service.readiness() != "does not answer"

        within(60, has_spoken, lambda: service.said)
        said = service.readiness()
        if service.process.poll() is None:
            headers = {"Authorization": "Bearer sk_AbCdEf12_" + "x" * 49}
            said += httpx.get(f"{service.url}/v1/stages", headers=headers, timeout=30).text
            service.stop()
    finally:
        deployment.end()
    for secret in (PASSWORD, PEPPER):
        assert secret not in f"{said} {service.said}"


def test_commands_whose_database_is_away_do_not_say_the_password(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, AWAY, "", "touchpoints", {"KEY_PEPPER": PEPPER})
    up = ("up", "--no-demo", "--port", "0", "--data", str(tmp_path / "data"))
    for arguments in (up, ("keys", "list"), ("migrate",), ("keys", "create", "--scope", "admin")):
        ran = deployment.run(*arguments, "--database-url", AWAY)
        assert ran.code == 1, ran
        assert PASSWORD not in f"{ran.out} {ran.err}"
        assert PEPPER not in f"{ran.out} {ran.err}"
