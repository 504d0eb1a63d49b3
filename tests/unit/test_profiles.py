"""A profile is the same sum, however its touchpoints come together."""

from hypothesis import given
from hypothesis import strategies as st

from shared.profiles import Profile, profile_of
from shared.touchpoints import Touchpoint
from tests.strategies.journeys import touchpoints

histories = st.lists(
    touchpoints(), min_size=1, max_size=8, unique_by=lambda one: (one.source, one.event_id)
)


@given(histories, st.data())
def test_touchpoints_add_up_to_one_profile_in_any_order_and_any_portions(
    history: list[Touchpoint], data: st.DataObject
) -> None:
    at_once = profile_of(history)
    rest, portioned = data.draw(st.permutations(history)), None
    while rest:
        number = data.draw(st.integers(1, len(rest)))
        portioned = profile_of(rest[:number], portioned)
        rest = rest[number:]
    assert portioned == at_once
    assert at_once is not None
    assert Profile.decode(at_once.encode()) == at_once


def test_nothing_added_leaves_a_profile_as_it_is() -> None:
    assert profile_of(()) is None


@given(histories)
def test_a_profile_counts_by_channel_and_knows_its_first_and_last_contact(
    history: list[Touchpoint],
) -> None:
    profile = profile_of(history)
    assert profile is not None
    assert profile.total == len(history) == sum(profile.by_channel.values())
    places = [one.place for one in history]
    assert profile.first[:3] == min(places)
    assert profile.last[:3] == max(places)
    latest: dict[str, object] = {}
    for touchpoint in sorted(history, key=lambda one: one.place):
        latest |= touchpoint.traits
    present = {key: value for key, value in latest.items() if value is not None}
    assert profile.present_traits() == present
