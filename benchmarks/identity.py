"""Print what normalising and folding identities cost: ``python benchmarks/identity.py``."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from random import Random
from time import perf_counter
from typing import Final

from shared.identity.components import Components, resolve
from shared.identity.links import Bars, Link
from shared.identity.normalisation import normalise
from shared.identity.policy_documents import default_policy
from shared.touchpoints import Identifier, Place

NO_BARS: Final[Bars] = frozenset()
POLICY: Final = default_policy()


def seconds(work: Callable[[], object]) -> float:
    """Return the shortest of five runs, which the rest of the machine disturbed least."""
    runs = []
    for _ in range(5):
        start = perf_counter()
        work()
        runs.append(perf_counter() - start)
    return min(runs)


def link(one: Identifier, other: Identifier, at: int) -> Link:
    """Return a link at its own place."""
    return Link.of(one, other, Place(at, "web", f"e{at}"))


def kiosk(users: int) -> list[Link]:
    """One device on which *users* people sign in, each of whom has an address too."""
    device = Identifier("anonymous_id", "kiosk")
    links = []
    for n in range(users):
        user = Identifier("user_id", f"u{n}")
        links.append(link(user, device, 2 * n))
        links.append(link(user, Identifier("email", f"u{n}@example.com"), 2 * n + 1))
    return links


def households(people: int) -> list[Link]:
    """*people* with three devices, an address and a number each."""
    kinds = ("anonymous_id", "anonymous_id", "anonymous_id", "email", "phone")
    return [
        link(Identifier("user_id", f"u{n}"), Identifier(kind, f"{n}-{i}"), n * len(kinds) + i)
        for n in range(people)
        for i, kind in enumerate(kinds)
    ]


def chain(length: int) -> list[Link]:
    """Cards of no limited kind linked one to the next, all one customer in the end."""
    cards = [Identifier("card", f"{n:06}") for n in range(length)]
    return [link(one, other, n) for n, (one, other) in enumerate(pairwise(cards))]


def print_normalisation() -> None:
    """Print nanoseconds per value, by kind."""
    print("normalise: nanoseconds each")
    for kind, value in (
        ("user_id", " u_42 "),
        ("email", " Ana@Example.com"),
        ("phone", "030 123456"),
    ):

        def many(kind: str = kind, value: str = value) -> None:
            for _ in range(100_000):
                normalise(kind, value, phone_region="DE")

        print(f"  {kind:10} {value!r:20} {seconds(many) * 1e4:8.0f}")

    numbers = [f"030 {n}" for n in Random(1).sample(range(100_000, 10_000_000), 12_000)]
    start = perf_counter()
    for number in numbers:
        normalise("phone", number, phone_region="DE")
    each = (perf_counter() - start) / len(numbers)
    print(f"  {'phone':10} {'never seen before':20} {each * 1e9:8.0f}")


def print_folds() -> None:
    """Print how folding grows with the number of links."""
    print("resolve: links, milliseconds, microseconds per link")
    for name, shape in (("households", households), ("kiosk", kiosk), ("chain", chain)):
        for size in (1_000, 10_000):
            links = shape(size)
            Random(size).shuffle(links)
            taken = seconds(partial(resolve, links, NO_BARS, POLICY))
            per_link = taken / len(links) * 1e6
            print(f"  {name:10} {len(links):7} {taken * 1e3:9.1f} {per_link:7.2f}")


def print_steps() -> None:
    """Print what one more link costs at a kiosk that has refused ten thousand."""
    components = Components(POLICY)
    links = kiosk(20_000)
    for each in links[:20_000]:
        components.add(each)
    start = perf_counter()
    for each in links[20_000:]:
        components.add(each)
    taken = (perf_counter() - start) / 20_000
    print(f"one more link at a kiosk with 10,000 refused: {taken * 1e6:.2f} microseconds")


if __name__ == "__main__":
    print_normalisation()
    print_folds()
    print_steps()
