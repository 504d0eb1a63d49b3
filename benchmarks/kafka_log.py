"""How fast Kafka takes records from this client and gives them back, on this machine.

Run it as ``python -m benchmarks.kafka_log``; it takes about half a minute, starts a broker of its
own in a temporary folder, and needs Java and Maven. CPU seconds are those of this process, the
client; the broker's are not in them.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.embedded_log import APPEND_RECORDS, SECONDS, TASKS, measure_writer
from deploy.kafka.brokers import Cluster
from deploy.kafka.jars import missing_programs
from shared.log.kafka import open_kafka_reader, open_kafka_writer
from shared.log.kafka_connection import KafkaAddress
from shared.log.kafka_preflight import ensure_topics
from shared.log.kafka_settings import KafkaSettings

TOPIC = "bench"


async def measure_reading(address: KafkaAddress) -> None:
    """Read the topic from its start, as the classifier does after a long pause."""
    async with open_kafka_reader(address, TOPIC, group=None) as reader:
        for partition, start in (await reader.start_offsets()).items():
            await reader.seek(partition, start)
        records = 0
        began, cpu_began = time.perf_counter(), time.process_time()
        while polled := await reader.poll(max_records=2_000, timeout_seconds=1):
            records += sum(map(len, polled.values()))
            if time.perf_counter() - began > SECONDS:
                break
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
        print(
            f"{'reading, 2,000 a poll':<36} {records / seconds:>9,.0f} records/s"
            f" {records / cpu_seconds:>9,.0f} per CPU s"
        )


async def measure(bootstrap: str) -> None:
    """Run all measurements on a cluster."""
    address = KafkaAddress(bootstrap, KafkaSettings(), "bench")
    await ensure_topics(address, [TOPIC])
    async with open_kafka_writer(address, TOPIC, append_timeout_seconds=30) as writer:
        for tasks, records in ((1, 1), (TASKS, 1), (1, APPEND_RECORDS), (8, APPEND_RECORDS)):
            await measure_writer(writer, tasks, records)
    await measure_reading(address)


def main() -> None:
    """Start a broker and measure it."""
    if (missing := missing_programs()) is not None:
        print(f"not measured: {missing}")
        return
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            asyncio.run(measure(cluster.bootstrap))
        finally:
            cluster.end()


if __name__ == "__main__":
    main()
