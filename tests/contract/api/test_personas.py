from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.api.readers.arguments import Arguments
from services.api.readers.personas import persona_condition
from shared.errors import Invalid
from shared.instants import HOUR
from shared.journey.matchers import Shape, compile_matcher
from shared.journey.personas import Persona, persona_of, read_persona
from shared.profiles import Profile
from shared.touchpoints import Channel, JsonObject, Touchpoint
from tests.fixtures.served_api import START, Served
from tests.fixtures.told import Told
from tests.strategies.stage_conditions import value_tests

YOUNG: Final = "match: {where: {traits.age: {lt: 30}}}"
BY_SOCIAL: Final = {"title": "Young, by social", "match": {"channel": "social"}}


async def fill(served: Served) -> None:
    await served.histories.store(
        Told(
            event_id="a1",
            at=START,
            identifiers=("user_id:ada",),
            traits={"age": 25},
            channel=Channel.SOCIAL,
        ),
        Told(event_id="a2", at=START + HOUR, identifiers=("user_id:ada",)),
        Told(
            event_id="b1",
            at=START,
            identifiers=("user_id:bob",),
            traits={"age": 31.5, "plan": "pro"},
        ),
        Told(event_id="c1", at=START, identifiers=("user_id:cy",), traits={"age": "25"}),
        Told(event_id="d1", at=START, identifiers=("user_id:di",), channel=Channel.SOCIAL),
        recorded_at=START + HOUR,
    )


async def found(served: Served, persona: str) -> list[str]:
    answer = await served.client.get("/v1/customers", params={"persona": persona})
    document = answer.json()
    assert document["total"] == len(document["items"])
    return sorted(item["identifiers"][0].removeprefix("user_id:") for item in document["items"])


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (YOUNG, ["ada"]),
        ('{"match": {"where": {"traits.age": {"gt": 25}}}}', ["bob"]),
        ("match: {where: {traits.age: {gte: '2'}}}", ["cy"]),
        ("match: {channel: social}", ["ada", "di"]),
        ("match: {all: [{channel: social}, {where: {traits.age: {exists: true}}}]}", ["ada"]),
        (
            "match: {any: [{channel: social}, {where: {traits.plan: {in: [pro]}}}]}",
            ["ada", "bob", "di"],
        ),
        ("match: {not: {channel: social}}", ["bob", "cy"]),
        ("match: {where: {traits.plan.name: {exists: false}}}", ["ada", "bob", "cy", "di"]),
    ],
)
async def test_a_persona_selects_customers(
    served: Served, document: str, expected: list[str]
) -> None:
    await fill(served)
    answer = await served.client.put("/v1/personas/some", content=document)
    assert answer.status_code == 201
    assert await found(served, "some") == expected


async def test_a_persona_is_made_changed_shown_and_taken_away(served: Served) -> None:
    made = await served.client.put("/v1/personas/young-by-social", json=BY_SOCIAL)
    assert made.status_code == 201
    assert made.json()["title"] == "Young, by social"
    changed = await served.client.put("/v1/personas/young-by-social", content=YOUNG)
    assert (changed.status_code, changed.json()["title"]) == (200, "Young by social")
    listed = (await served.client.get("/v1/personas")).json()["items"]
    assert listed == [(await served.client.get("/v1/personas/young-by-social")).json()]
    assert (await served.client.delete("/v1/personas/young-by-social")).status_code == 204
    assert (await served.client.get("/v1/personas/young-by-social")).status_code == 404
    assert (await served.client.delete("/v1/personas/young-by-social")).status_code == 404
    asked = await served.client.get("/v1/customers", params={"persona": "young-by-social"})
    assert (asked.status_code, asked.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ("title: nobody", "match"),
        ("match: {where: {properties.age: {lt: 30}}}", "match.where[properties.age]"),
        ("match: {all: [{not: {where: {context.a: {eq: 1}}}}]}", "match.where[context.a]"),
        ("match: {chanel: web}", "match.chanel"),
        ("match: {where: {traits.age: {lt: true}}}", 'match.where["traits.age"].lt'),
        ("{match: {channel: web}, title: 7}", "title"),
        ("[]", ""),
        ("{", ""),
    ],
)
async def test_a_wrong_persona_is_refused_with_the_place(
    served: Served, document: str, path: str
) -> None:
    answer = await served.client.put("/v1/personas/odd", content=document)
    assert (answer.status_code, answer.json()["code"]) == (422, "persona_refused")
    assert path in [error["path"] for error in answer.json()["errors"]]


def test_a_persona_has_a_key_like_everything_in_a_model() -> None:
    with pytest.raises(Invalid, match="a-z"):
        read_persona("Young People", YOUNG)


traits = st.dictionaries(
    st.sampled_from(["age", "plan"]),
    st.recursive(
        st.sampled_from([None, True, False, 0, 1, 1.0, 2, 0.1, -3, "1", "x", "pro", "é", ""]),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["k", "0"]), inner, max_size=2)
        ),
        max_leaves=4,
    ),
)
paths = st.sampled_from(["traits.age", "traits.plan", "traits.age.k", "traits.plan.0"])
plain = st.one_of(
    st.builds(lambda path, tests: {"where": {path: tests}}, paths, value_tests()),
    st.fixed_dictionaries({"channel": st.sampled_from(["web", "social"])}),
    st.fixed_dictionaries({"type": st.sampled_from(["seen", ["a", "b"]])}),
)
matchers = st.one_of(
    plain,
    st.fixed_dictionaries({"any": st.lists(plain, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"all": st.lists(plain, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"not": plain}, optional={"channel": st.just("web")}),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_traits=traits, match=matchers, channel=st.sampled_from(Channel))
async def test_the_database_matches_as_stage_models_do(
    served: Served, given_traits: JsonObject, match: JsonObject, channel: Channel
) -> None:
    persona = persona_of("p", {"match": match})
    touchpoint = Touchpoint(
        source="web",
        event_id="1",
        at=0,
        channel=channel,
        type="seen",
        properties={},
        context={},
        traits=given_traits,
    )
    assert await _selects(served, persona, touchpoint) == _matches(persona, touchpoint)


def _matches(persona: Persona, first: Touchpoint) -> bool:
    compiled = compile_matcher(persona.match, Shape(first.type, first.channel, first.source))
    return compiled if isinstance(compiled, bool) else compiled(first, first.traits)


async def _selects(served: Served, persona: Persona, first: Touchpoint) -> bool:
    arguments = Arguments(2)
    condition = persona_condition(persona.match, arguments)
    selected: bool = await served.histories.connection.fetchval(
        f"SELECT {condition} FROM (SELECT $1::json AS profile, $2::text AS first_channel) c",  # noqa: S608 - what is tested
        Profile.of([first]).encode(),
        first.channel,
        *arguments.values,
    )
    return selected
