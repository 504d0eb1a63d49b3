"""docker-compose.yml and the image: checked against the schema, and run without Docker."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
import yaml

from deploy.kafka.brokers import Port
from tests.fixtures.processes import COMMAND, ROOT, ended, spawn
from tests.fixtures.services import Service
from tests.kafka import KafkaForTests

COMPOSE: Final = ROOT / "docker-compose.yml"
DOCKERFILE: Final = ROOT / "deploy" / "Dockerfile"
SERVICES: Final = ("ingest", "classifier", "api")
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - what containers listen to
SECRETS: Final = {"KEY_PEPPER": "a pepper of sixteen or more", "POSTGRES_PASSWORD": "canary"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, object]]:
    return dict(yaml.safe_load(COMPOSE.read_text("utf-8"))["services"])


def variables(service: Mapping[str, object]) -> dict[str, str]:
    environment = service["environment"]
    assert isinstance(environment, dict)
    return {str(name): str(value) for name, value in environment.items()}


def filled(service: Mapping[str, object], replaced: Mapping[str, str]) -> dict[str, str]:
    """Return a service's environment with secrets filled in and hosts *replaced*."""

    def secret(match: re.Match[str]) -> str:
        return SECRETS[match[1]]

    found = {}
    for name, value in variables(service).items():
        text = re.sub(r"\$\{(\w+):\?[^}]*\}", secret, value)
        for old, new in replaced.items():
            text = text.replace(old, new)
        found[name] = text
    return found


def test_the_file_is_what_compose_reads() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    checked = ended(spawn([checker, "--builtin-schema", "vendor.compose-spec", COMPOSE]))
    assert checked.code == 0, checked.out


def test_no_secret_stands_in_it(services: Mapping[str, Mapping[str, object]]) -> None:
    for service in services.values():
        for name, value in variables(service).items():
            if re.search(r"PASSWORD|PEPPER|SECRET|TOKEN", name):
                assert value.startswith("${"), name
            if "://" in value and "@" in value:
                assert re.search(r":\$\{\w+:\?[^}]*\}@", value), name


def test_every_service_is_watched_and_every_image_has_a_version(
    services: Mapping[str, Mapping[str, object]],
) -> None:
    for name, service in services.items():
        assert re.search(r":[\w.-]+$", str(service["image"])), name
        assert ":latest" not in str(service["image"]), name
        assert "healthcheck" in service or name == "migrate"
        assert "stop_grace_period" in service
    for name in SERVICES:
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]


def test_the_image_runs_as_nobody_special_from_a_pinned_version() -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert re.search(r"^ARG PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-\w+$", text, re.MULTILINE)
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    assert "--require-hashes" in text


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    script = ROOT / "deploy" / "compose_secrets.py"
    file = tmp_path / ".env"
    file.write_text("POSTGRES_PASSWORD=mine")
    for _ in range(2):
        subprocess.run([sys.executable, script, file], check=True, capture_output=True)
    lines = file.read_text().splitlines()
    assert lines[0] == "POSTGRES_PASSWORD=mine"
    assert [line.partition("=")[0] for line in lines] == ["POSTGRES_PASSWORD", "KEY_PEPPER"]
    assert len(lines[1]) > 40


def test_every_command_runs_in_its_environment_until_it_is_told_to_stop(
    services: Mapping[str, Mapping[str, object]],
    kafka: KafkaForTests,
    database_url: str,
    tmp_path: Path,
) -> None:
    inside = f"postgresql://journeyline:{SECRETS['POSTGRES_PASSWORD']}@postgres/journeyline"
    replaced = {
        inside: database_url,
        "kafka:9092": kafka.bootstrap,
        EVERYWHERE: "127.0.0.1",
        "/var/lib/journeyline/spool": str(tmp_path),
    }
    own_topics = {
        "KAFKA_TOPIC": f"compose-{tmp_path.name}",
        "KAFKA_TRANSITIONS_TOPIC": f"compose-{tmp_path.name}-told",
    }
    migrate = services["migrate"]
    environment = {**filled(migrate, replaced), **own_topics}
    ran = ended(spawn([COMMAND, *command_of(migrate)[1:]], environment=environment))
    assert ran.code == 0, ran.err
    assert "was made" in ran.out
    started: list[Service] = []
    try:
        for name in SERVICES:
            environment = {**filled(services[name], replaced), **own_topics}
            started.append(start(name, command_of(services[name]), environment, tmp_path))
        for service in started:
            service.wait_until_ready()
        for service in started:
            service.stop()
            assert SECRETS["KEY_PEPPER"] not in service.said
    finally:
        for service in started:
            service.kill()


def command_of(service: Mapping[str, object]) -> list[str]:
    command = service["command"]
    assert isinstance(command, list)
    return [str(part) for part in command]


def start(
    name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Service:
    """Start a service as the file says, apart from its port."""
    assert command[0] == "python"
    port = Port()
    said = folder / f"{name}.log"
    with said.open("wb") as output:
        process = spawn(
            [sys.executable, *command[1:]],
            said=output,
            environment={**environment, f"{name.upper()}_PORT": str(port.number)},
        )
    return Service(name, port, process, said)
