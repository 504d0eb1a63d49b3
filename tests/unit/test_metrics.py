import re

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

from shared import metrics
from shared.metrics import count_request, note_build

KINDS = (Counter, Gauge, Histogram)
UNITS = (
    "_total",
    "_seconds",
    "_bytes",
    "_info",
    "_events",
    "_open",
    "_endpoints",
    "_identifiers",
    "_epoch",
    "_partitions",
    "_up",
)


def ours() -> list[str]:
    known = [value for value in vars(metrics).values() if isinstance(value, KINDS)]
    return [family.name for metric in known for family in metric.describe()]


def test_names_end_in_a_unit() -> None:
    # A counter's family is named without the _total that its samples end in.
    exposed = generate_latest(REGISTRY).decode()
    for name in ours():
        kind = re.search(rf"^# TYPE {name}(_total)? (\w+)$", exposed, re.MULTILINE)
        assert kind is not None
        assert (name + (kind[1] or "")).endswith(UNITS), name


def test_every_metric_is_explained() -> None:
    exposed = generate_latest(REGISTRY).decode()
    for name in ours():
        assert re.search(rf"^# HELP {name}(_total)? \S.*\.$", exposed, re.MULTILINE), name


def test_a_request_is_counted_and_timed() -> None:
    labels = {"route": "/unit-test", "method": "GET", "code": "200"}
    for seconds in (0.003, 4.0):
        count_request("/unit-test", "GET", 200, seconds)
    assert REGISTRY.get_sample_value("http_requests_total", labels) == 2
    timed = {"route": "/unit-test"}
    assert REGISTRY.get_sample_value("http_request_duration_seconds_sum", timed) == 4.003
    below = {**timed, "le": "0.005"}
    assert REGISTRY.get_sample_value("http_request_duration_seconds_bucket", below) == 1


def test_the_version_that_runs_is_told() -> None:
    note_build()
    found = [sample for family in REGISTRY.collect() for sample in family.samples]
    assert [sample.value for sample in found if sample.name == "build_info"] == [1]
