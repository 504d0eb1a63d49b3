"""What becomes of the demo's customers under the default model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from services.standalone.demo.history import demo_history
from services.standalone.demo.stories import ANA, BEN, CLARA, DAVID
from shared.identity.components import resolve
from shared.identity.customers import Resolution
from shared.identity.identifiers import parse_ref
from shared.identity.links import Link, links_of
from shared.identity.policy_documents import default_policy
from shared.identity.referrals import referrer_in
from shared.instants import parse_rfc3339
from shared.journey.bundled import bundled_model
from shared.journey.fold import fold
from shared.journey.journeys import Journey
from shared.journey.loading import read_model
from shared.journey.program import compile_model
from shared.touchpoints import Identifier, JsonObject, JsonValue, Touchpoint

ENDS_AT = parse_rfc3339("2026-06-15T13:30:00Z")
POLICY = default_policy()
PROGRAM = compile_model(read_model(bundled_model("default")))


@dataclass(frozen=True)
class Shop:
    """All customers of the demo as the product would know them."""

    resolution: Resolution
    histories: Mapping[object, Sequence[Touchpoint]]

    def history(self, ref: str) -> Sequence[Touchpoint]:
        identifier = parse_ref(ref)
        assert isinstance(identifier, Identifier)
        return self.histories[self.resolution.customer_of(identifier).id]

    def journey(self, ref: str) -> Journey:
        return fold(PROGRAM, self.history(ref), ENDS_AT)


@pytest.fixture(scope="module")
def shop() -> Shop:
    belongings: list[tuple[Identifier, Touchpoint]] = []
    links: list[Link] = []
    for batch in demo_history(ends_at=ENDS_AT):
        for item in batch.items:
            names = (Identifier(k, str(v)) for k, v in members(item["customer"]).items())
            identifiers = sorted(names, key=POLICY.trust)
            touchpoint = touchpoint_of(batch.source, item)
            belongings.append((identifiers[0], touchpoint))
            if len(identifiers) > 1:
                links += links_of(identifiers, touchpoint.place, POLICY)
    resolution = resolve(links, frozenset(), POLICY, alone=[owner for owner, _ in belongings])
    histories: dict[object, list[Touchpoint]] = {}
    for owner, touchpoint in belongings:
        histories.setdefault(resolution.customer_of(owner).id, []).append(touchpoint)
    return Shop(resolution, histories)


def touchpoint_of(source: str, item: JsonObject) -> Touchpoint:
    return Touchpoint(
        source=source,
        event_id=str(item["event_id"]),
        at=parse_rfc3339(str(item["occurred_at"])),
        channel=str(item["channel"]),
        type=str(item["type"]),
        properties=members(item.get("properties")),
        context=members(item.get("context")),
        traits=members(item.get("traits")),
    )


def members(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def stages(journey: Journey) -> list[str]:
    return [move.to for move in journey.transitions if move.axis == "stage"]


def test_every_stage_holds_a_sensible_share_of_two_thousand_customers(shop: Shop) -> None:
    journeys = [fold(PROGRAM, history, ENDS_AT) for history in shop.histories.values()]
    assert 2_000 <= len(journeys) <= 3_000
    touchpoints = sum(map(len, shop.histories.values()))
    assert 40_000 <= touchpoints <= 70_000
    by_stage = Counter(journey.stage.key for journey in journeys if journey.stage)
    assert by_stage.keys() == {stage.key for stage in PROGRAM.model.stages}
    assert all(share > len(journeys) / 50 for share in by_stage.values())
    by_activity = Counter(journey.activity.state for journey in journeys if journey.activity)
    assert min(by_activity[state] for state in ("active", "dormant", "churned")) > 100
    assert max(journey.cycle for journey in journeys) > 1


def test_ana_crosses_all_channels_and_devices_and_recommends_the_shop(shop: Shop) -> None:
    journey = shop.journey(ANA)
    assert stages(journey) == [
        *("awareness", "consideration", "decision", "onboarding", "retention", "advocacy"),
    ]
    history = shop.history(ANA)
    assert {touchpoint.channel for touchpoint in history} == {
        *("web", "email", "contact_center", "in_store"),
    }
    identifier = parse_ref(ANA)
    assert isinstance(identifier, Identifier)
    kinds = Counter(i.kind for i in shop.resolution.customer_of(identifier).identifiers)
    assert kinds == {"user_id": 1, "email": 1, "phone": 1, "loyalty_id": 1, "anonymous_id": 2}
    assert journey.counts["complained"] == 1
    assert journey.counts["returned"] == 1


def test_ben_is_won_back_after_half_a_year(shop: Shop) -> None:
    journey = shop.journey(BEN)
    rules = [move.rule for move in journey.transitions]
    assert journey.cycle == 2
    assert rules.index("everything_returned") < rules.index("churned_after")
    assert rules.index("churned_after") < rules.index("win_back")
    assert journey.stage is not None
    assert journey.stage.key == "onboarding"


def test_clara_and_david_share_a_phone_but_stay_two(shop: Shop) -> None:
    clara, david = (parse_ref(ref) for ref in (CLARA, DAVID))
    assert isinstance(clara, Identifier)
    assert isinstance(david, Identifier)
    hers, his = (shop.resolution.customer_of(one) for one in (clara, david))
    assert hers.id != his.id
    [phone] = [identifier for identifier in hers.identifiers if identifier.kind == "phone"]
    assert (david, phone) in {link.pair for link in shop.resolution.refused}


def test_ben_sent_clara_and_clara_sent_david(shop: Shop) -> None:
    for ref, sent_by in ((CLARA, BEN), (DAVID, CLARA)):
        first, *_ = shop.history(ref)
        assert referrer_in(first.properties) == parse_ref(sent_by)
