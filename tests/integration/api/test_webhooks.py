"""Webhooks to real receivers: nothing lost, in order, on the schedule, signed."""

import asyncio
from collections import Counter
from uuid import UUID

import msgspec
import pytest
import standardwebhooks
import svix

from services.api.webhooks.deliveries import LEASE
from services.api.webhooks.delivering import Deliveries
from services.api.webhooks.schedule import DELAYS
from services.api.webhooks.sending import open_sender
from shared.clock import wall_clock
from shared.instants import DAY, HOUR, MINUTE, SECOND
from shared.touchpoints import JsonObject
from tests.eventually import eventually
from tests.fixtures.hooked import Hooked, id_of
from tests.fixtures.receivers import receiver
from tests.fixtures.served_api import NOW, PEPPER
from tests.fixtures.told_messages import ANA, merged, retraction, say, transition

BEN = UUID("bbbbbbbb-0000-5000-8000-000000000002")


async def test_an_endpoint_is_told_what_happens_from_then_on(hooked: Hooked) -> None:
    await say(hooked.api, transition(1))
    hook = await hooked.register()
    await say(hooked.api, transition(2))
    await hooked.deliver()
    [one] = hooked.to.received
    assert one.payload["type"] == "journey.transition"
    assert one.payload["timestamp"] == "2025-03-31T12:00:00Z"
    data = msgspec.convert(one.payload["data"], dict[str, object])
    assert data == transition(2)[2]
    assert {"id", "customer_id", "model", "version", "decided_at"} <= data.keys()
    [delivery] = await hooked.deliveries(hook)
    assert delivery["webhook_id"] == one.message_id == id_of(2)
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 1)
    assert (delivery["type"], delivery["response_status"]) == ("journey.transition", 204)


async def test_libraries_that_are_not_ours_verify_what_comes(hooked: Hooked) -> None:
    hooked.api.clock.now = wall_clock()
    hook = await hooked.register()
    await say(hooked.api, transition(1, at=wall_clock()))
    await hooked.deliver()
    [one] = hooked.to.received
    assert standardwebhooks.Webhook(str(hook["secret"])).verify(one.body, one.headers)
    svix.Webhook(str(hook["secret"])).verify(one.body, one.headers)


