"""A version of a stage model released by command: drafted, compared, put in force, taken back."""

import re
from pathlib import Path
from typing import Final

import msgspec

from shared.journey.bundled import bundled_model
from shared.journey.loading import load_model
from tests.fixtures.product import Product

RULES: Final = bundled_model("default").split("\nexamples:")[0]
QUICKER: Final = RULES.replace("P45D", "P10D")
VERSION: Final = load_model(QUICKER).version
FORMER: Final = load_model(RULES).version


def said(output: str) -> str:
    """Return *output* with every run of spaces as one."""
    return re.sub(r"[ ─]+", " ", output)


def test_a_version_is_drafted_compared_activated_and_rolled_back(
    product: Product, tmp_path: Path
) -> None:
    file = tmp_path / "quicker.yaml"
    file.write_text(QUICKER)
    with product.client() as client:
        bought = {"type": "order_completed", "occurred_at": "2026-01-05T10:00:00Z"}
        looked = {"type": "page_viewed", "occurred_at": "2026-01-05T10:00:00Z"}
        sent = [
            {"event_id": "o-1", **bought, "customer": {"email": "ana@x.org"}},
            {"event_id": "v-1", **looked, "customer": {"email": "ben@x.org"}},
        ]
        assert client.post("/v1/touchpoints", json=sent).status_code == 202
        for name in ("ana", "ben"):
            wait = {"wait_for": f"api/{'o' if name == 'ana' else 'v'}-1", "timeout": "30"}
            assert client.get(f"/v1/customers/email:{name}@x.org", params=wait).is_success

    drafted = product.run("model", "draft", file)
    assert (drafted.code, drafted.out) == (0, f"default {VERSION[:12]} is draft, 0 warnings\n")

    as_of = ("--as-of", "2026-01-25T00:00:00Z")
    told = product.run("model", "diff", VERSION[:8], *as_of)
    assert told.code == 0, told.err
    out = said(told.out)
    assert f"default {VERSION[:12]} against default {FORMER[:12]}" in out
    assert "2 customers: 1 would stand in another stage, 0 would come there another way" in out
    assert "now ↓ then → awareness retention all" in out
    assert "onboarding 1 1" in out
    assert "email:ana@x.org onboarding, active retention, active 2026-01-15T10:00:00Z -" in out
    assert "ben@x.org" not in out

    listed = product.run("model", "diff", file, *as_of, "--to", "retention", "--json")
    answer = msgspec.json.decode(listed.out, type=dict[str, object])
    assert (answer["differ"], answer["total"]) == (1, 1)
    same = product.run("model", "diff", FORMER[:12], "--against", FORMER[:12])
    assert "0 would stand in another stage, 0 would come there another way" in same.out
    assert "ana@x.org" not in same.out

    shadowed = product.run("model", "shadow", VERSION[:8])
    assert (shadowed.code, shadowed.out) == (0, f"default {VERSION[:12]} is shadow\n")
    assert "shadow" in product.run("model", "list").out
    ended = product.run("model", "shadow", VERSION[:8], "--end")
    assert (ended.code, ended.out) == (0, f"default {VERSION[:12]} is draft\n")

    assert product.run("model", "rollback").code == 1
    assert product.run("model", "activate", VERSION[:8]).code == 0
    back = product.run("model", "rollback", "default", "--reason", "settled far too early")
    assert (back.code, back.out) == (
        0,
        f"default {FORMER[:12]} is active again, {VERSION[:12]} is not\n",
    )
    nothing = product.run("model", "rollback")
    assert (nothing.code, "was in force before" in nothing.err) == (1, True)
    nowhere = product.run("model", "diff", "123456789")
    assert (nowhere.code, "no version begins" in nowhere.err) == (1, True)
    assert product.run("model", "draft", tmp_path / "missing.yaml").code == 2
