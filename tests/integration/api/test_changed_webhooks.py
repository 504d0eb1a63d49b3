"""Webhooks that are changed while messages are on their way."""

import asyncio

import pytest

from shared.instants import DAY, HOUR, MINUTE, SECOND
from shared.touchpoints import JsonObject
from tests.eventually import eventually
from tests.fixtures.hooked import Hooked, id_of
from tests.fixtures.receivers import receiver
from tests.fixtures.told_messages import ANA, merged, say, transition


async def change(hooked: Hooked, hook: JsonObject, **asked: object) -> JsonObject:
    answer = await hooked.api.client.patch(f"/v1/webhooks/{hook['id']}", json=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_what_is_not_given_stays_as_it_is(hooked: Hooked) -> None:
    hook = await hooked.register(events=["customer.merged"], max_age=60)
    as_it_was = {name: value for name, value in hook.items() if name != "secret"}
    assert await change(hooked, hook) == as_it_was
    assert await change(hooked, hook, max_age=None, url=None) == as_it_was
    assert await change(hooked, hook, max_age="PT1H") == {**as_it_was, "max_age": 3600}
    changed = await change(hooked, hook, events=["customer.split", "customer.split"])
    assert changed == {**as_it_was, "max_age": 3600, "events": ["customer.split"]}
    assert await hooked.endpoint(hook) == changed


async def test_another_address_gets_what_waits_at_once(hooked: Hooked) -> None:
    hook = await hooked.register()
    hooked.to.answer = lambda _: 500
    await say(hooked.api, transition(1))
    for _ in range(4):
        await hooked.deliver()
        hooked.api.clock.now += 10 * SECOND
    assert (await hooked.endpoint(hook))["failures"] != 0
    async with receiver() as other:
        changed = await change(hooked, hook, url=f"{other.url}")
        assert (changed["failures"], changed["paused_until"]) == (0, None)
        await say(hooked.api, transition(2))
        await hooked.deliver_for(10 * MINUTE)
        assert other.ids == [id_of(1), id_of(2)]


async def test_events_that_are_asked_for_later_come_from_then_on(hooked: Hooked) -> None:
    hook = await hooked.register(events=["customer.merged"])
    await say(hooked.api, transition(1))
    await hooked.deliver()
    await change(hooked, hook, events=["journey.transition"])
    await say(hooked.api, transition(2), merged(ANA))
    await hooked.deliver()
    assert hooked.to.ids == [id_of(2)]


async def test_an_endpoint_that_was_gone_goes_on_where_it_stopped(hooked: Hooked) -> None:
    hook = await hooked.register()
    hooked.to.answer = lambda _: 410
    await say(hooked.api, transition(1), transition(2))
    await hooked.deliver()
    assert (await hooked.endpoint(hook))["disabled_reason"] == "the endpoint answered 410 Gone"
    hooked.to.answer = lambda _: 200
    await say(hooked.api, transition(3))
    await hooked.deliver_for(HOUR)
    hooked.to.received.clear()
    changed = await change(hooked, hook, status="enabled")
    assert (changed["status"], changed["disabled_reason"]) == ("active", None)
    await hooked.deliver()
    assert hooked.to.ids == [id_of(1), id_of(2), id_of(3)]
    assert {one["status"] for one in await hooked.deliveries(hook)} == {"delivered"}


async def test_an_endpoint_that_is_disabled_by_hand_keeps_what_waits(hooked: Hooked) -> None:
    hook = await hooked.register()
    hooked.to.answer = lambda _: 500
    await say(hooked.api, transition(1))
    await hooked.deliver()
    hooked.to.answer = lambda _: 200
    hooked.to.received.clear()
    changed = await change(hooked, hook, status="disabled")
    assert (changed["status"], changed["disabled_reason"]) == ("disabled", "disabled by hand")
    await hooked.deliver_for(HOUR)
    assert hooked.to.received == []
    assert [one["status"] for one in await hooked.deliveries(hook)] == ["pending"]
    await change(hooked, hook, status="active")
    await hooked.deliver()
    assert hooked.to.ids == [id_of(1)]


async def test_messages_that_ran_out_of_attempts_stay_failed(hooked: Hooked) -> None:
    hook = await hooked.register()
    hooked.to.answer = lambda _: 500
    await say(hooked.api, transition(1))
    await hooked.deliver_for(5 * DAY, every=HOUR)
    hooked.to.answer = lambda _: 200
    await change(hooked, hook, status="disabled")
    await change(hooked, hook, status="active")
    await hooked.deliver_for(HOUR)
    assert [one["status"] for one in await hooked.deliveries(hook)] == ["failed"]


async def test_a_secret_that_is_changed_in_the_middle_signs_what_comes_next(
    hooked: Hooked,
) -> None:
    hook = await hooked.register()
    await say(hooked.api, transition(1), transition(2))
    hooked.to.hold = asyncio.Event()
    delivering = asyncio.create_task(hooked.deliver())
    await eventually(hooked.to.has_received)
    await hooked.api.client.post(f"/v1/webhooks/{hook['id']}/rotate")
    hooked.to.hold.set()
    await delivering
    signed = [len(one.headers["webhook-signature"].split()) for one in hooked.to.received]
    assert signed == [1, 2]


@pytest.mark.parametrize(
    "body",
    [
        {"url": "ftp://example.com"},
        {"url": ""},
        {"events": []},
        {"events": ["nothing"]},
        {"status": "gone"},
        {"max_age": -1},
        {"secret": "mine"},
    ],
)
async def test_a_change_that_is_wrong_changes_nothing(
    hooked: Hooked, body: dict[str, object]
) -> None:
    hook = await hooked.register()
    before = await hooked.endpoint(hook)
    answer = await hooked.api.client.patch(f"/v1/webhooks/{hook['id']}", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["path"].split("[")[0] == next(iter(body))
    assert await hooked.endpoint(hook) == before


async def test_an_endpoint_that_is_not_there_cannot_be_changed(hooked: Hooked) -> None:
    for name in ("00000000-0000-0000-0000-000000000000", "nobody"):
        answer = await hooked.api.client.patch(f"/v1/webhooks/{name}", json={"max_age": 1})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