async def test_both_secrets_sign_for_a_day_after_a_rotation(hooked: Hooked) -> None:
    hooked.api.clock.now = wall_clock() - DAY + MINUTE
    old = str((await hooked.register())["secret"])
    hook = (await hooked.api.client.get("/v1/webhooks")).json()["items"][0]
    answer = await hooked.api.client.post(f"/v1/webhooks/{hook['id']}/rotate")
    new = answer.json()["secret"]
    assert new != old
    hooked.api.clock.now = wall_clock()
    await say(hooked.api, transition(1, at=wall_clock()))
    await hooked.deliver()
    for secret in (old, new):
        one = hooked.to.received[0]
        assert standardwebhooks.Webhook(secret).verify(one.body, one.headers)
    hooked.api.clock.now = wall_clock() + MINUTE
    await say(hooked.api, transition(2, at=wall_clock()))
    await hooked.deliver()
    two = hooked.to.received[1]
    assert standardwebhooks.Webhook(new).verify(two.body, two.headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(old).verify(two.body, two.headers)


async def test_ids_tell_assertions_and_what_takes_them_back_apart(hooked: Hooked) -> None:
    await hooked.register()
    _, kind, data = merged(ANA, BEN)
    await say(hooked.api, transition(1), retraction(1), transition(1, n=2))
    await say(hooked.api, (BEN, kind, data), (ANA, kind, data))  # one message under both keys
    await hooked.deliver()
    assert hooked.to.ids == [id_of(1), f"{id_of(1)}.retracted", id_of(1, 2), "msg_5"]
    types = [one.payload["type"] for one in hooked.to.received]
    assert types[1:] == ["journey.transition_retracted", "journey.transition", "customer.merged"]


async def test_an_endpoint_is_told_of_the_events_it_asked_for(hooked: Hooked) -> None:
    await hooked.register(events=["customer.merged", "model.activated"])
    activated: tuple[None, str, JsonObject] = (None, "model.activated", {"model": "shop"})
    await say(hooked.api, transition(1), merged(ANA, BEN), retraction(1), activated)
    await hooked.deliver()
    assert hooked.to.ids == ["msg_2", "msg_4"]


async def test_moves_that_are_old_when_they_are_decided_are_left_out(hooked: Hooked) -> None:
    await hooked.register(max_age=3_600)
    await say(
        hooked.api,
        transition(1, at=NOW - HOUR, decided_at=NOW),
        transition(2, at=NOW - HOUR - SECOND, decided_at=NOW),
        merged(ANA, BEN),
    )
    await hooked.deliver()
    assert hooked.to.ids == [id_of(1), "msg_3"]


async def test_a_day_is_how_old_a_move_may_be_unless_it_is_said(hooked: Hooked) -> None:
    hook = await hooked.register()
    assert hook["max_age"] == 86_400
    await say(
        hooked.api,
        transition(1, at=NOW - DAY, decided_at=NOW),
        transition(2, at=NOW - DAY - SECOND, decided_at=NOW),
    )
    await hooked.deliver()
    assert hooked.to.ids == [id_of(1)]


async def test_a_receiver_that_is_down_for_an_hour_loses_nothing(hooked: Hooked) -> None:
    customers = [UUID(int=number) for number in range(1, 31)]
    hook = await hooked.register()
    hooked.to.answer = lambda _: 503
    for round_ in range(4):
        told = (transition(100 * round_ + n, of=of) for n, of in enumerate(customers))
        await say(hooked.api, *told)
        await hooked.deliver_for(15 * MINUTE)
    asked_while_down = len(hooked.to.received)
    assert asked_while_down < 40, "an endpoint that fails is left alone"
    hooked.to.received.clear()
    hooked.to.answer = lambda _: 200
    await hooked.deliver_for(3 * HOUR, every=5 * MINUTE)
    assert Counter(hooked.to.ids) == Counter(
        id_of(100 * round_ + n) for round_ in range(4) for n in range(len(customers))
    )
    for n in range(len(customers)):
        of_one = [id_ for id_ in hooked.to.ids if int(id_.split(".")[0], 16) % 100 == n]
        assert of_one == [id_of(100 * round_ + n) for round_ in range(4)]
    assert {one["status"] for one in await hooked.deliveries(hook)} == {"delivered"}


async def test_a_message_is_tried_on_the_standard_schedule_and_then_no_more(
    hooked: Hooked,
) -> None:
    hook = await hooked.register()
    hooked.to.answer = lambda _: 500
    await say(hooked.api, transition(1))
    await hooked.deliver()
    times = [hooked.api.clock.now]
    for delay in DELAYS:
        hooked.api.clock.now += delay - SECOND
        await hooked.deliver()
        assert len(hooked.to.received) == len(times), "not before it is due"
        hooked.api.clock.now += SECOND
        await hooked.deliver()
        times.append(hooked.api.clock.now)
        assert len(hooked.to.received) == len(times)
    await hooked.deliver_for(3 * DAY, every=HOUR)
    assert hooked.to.ids == [id_of(1)] * 10
    [delivery] = await hooked.deliveries(hook)
    assert (delivery["status"], delivery["attempts"]) == ("failed", 10)
    assert (delivery["response_status"], delivery["error"]) == (500, "answered 500")


async def test_a_later_message_of_a_customer_waits_for_the_earlier_one(hooked: Hooked) -> None:
    await hooked.register()
    hooked.to.answer = lambda one: 500 if one.message_id == id_of(1) else 200
    await say(hooked.api, transition(1), transition(2), transition(3, of=BEN))
    await hooked.deliver()
    await hooked.deliver_for(MINUTE, every=10 * SECOND)
    assert id_of(2) not in hooked.to.ids
    assert id_of(3) in hooked.to.ids
    hooked.to.answer = lambda _: 200
    await hooked.deliver_for(10 * MINUTE)
    assert hooked.to.ids[-2:] == [id_of(1), id_of(2)]


async def test_gone_disables_an_endpoint(hooked: Hooked) -> None:
    hook = await hooked.register()
    hooked.to.answer = lambda _: 410
    await say(hooked.api, transition(1), transition(2))
    await hooked.deliver()
    assert (await hooked.endpoint(hook))["status"] == "disabled"
    hooked.to.answer = lambda _: 200
    await say(hooked.api, transition(3))
    await hooked.deliver_for(HOUR)
    assert hooked.to.ids == [id_of(1)]
    failed = await hooked.deliveries(hook)
    assert [one["status"] for one in failed] == ["failed", "failed"]
    again = f"/v1/webhooks/{hook['id']}/deliveries/{failed[0]['id']}/redeliver"
    answer = await hooked.api.client.post(again)
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_disabled")


@pytest.mark.parametrize("status", [429, 503])
async def test_what_an_endpoint_asks_for_is_waited_for(hooked: Hooked, status: int) -> None:
    await hooked.register()
    hooked.to.answer = lambda _: (status, {"Retry-After": "900"})
    await say(hooked.api, transition(1), transition(2, of=BEN))
    await hooked.deliver()
    asked = len(hooked.to.received)
    hooked.to.answer = lambda _: 200
    await hooked.deliver_for(14 * MINUTE)
    assert len(hooked.to.received) == asked
    await hooked.deliver_for(2 * MINUTE)
    assert {id_of(1), id_of(2)} <= set(hooked.to.ids[asked:])


async def test_redirects_are_failures_and_never_followed(hooked: Hooked) -> None:
    hook = await hooked.register()
    hooked.to.answer = lambda _: (302, {"Location": hooked.to.url + "/elsewhere"})
    await say(hooked.api, transition(1))
    await hooked.deliver()
    assert [one.path for one in hooked.to.received] == ["/hook"]
    [delivery] = await hooked.deliveries(hook)
    assert (delivery["status"], delivery["response_status"]) == ("pending", 302)


async def test_a_delivered_message_is_sent_again_when_asked_under_the_same_id(
    hooked: Hooked,
) -> None:
    hook = await hooked.register()
    await say(hooked.api, transition(1))
    await hooked.deliver()
    [delivery] = await hooked.deliveries(hook)
    again = f"/v1/webhooks/{hook['id']}/deliveries/{delivery['id']}/redeliver"
    answer = await hooked.api.client.post(again)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    await hooked.deliver()
    assert hooked.to.ids == [id_of(1), id_of(1)]


async def test_the_test_button_sends_one_signed_message_at_once(hooked: Hooked) -> None:
    hooked.api.clock.now = wall_clock()
    hook = await hooked.register(events=["model.activated"])
    answer = await hooked.api.client.post(f"/v1/webhooks/{hook['id']}/test")
    [one] = hooked.to.received
    assert one.payload["type"] == "webhook.test"
    assert standardwebhooks.Webhook(str(hook["secret"])).verify(one.body, one.headers)
    assert answer.json()["status"] == "delivered"
    assert answer.json()["webhook_id"] == one.message_id
    hooked.to.answer = lambda _: 500
    answer = await hooked.api.client.post(f"/v1/webhooks/{hook['id']}/test")
    assert (answer.json()["status"], answer.json()["response_status"]) == ("failed", 500)
    await hooked.deliver_for(HOUR)
    assert len(hooked.to.received) == 2


async def test_several_processes_share_the_work_without_doubles(hooked: Hooked) -> None:
    customers = [UUID(int=number) for number in range(1, 41)]
    await hooked.register()
    told = [transition(n, of=of) for n in range(4) for of in customers]
    await say(hooked.api, *(transition(n, of=one[0]) for n, one in enumerate(told)))
    async with open_sender(allow_private=True) as sender:
        others = [
            Deliveries(hooked.api.engine, sender, PEPPER, clock=hooked.api.clock) for _ in range(3)
        ]
        for _ in range(4):
            await asyncio.gather(*(one.deliver_due() for one in others))
    assert Counter(hooked.to.ids) == Counter(id_of(n) for n in range(len(told)))


async def test_what_a_process_took_and_left_is_sent_by_another_one(hooked: Hooked) -> None:
    await hooked.register()
    await say(hooked.api, transition(1))
    hooked.to.hold = asyncio.Event()
    dying = asyncio.create_task(hooked.deliver())
    await eventually(hooked.to.has_received)
    async with open_sender(allow_private=True) as sender:
        other = Deliveries(hooked.api.engine, sender, PEPPER, clock=hooked.api.clock)
        await other.deliver_due()
        assert hooked.to.ids == [id_of(1)], "it is still somebody's"
        hooked.to.hold.set()
        hooked.api.clock.now += LEASE
        await other.deliver_due()
    assert set(hooked.to.ids) == {id_of(1)}
    await dying


async def test_an_endpoint_that_nothing_listens_at_is_tried_again(hooked: Hooked) -> None:
    hook = await hooked.register(url="http://127.0.0.1:9/nothing")
    await say(hooked.api, transition(1))
    await hooked.deliver()
    [delivery] = await hooked.deliveries(hook)
    assert (delivery["status"], delivery["response_status"]) == ("pending", None)
    assert "ConnectError" in str(delivery["error"])


async def test_an_address_that_became_private_is_not_contacted(hooked: Hooked) -> None:
    hook = await hooked.register()
    await say(hooked.api, transition(1))
    async with open_sender(allow_private=False) as sender:
        careful = Deliveries(hooked.api.engine, sender, PEPPER, clock=hooked.api.clock)
        await careful.deliver_due()
    assert hooked.to.received == []
    [delivery] = await hooked.deliveries(hook)
    assert "leads into a private network" in str(delivery["error"])


async def test_a_slow_endpoint_holds_up_no_other_one(hooked: Hooked) -> None:
    await hooked.register()
    hooked.to.hold = asyncio.Event()
    async with receiver() as quick:
        await hooked.register(url=quick.url)
        await say(hooked.api, transition(1))
        delivering = asyncio.create_task(hooked.deliver())
        await eventually(hooked.to.has_received)
        await eventually(quick.has_received)
        hooked.to.hold.set()
        await delivering


async def test_a_process_that_stops_ends_what_is_on_its_way_and_begins_nothing(
    hooked: Hooked,
) -> None:
    await hooked.register()
    await say(hooked.api, *(transition(number) for number in range(5)))
    hooked.to.hold = asyncio.Event()
    stopping = asyncio.Event()
    running = asyncio.create_task(hooked.api.outlets.webhooks.run(stopping))
    await eventually(hooked.to.has_received)
    stopping.set()
    await asyncio.sleep(0)
    assert not running.done()
    hooked.to.hold.set()
    await running
    assert hooked.to.ids == [id_of(0)]
    async with open_sender(allow_private=True) as sender:
        other = Deliveries(hooked.api.engine, sender, PEPPER, clock=hooked.api.clock)
        await other.deliver_due()
    assert hooked.to.ids == [id_of(number) for number in range(5)]
