"""What the demo shop and its customers say to each other: mails, calls, surveys, reviews."""

from services.standalone.demo import chances
from services.standalone.demo.assortment import (
    BLAME,
    COMPLAINTS,
    HELP,
    PRAISE,
    PRODUCTS,
    QUESTIONS,
    SHOP,
    page,
)
from services.standalone.demo.life import Life, Order
from services.standalone.demo.shopping import looks_at
from shared.instants import DAY, HOUR, MINUTE
from shared.touchpoints import JsonObject

HIGHEST_RATING = 5


def calls_to_ask(life: Life) -> None:
    """The person asks the contact center something before buying."""
    life.by_phone("call_answered", _call(life, "question"), life.one_of(QUESTIONS))


def calls_for_help(life: Life) -> None:
    """The person needs help with something bought."""
    life.by_phone("call_answered", _call(life, "help"), life.one_of(HELP))


def complains(life: Life) -> None:
    """The person calls to complain."""
    life.by_phone("complaint_made", _call(life, "complaint"), life.one_of(COMPLAINTS))


def gets_mail(life: Life, subject: str, *, opens: bool = False, clicks: bool = False) -> None:
    """The shop sends a mail; the person may open it and click on what it shows."""
    about: JsonObject = {"subject": f"{SHOP}: {subject}"}
    life.by_mail("email_delivered", about)
    if opens:
        life.now += life.chance.randrange(5, 600) * MINUTE
        life.by_mail("email_opened", about)
    if clicks:
        life.pause()
        life.by_mail("email_clicked", about | {"link": "https://shop.demo.example/offers"})


def answers_survey(life: Life, score: int, *, order: Order) -> None:
    """The person answers how likely they are to recommend the shop, from 0 to 10."""
    content: JsonObject = {"survey": "nps", "score": score, "order_id": order.order_id}
    life.by_mail("survey_answered", content)


def reviews(life: Life, rating: int, *, order: Order) -> None:
    """The person gives a product one to five stars and says why."""
    content: JsonObject = {"rating": rating, "product": order.product, "order_id": order.order_id}
    text = life.one_of(PRAISE if rating == HIGHEST_RATING else BLAME)
    life.on_web("review_posted", content, page("reviews", "reviews"), text=text)


def recommends(life: Life) -> None:
    """The person sends a friend to the shop."""
    life.on_web("referral_made", {"by": "link"}, page("tell a friend", "friends"))


def reads_newsletters(life: Life) -> None:
    """Add the newsletters to a life whose other touchpoints are all written.

    They go out on fixed days. Who was here lately opens more of them; who clicks looks at a
    product.
    """
    if life.subscribed_at is None:
        return
    visited = sorted(entry.at for entry in life.entries)
    every = chances.DAYS_BETWEEN_NEWSLETTERS
    for issue, day in enumerate(range(every, (life.ends_at - life.first_day) // DAY + 1, every), 1):
        sent_at = life.first_day + day * DAY + 7 * HOUR
        if sent_at <= life.subscribed_at:
            continue
        life.now = sent_at
        attentive = any(0 <= sent_at - at <= chances.DAYS_OF_ATTENTION * DAY for at in visited)
        likely = chances.OPENS_WHEN_ATTENTIVE if attentive else chances.OPENS_OTHERWISE
        opens = life.happens(likely)
        clicks = opens and life.happens(chances.CLICKS_WHEN_OPENED)
        gets_mail(life, f"newsletter {issue}", opens=opens, clicks=clicks)
        if clicks:
            looks_at(life, life.one_of(PRODUCTS))
        if opens and life.happens(chances.UNSUBSCRIBES):
            life.by_mail("email_unsubscribed", {})
            return


def _call(life: Life, reason: str) -> JsonObject:
    agent = f"demo-agent-{life.chance.randrange(1, 7)}"
    return {"reason": reason, "minutes": life.chance.randrange(2, 19), "agent": agent}
