"""Kafka behind TLS and SASL: every mechanism, and every wrong credential."""

import base64
import datetime as dt
import ipaddress
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.kafka.brokers import Cluster, Listening
from shared.errors import LogUnavailable
from shared.log.kafka import open_kafka_reader, open_kafka_writer
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_settings import KafkaSettings
from shared.log.port import Entry
from tests.contract.logs import given, read_records, seek_to_start
from tests.fixtures.kafka import skip_without_kafka
from tests.kafka import KafkaForTests, own_cluster

MODULES = "org.apache.kafka.common.security"
SECURE = "listener.name.secure"
TOPIC = "secured"


def server_certificate(folder: Path) -> Path:
    """Write a self-signed certificate for this machine, and its key before it in another file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    shown = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.pem").write_bytes(shown)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "server.pem").write_bytes(secret + shown)
    return folder / "ca.pem"


def unsecured_token(subject: str) -> str:
    """Return a token as Kafka's development validator takes it."""
    claims = {"sub": subject, "iat": time.time() - 60, "exp": time.time() + 3_600}
    parts = ({"alg": "none"}, claims)
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return ".".join(part.decode() for part in encoded) + "."


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Path]]:
    """A broker that also listens to SASL over TLS, and the certificate to trust."""
    skip_without_kafka()
    folder = tmp_path_factory.mktemp("secured")
    trusted = server_certificate(folder)
    scram = f"{MODULES}.scram.ScramLoginModule required;"
    settings = {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        f"{SECURE}.ssl.keystore.type": "PEM",
        f"{SECURE}.ssl.keystore.location": str(folder / "server.pem"),
        f"{SECURE}.plain.sasl.jaas.config": (
            f'{MODULES}.plain.PlainLoginModule required user_ana="right";'
        ),
        f"{SECURE}.scram-sha-256.sasl.jaas.config": scram,
        f"{SECURE}.scram-sha-512.sasl.jaas.config": scram,
        f"{SECURE}.oauthbearer.sasl.jaas.config": (
            f"{MODULES}.oauthbearer.OAuthBearerLoginModule required "
            'unsecuredLoginStringClaim_sub="broker";'
        ),
    }
    listening = Listening(protocols={"SECURE": "SASL_SSL"})
    cluster = Cluster(folder, settings=settings, listening=listening, scram={"ana": "right"})
    with own_cluster(folder, prepared=cluster):
        yield cluster, trusted


def credentials(mechanism: str, password: str, trusted: Path | None, folder: Path) -> KafkaSettings:
    token = folder / "token"
    token.write_text(unsecured_token("ana") if password == "right" else "nonsense")
    return KafkaSettings.model_validate(
        {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": mechanism,
            "sasl_username": "ana",
            "sasl_password": password,
            "token_file": token,
            "ca_file": trusted,
            "request_timeout": 2,
        }
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"])
async def test_the_log_is_written_and_read_with_every_mechanism_and_not_with_wrong_secrets(
    secured: tuple[Cluster, Path], mechanism: str, tmp_path: Path
) -> None:
    cluster, trusted = secured
    bootstrap = cluster.addresses("SECURE")
    topic = await KafkaForTests(cluster.bootstrap).new_topic(1)
    right = KafkaAddress(bootstrap, credentials(mechanism, "right", trusted, tmp_path), "test")
    async with (
        open_kafka_writer(right, topic, append_timeout_seconds=20) as writer,
        open_kafka_reader(right, topic, group=topic) as reader,
    ):
        await writer.append([Entry(b"k", b"secret")])
        await given(reader)
        await seek_to_start(reader)
        assert [record.value for record in await read_records(reader, 1)] == [b"secret"]

    wrong = KafkaAddress(bootstrap, credentials(mechanism, "wrong", trusted, tmp_path), "test")
    async with open_kafka_writer(wrong, topic, append_timeout_seconds=1) as writer:
        with pytest.raises(LogUnavailable):
            await writer.append([Entry(b"k", b"v")])


async def test_a_broker_whose_certificate_is_not_trusted_gets_no_password(
    secured: tuple[Cluster, Path], tmp_path: Path
) -> None:
    cluster, _ = secured
    stranger = credentials("PLAIN", "right", None, tmp_path)
    address = KafkaAddress(cluster.addresses("SECURE"), stranger, "test")
    with pytest.raises(LogUnavailable):
        async with open_kafka_reader(address, TOPIC, group=None):
            pass
