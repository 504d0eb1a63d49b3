"""Somebody is erased while Kafka is away: the spool forgets too, and the certificate says so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from deploy.kafka.brokers import Cluster
from shared.touchpoints import JsonObject
from tests.fixtures.processes import within
from tests.fixtures.services import Asking, Deployment, deployment_at

CANARY: Final = "canary-5d1e"
ANA: Final = f"user_id:{CANARY}"


@pytest.fixture
def deployment(broker: Cluster, database_url: str, tmp_path: Path) -> Iterator[Deployment]:
    spools = tmp_path / "spools"
    spools.mkdir()
    settings = {"INGEST_SPOOL_PATH": str(spools)}
    said, topic = tmp_path / "said", tmp_path.name
    with deployment_at(said, database_url, broker.bootstrap, topic, **settings) as made:
        yield made


def visit(event_id: str, user_id: str) -> JsonObject:
    return {
        "event_id": event_id,
        "type": "page_viewed",
        "occurred_at": "2026-01-05T10:00:00Z",
        "customer": {"user_id": user_id},
        "text": f"said by {user_id}",
    }


def in_spools(folder: Path) -> int:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return sum(file.read_bytes().count(CANARY.encode()) for file in files)


def status_of(asking: Asking, event_id: str) -> object:
    answer = asking.api.get(f"/v1/receipts/api/{event_id}")
    return answer.json().get("status", answer.status_code)


def test_a_person_erased_while_kafka_is_away_is_gone_from_the_spool_and_stays_gone(
    deployment: Deployment, broker: Cluster, tmp_path: Path
) -> None:
    ingest, api = deployment.start("ingest"), deployment.start("api")
    deployment.start("classifier")
    scopes = ("touchpoints:write", "customers:read", "customers:erase", "admin")
    made = deployment.run(
        "keys", "create", "--database-url", deployment.database_url,
        *(part for scope in scopes for part in ("--scope", scope)),
    )  # fmt: skip
    asking = Asking(ingest, api, made.out.split()[-1])
    asking.post(visit("a1", CANARY), visit("b1", "ben"))
    within(60, lambda: status_of(asking, "a1") == "stored", lambda: str(status_of(asking, "a1")))

    [node] = broker.brokers
    node.kill()
    asking.post(visit("a2", CANARY), visit("b2", "ben"))
    assert in_spools(tmp_path / "spools") > 0
    erased = asking.api.delete(f"/v1/customers/{ANA}")
    assert erased.status_code == 200, erased.text
    certificate = erased.json()["certificate"]
    remains = {one["what"]: one for one in certificate["remains"]}
    assert remains["log_copies"]["gone_by"] is None
    assert "Kafka did not say" in remains["log_copies"]["detail"]
    assert remains["spool"]["gone_by"] is not None

    def is_swept() -> bool:
        shown = asking.get(f"/v1/erasures/{certificate['id']}")
        return shown["spools_waiting"] == [] and in_spools(tmp_path / "spools") == 0

    within(60, is_swept, lambda: f"{in_spools(tmp_path / 'spools')} traces are left")
    assert status_of(asking, "a2") == "erased", "although no classifier has read it"

    node.start()
    node.wait_until_ready()
    within(90, lambda: status_of(asking, "b2") == "stored", lambda: str(status_of(asking, "b2")))
    assert [status_of(asking, one) for one in ("a1", "a2", "b1")] == ["erased", "erased", "stored"]
    assert asking.api.get(f"/v1/customers/{ANA}").status_code == 404
    asking.close()


def test_a_certificate_takes_what_the_topic_itself_says(deployment: Deployment) -> None:
    ingest, api = deployment.start("ingest"), deployment.start("api")
    deployment.start("classifier")
    made = deployment.run(
        "keys", "create", "--database-url", deployment.database_url,
        "--scope", "touchpoints:write", "--scope", "customers:read", "--scope", "customers:erase",
    )  # fmt: skip
    asking = Asking(ingest, api, made.out.split()[-1])
    asking.post(visit("a1", CANARY))
    within(60, lambda: status_of(asking, "a1") == "stored", lambda: str(status_of(asking, "a1")))
    certificate = asking.api.delete(f"/v1/customers/{ANA}").json()["certificate"]
    [log] = [one for one in certificate["remains"] if one["what"] == "log_copies"]
    assert log["gone_by"] is not None
    assert "segment.ms 604800000, retention.ms 604800000" in log["detail"]
    asking.close()
