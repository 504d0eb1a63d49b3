"""The life of one customer of the demo shop, from first contact to wherever the history ends."""

from services.standalone.demo import chances
from services.standalone.demo.assortment import PRODUCTS
from services.standalone.demo.life import Life, Order
from services.standalone.demo.shopping import (
    arrives,
    buys_in_store,
    lands,
    looks_at,
    orders,
    puts_in_cart,
    researches,
    returns,
    subscribes,
    takes_a_device,
    visits,
)
from services.standalone.demo.talking import (
    HIGHEST_RATING,
    answers_survey,
    calls_for_help,
    calls_to_ask,
    complains,
    gets_mail,
    reads_newsletters,
    recommends,
    reviews,
)
from shared.instants import DAY

CAMPAIGNS = ("search", "social", "a friend", "a flyer")


def live(life: Life) -> None:
    """Write down a whole life, beginning now."""
    if life.happens(chances.FIRST_IN_STORE):
        after_buying(life, buys_in_store(life))
        stays(life)
    else:
        arrives(life, life.one_of(CAMPAIGNS))
        if life.happens(chances.ONLY_LOOKS_IN):
            if life.happens(chances.LOOKS_UP_A_CATEGORY):
                looks_at(life, life.one_of(PRODUCTS))
            return
        goes_through_it(life)
    reads_newsletters(life)


def goes_through_it(life: Life) -> None:
    """Consider, decide and buy; whoever bought may stay, whoever did not may come back."""
    considers(life)
    if life.happens(chances.LOSES_INTEREST) or not decides(life):
        lapses(life)
        return
    after_buying(life, buys(life))
    stays(life)


def considers(life: Life) -> None:
    """Visit the site some times, read up, ask."""
    for _ in range(life.between(chances.VISITS_BEFORE_DECIDING)):
        life.wait_days(chances.DAYS_TO_NEXT_VISIT)
        visits(life, chances.LOOKS_IN_A_VISIT)
        if life.happens(chances.RESEARCHES):
            researches(life)
        if life.happens(chances.SUBSCRIBES):
            subscribes(life)
        if life.happens(chances.ASKS_BEFORE_BUYING):
            life.wait_days((0, 2))
            calls_to_ask(life)


def decides(life: Life) -> bool:
    """Put something into the cart; tell whether it leads to a purchase."""
    life.wait_days(chances.DAYS_TO_NEXT_VISIT)
    takes_a_device(life)
    puts_in_cart(life)
    if not life.happens(chances.ABANDONS_CART):
        return True
    comes_back = life.happens(chances.COMES_BACK_TO_CART)
    if life.reachable:
        life.wait_days(chances.DAYS_TO_CART_MAIL)
        gets_mail(life, "your cart", opens=comes_back, clicks=comes_back)
    if comes_back:
        life.wait_days(chances.DAYS_TO_COME_BACK_TO_CART)
    return comes_back


def buys(life: Life) -> Order:
    """Buy where this person likes to, or for once elsewhere."""
    prefers_store = life.person.number % 97 < chances.PREFERS_STORE * 97
    if prefers_store != life.happens(chances.BUYS_ELSEWHERE_THIS_TIME):
        life.wait_days((0, 2))
        return buys_in_store(life)
    order = orders(life)
    life.pause()
    gets_mail(life, f"order {order.order_id}", opens=life.happens(0.5))
    return order


def after_buying(life: Life, order: Order) -> None:
    """Use what was bought: need help, complain, send it back, say how it was."""
    happy = life.happens(chances.IS_HAPPY)
    if life.happens(chances.NEEDS_HELP):
        life.wait_days((2, 12))
        calls_for_help(life)
    if not happy and life.happens(chances.COMPLAINS):
        life.wait_days((2, 12))
        complains(life)
    if life.happens(chances.RETURNS_IT):
        life.wait_days(chances.DAYS_TO_RETURN)
        in_store = not life.logged_in
        returns(life, order, in_store=in_store or life.happens(chances.RETURNS_IT_IN_STORE))
        return
    says_how_it_was(life, order, happy=happy)


def says_how_it_was(life: Life, order: Order, *, happy: bool) -> None:
    """Answer a survey, write a review, recommend the shop; most do none of it."""
    if life.reachable and life.happens(chances.ANSWERS_SURVEY):
        life.wait_days((7, 14))
        answers_survey(life, life.between((8, 10) if happy else (0, 8)), order=order)
    if life.logged_in and life.happens(chances.REVIEWS):
        life.wait_days((3, 20))
        rating = HIGHEST_RATING if happy else life.between((1, 3))
        reviews(life, rating, order=order)
    if happy and life.logged_in and life.happens(chances.RECOMMENDS):
        life.wait_days((1, 10))
        recommends(life)


def stays(life: Life) -> None:
    """Come back and buy again, as long as it lasts."""
    while not life.is_over:
        if not life.happens(chances.BUYS_AGAIN):
            lapses(life)
            return
        next_at = life.now + life.between(chances.DAYS_BETWEEN_PURCHASES) * DAY
        for _ in range(life.between(chances.VISITS_BETWEEN_PURCHASES)):
            life.wait_days(chances.DAYS_TO_NEXT_VISIT)
            if life.now < next_at:
                visits(life, chances.LOOKS_IN_A_VISIT)
        life.now = max(life.now, next_at)
        after_buying(life, buys(life))


def lapses(life: Life) -> None:
    """Stay away, for long or for good."""
    if life.is_over or not life.happens(chances.COMES_BACK_AFTER_LAPSING):
        return
    life.wait_days(chances.DAYS_LAPSED)
    lands(life)
    goes_through_it(life)
