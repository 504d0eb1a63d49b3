"""A stage model put in force in a running product, by the command and under load."""

import asyncio
import random
from pathlib import Path
from typing import Final

import httpx
import msgspec

from shared.journey.bundled import bundled_model
from shared.journey.loading import load_model
from tests.fixtures.load import Load, check_nothing_is_lost
from tests.fixtures.processes import within
from tests.fixtures.product import Product

RULES: Final = bundled_model("default").split("\nexamples:")[0]
QUICKER: Final = RULES.replace("P60D", "P20D").replace("P45D", "P10D")
VERSION: Final = load_model(QUICKER).version
FIVE_STAGES: Final = bundled_model("five-stage")
ACTIVATION_SECONDS: Final = 60.0


def states(client: httpx.Client) -> dict[str, str]:
    items = client.get("/v1/models").json()["items"]
    return {f"{item['key']} {item['version']}": item["state"] for item in items}


async def test_models_come_into_force_while_touchpoints_come(
    product: Product, tmp_path: Path
) -> None:
    quicker, other = tmp_path / "quicker.yaml", tmp_path / "other.yaml"
    quicker.write_text(QUICKER)
    other.write_text(FIVE_STAGES)
    load = Load(product, random.Random(1))
    async with load.under_way():
        await load.progress(1_000)
        for file in (quicker, other):
            ran = await asyncio.to_thread(product.run, "model", "activate", file)
            assert ran.code == 0, ran.err
            assert ran.out.endswith("is active\n")
        await load.progress(200)
    await check_nothing_is_lost(load)
    with product.client() as client:
        assert sorted(states(client).values()) == ["active", "active", "retired"]
        ref = "/v1/customers/email:customer-1@example.com"
        for model in ("default", VERSION, "five-stage"):
            answer = client.get(f"{ref}/journey", params={"model": model})
            assert answer.json()["stage"] is not None, answer.text


async def test_an_activation_goes_on_after_the_product_was_killed(product: Product) -> None:
    load = Load(product, random.Random(2))
    async with load.under_way():
        await load.progress(1_500)
    with product.client() as client:
        assert client.post("/v1/models", content=QUICKER).status_code == 201
        asked = client.post(f"/v1/models/{VERSION}/activate", params={"timeout": 0})
        assert asked.status_code == 202
    await asyncio.to_thread(product.kill)
    await asyncio.to_thread(product.start)
    with product.client() as client:
        within(
            ACTIVATION_SECONDS,
            lambda: states(client)[f"default {VERSION}"] == "active",
            lambda: str(states(client)),
        )
    await check_nothing_is_lost(load)


def test_the_commands_tell_of_models_and_of_a_journey(product: Product, tmp_path: Path) -> None:
    with product.client() as client:
        item = {"event_id": "o-1", "type": "order_completed", "customer": {"email": "a@x.org"}}
        assert client.post("/v1/touchpoints", json=item).status_code == 202
        wait = {"wait_for": "api/o-1", "timeout": "30"}
        assert client.get("/v1/customers/email:a@x.org", params=wait).is_success
        stored = client.post("/v1/models", content=QUICKER)
        assert stored.status_code == 201
    listed = product.run("model", "list")
    assert "active, default" in listed.out
    assert VERSION[:12] in listed.out
    assert product.run("model", "activate", VERSION[:8]).code == 0
    items = msgspec.json.decode(product.run("model", "list", "--json").out, type=dict[str, object])
    assert VERSION in str(items)
    told = product.run("timeline", "email:a@x.org", "--explain")
    assert "In Onboarding since" in told.out
    assert "retention (second_purchase) needs" in told.out
    nowhere = product.run("model", "activate", "123456789")
    assert (nowhere.code, "no version begins" in nowhere.err) == (1, True)
    missing = product.run("model", "activate", tmp_path / "missing.yaml")
    assert missing.code == 2
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(QUICKER.replace("signal: bought", "signal: sold"))
    refused = product.run("model", "activate", wrong)
    assert refused.code == 1
    assert "sold" in refused.err
