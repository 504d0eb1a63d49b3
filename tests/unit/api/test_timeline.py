from hypothesis import given
from hypothesis import strategies as st

from services.api.timeline import (
    IdentityItem,
    ItemKey,
    Kind,
    Order,
    Window,
    first_of,
    mark_of,
    window_of,
)
from shared.instants import EARLIEST, LATEST, datetime_of, instant_of

EVERYTHING = Window(EARLIEST, LATEST)
ITEM = IdentityItem("", "linked", "", "", "", None, None, None, None)

keys = st.builds(
    ItemKey,
    st.integers(0, 3).map(datetime_of),
    st.sampled_from(list(Kind)),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["", "1", "2"]),
    st.sampled_from(["", "x"]),
)
orders: st.SearchStrategy[Order] = st.sampled_from(["asc", "desc"])


def offered(key: ItemKey, window: Window, order: Order) -> bool:
    """Tell whether a reader of *key*'s kind returns it for *window*, as the statements do."""
    bound = window.bound(order)
    place = (key.at, *key[2:])
    behind = place < bound if order == "desc" else place > bound
    return behind and window.start <= instant_of(key.at) < window.end


@given(st.sets(keys), keys, orders)
def test_what_is_offered_behind_a_mark_is_exactly_what_stands_behind_it(
    stored: set[ItemKey], last: ItemKey, order: Order
) -> None:
    window = Window(EARLIEST, LATEST, after=last)
    found = {key for key in stored if offered(key, window_of(Kind(key.kind), window, order), order)}
    assert found == {key for key in stored if (key < last if order == "desc" else key > last)}


@given(st.sets(keys), orders, st.integers(1, 4))
def test_pages_put_together_are_the_whole_in_order(
    stored: set[ItemKey], order: Order, limit: int
) -> None:
    read: list[ItemKey] = []
    window, more = EVERYTHING, True
    while more:
        rest = [
            (key, ITEM)
            for key in stored
            if offered(key, window_of(Kind(key.kind), window, order), order)
        ]
        page, more = first_of(rest, limit, order)
        read += [key for key, _ in page]
        if more:
            mark = mark_of(read[-1], known_at=0, settled_at=0, identifiers=(), version="")
            window = Window(EARLIEST, LATEST, after=mark.key)
    assert read == sorted(stored, reverse=order == "desc")


def test_an_interval_bounds_what_a_mark_leaves() -> None:
    last = ItemKey(datetime_of(10), Kind.TOUCHPOINT, "a", "1", "")
    within = Window(4, 8, after=last)
    assert window_of(Kind.TRANSITION, within, "desc") == Window(4, 8)
    assert window_of(Kind.IDENTITY, Window(4, 20, after=last), "desc") == Window(4, 11)
