"""The walk through the API, taken against the real product: every answer is as it is shown."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import msgspec

from shared.touchpoints import JsonValue
from tests.eventually import PATIENCE_SECONDS
from tests.fixtures.processes import within
from tests.fixtures.product import Product

GUIDE: Final = (Path(__file__).parents[2] / "docs/api.md").read_text("utf-8")
ANYTHING: Final = "…"
_STEP: Final = re.compile(r"```http\n(.*?)```\n+```json\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """A request of the guide, and the answer it shows."""

    method: str
    path: str
    body: str
    shown: JsonValue


def steps() -> list[Step]:
    found = []
    for request, answer in _STEP.findall(GUIDE):
        line, _, body = request.partition("\n\n")
        method, _, path = line.strip().partition(" ")
        found.append(Step(method, path, body.strip(), msgspec.json.decode(answer)))
    return found


def differences(shown: JsonValue, real: JsonValue, at: str = "") -> list[str]:
    """Return where *real* is not as *shown*; ``…`` stands for anything, and for anything more."""
    if shown == ANYTHING:
        return []
    if isinstance(shown, dict) and isinstance(real, dict):
        said = {name: value for name, value in shown.items() if name != ANYTHING}
        missing = [f"{at}.{name} is not there" for name in said.keys() - real.keys()]
        more = [] if ANYTHING in shown else [f"{at}.{n} is more" for n in real.keys() - said.keys()]
        inside = [
            difference
            for name in said.keys() & real.keys()
            for difference in differences(said[name], real[name], f"{at}.{name}")
        ]
        return missing + more + inside
    if isinstance(shown, list) and isinstance(real, list):
        rest = bool(shown) and shown[-1] == ANYTHING
        said_items = shown[:-1] if rest else shown
        if len(real) < len(said_items) or (len(real) > len(said_items) and not rest):
            return [f"{at} has {len(real)} items"]
        pairs = zip(said_items, real, strict=False)
        return [d for i, pair in enumerate(pairs) for d in differences(*pair, f"{at}[{i}]")]
    return [] if shown == real else [f"{at} is {real!r}, not {shown!r}"]


def test_every_answer_of_the_guide_is_as_it_is_shown(shared_product: Product) -> None:
    walked = steps()
    assert len(walked) > 12
    with shared_product.client() as client:
        for step in walked:
            if step.path.startswith("/v1/transitions"):
                wait_until_published(client)
            answer = client.request(step.method, step.path, content=step.body or None)
            found = differences(step.shown, answer.json())
            assert not found, (step.method, step.path, found)
            if step.path == "/v1/touchpoints":
                wait_until_stored(client, step.body)


def wait_until_stored(client: httpx.Client, body: str) -> None:
    """Wait for all of them: they lie in several partitions, which are read side by side."""
    sent = msgspec.json.decode(body, type=list[dict[str, JsonValue]])

    def stored() -> bool:
        receipts = [client.get(f"/v1/receipts/api/{one['event_id']}").json() for one in sent]
        return all(receipt["status"] == "stored" for receipt in receipts)

    within(PATIENCE_SECONDS, stored, lambda: "not all is stored")


def wait_until_published(client: httpx.Client) -> None:
    within(
        PATIENCE_SECONDS,
        lambda: bool(client.get("/v1/transitions").json()["items"]),
        lambda: "nothing was published",
    )


def test_a_difference_is_seen() -> None:
    real: JsonValue = {"a": 1, "b": [1, 2], "c": {"d": None}}
    assert not differences({"a": 1, "b": [1, ANYTHING], ANYTHING: ANYTHING}, real)
    assert differences({"a": 2, ANYTHING: ANYTHING}, real)
    assert differences({"a": 1}, real)
    assert differences({"a": 1, "b": [1], ANYTHING: ANYTHING}, real)
    assert differences({"a": 1, "z": ANYTHING, ANYTHING: ANYTHING}, real)


def test_the_parts_of_the_guide_are_linked_from_its_beginning() -> None:
    headings = re.findall(r"^## (.*)$", GUIDE, re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    linked = set(re.findall(r"\]\(#([^)]*)\)", GUIDE))
    assert linked == anchors - {"something-to-read"}
