"""Two ingests, three classifiers and an API as processes, on real Kafka and PostgreSQL."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from shared.touchpoints import JsonObject
from tests.fixtures.processes import within
from tests.fixtures.services import Asking, Deployment, Service, deployment_at
from tests.kafka import KafkaForTests

LONG_RUNS = "LONG_RUNS" in os.environ


@pytest.fixture
def deployment(kafka: KafkaForTests, database_url: str, tmp_path: Path) -> Iterator[Deployment]:
    with deployment_at(tmp_path / "said", database_url, kafka.bootstrap, tmp_path.name) as made:
        yield made


def purchase(number: int) -> dict[str, object]:
    """Return a touchpoint; every third one has a customer of two identifiers."""
    customer = {"user_id": f"u_{number % 40}"}
    if number % 3 == 0:
        customer["email"] = f"person-{number % 40}@example.com"
    return {
        "event_id": f"order-{number}",
        "type": "order_completed",
        "channel": "web",
        "occurred_at": f"2026-01-{number % 28 + 1:02}T10:00:00Z",
        "customer": customer,
        "properties": {"order_id": str(number), "value": 10.5, "currency": "EUR"},
    }


def ledger(asking: Asking) -> JsonObject:
    return cast("JsonObject", asking.get("/v1/ledger")["total"])


def settled(asking: Asking, records: int) -> JsonObject:
    """Return the ledger once everything in it is classified, and it adds up."""

    def all_read() -> JsonObject | None:
        total = ledger(asking)
        parts = ("stored", "duplicate", "quarantined", "erased", "gaps", "pending")
        assert total["log_end"] == sum(int(str(total[part])) for part in parts)
        return total if total["pending"] == 0 and total["log_end"] == records else None

    return cast("JsonObject", within(60, all_read, lambda: f"{ledger(asking)}"))


def held(classifiers: list[Service]) -> list[int]:
    """Return how many partitions each one holds."""
    return [len(each.metrics("classifier_claim_epoch")) for each in classifiers]


def test_customers_are_served_by_many_processes(deployment: Deployment) -> None:
    key = deployment.secret_key()
    ingests = [deployment.begin("ingest") for _ in range(2)]
    classifiers = [deployment.begin("classifier") for _ in range(3)]
    api = deployment.begin("api")
    for service in deployment.services:
        service.wait_until_ready()
    within(60, lambda: sorted(held(classifiers)) == [4, 4, 4], lambda: f"{held(classifiers)}")
    askings = [Asking(ingest, api, key) for ingest in ingests]
    first = askings[0]

    first.post({**purchase(0), "occurred_at": None})
    journey = first.get("/v1/customers/user_id%3Au_0/journey", wait_for="api/order-0", timeout="30")
    assert cast("JsonObject", journey["stage"])["key"] == "onboarding"
    timeline = first.get("/v1/customers/email%3Aperson-0@example.com/timeline")
    items = cast("list[JsonObject]", timeline["items"])
    [touchpoint] = [item for item in items if item["kind"] == "touchpoint"]
    assert cast("JsonObject", touchpoint["position"])["topic"] == deployment.topic

    sent = 1
    changes = 10 if LONG_RUNS else 3
    for turn in range(changes + 1):
        for asking in askings:
            asking.post(*(purchase(number) for number in range(sent, sent + 30)))
            sent += 30
        first.post(purchase(1))  # once more: a duplicate, counted and harmless
        if turn < changes:
            change_membership(deployment, classifiers, turn)
    repeated = changes + 1
    total = settled(first, sent + repeated)
    assert (total["stored"], total["duplicate"], total["quarantined"]) == (sent, repeated, 0)
    within(30, lambda: relayed(classifiers) > 0, lambda: "nothing reached the topic of transitions")
    check_commands(deployment, api, key)
    for asking in askings:
        asking.close()
    for service in (*ingests, *classifiers, api):
        service.stop()


def relayed(classifiers: list[Service]) -> float:
    """Return how many messages the living ones have sent to the topic of transitions."""
    return sum(sum(each.metrics("outbox_relayed_total").values()) for each in classifiers)


def change_membership(deployment: Deployment, classifiers: list[Service], turn: int) -> None:
    """Kill, start, stop and start a classifier in turn, while touchpoints go on coming."""
    if turn % 2:
        classifiers.append(deployment.start("classifier"))
    elif turn % 4:
        classifiers.pop(0).stop()
    else:
        classifiers.pop(0).kill()


def check_commands(deployment: Deployment, api: Service, key: str) -> None:
    """Ask the commands that look at a running system."""
    verified = deployment.run("verify", "--url", api.url, "--key", key)
    assert verified.code == 0, verified.out + verified.err
    assert "differences 0" in verified.out
    shown = deployment.run("ledger", "--url", api.url, "--key", key)
    assert shown.code == 0, shown.err
    checked = deployment.run("doctor", "--url", api.url, "--key", key)
    assert f"Kafka topic {deployment.topic}: 12 partitions" in checked.out, checked.out
