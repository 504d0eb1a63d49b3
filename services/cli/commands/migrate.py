"""``journeyline migrate``: bring a database and Kafka's topics to what this version needs."""

import asyncio
from typing import Annotated

import typer

from services.cli.settings import DATABASE_VARIABLES, KAFKA_VARIABLES, kafka_settings
from services.standalone.first_start import ensure_beginnings
from shared.clock import wall_clock
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_preflight import ensure_topics
from shared.storage.engine import open_engine
from shared.storage.migrate import head_revision, upgrade

DatabaseUrl = Annotated[
    str, typer.Option("--database-url", envvar=DATABASE_VARIABLES, help="postgresql://…")
]
KafkaBootstrap = Annotated[
    str | None,
    typer.Option(
        "--kafka-bootstrap",
        envvar=KAFKA_VARIABLES,
        help="host:port of brokers, with commas; the topics are made there",
    ),
]


def migrate(database_url: DatabaseUrl, kafka_bootstrap: KafkaBootstrap = None) -> None:
    """Bring database and topics to what this version needs; harmless where they are there.

    Kafka's settings are the KAFKA_… variables of .env.example.
    """
    asyncio.run(_migrate(database_url))
    typer.echo(f"the database is at revision {head_revision()}")
    if kafka_bootstrap is None:
        return
    settings = kafka_settings()
    topics = [settings.topic, settings.transitions_topic]
    address = KafkaAddress(kafka_bootstrap, settings, "journeyline-migrate")
    made = asyncio.run(ensure_topics(address, topics))
    for topic in topics:
        typer.echo(f"the topic {topic} {'was made' if topic in made else 'is there'}")


async def _migrate(database_url: str) -> None:
    await upgrade(database_url)
    async with open_engine(database_url, pool_size=1) as engine:
        await ensure_beginnings(engine, wall_clock)
