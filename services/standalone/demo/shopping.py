"""Looking and buying in the demo shop, online and in its stores."""

from services.standalone.demo import chances
from services.standalone.demo.assortment import CURRENCY, PRODUCTS, STORES, Product, page
from services.standalone.demo.chances import Span
from services.standalone.demo.life import Life, Order
from shared.demo import STORE, WEB
from shared.touchpoints import JsonObject


def arrives(life: Life, campaign: str, *, sent_by: str | None = None) -> None:
    """The person comes to the site by way of a campaign, and looks at its first page.

    Args:
        life: Whose.
        campaign: What brought them.
        sent_by: The customer who referred them, as ``kind:value``.
    """
    context = page("welcome", "") | {"campaign": {"name": campaign}}
    life.on_web("page_viewed", {"referred_by": sent_by} if sent_by else {}, context)


def looks_at(life: Life, product: Product) -> None:
    """The person looks at one product."""
    life.pause()
    path = f"{product.category}/{product.name.lower().replace(' ', '-')}"
    life.on_web("product_viewed", product.properties(), page(product.name, path))


def lands(life: Life) -> None:
    """The person comes straight to a product, by way of a search."""
    takes_a_device(life)
    looks_at(life, life.one_of(PRODUCTS))


def visits(life: Life, looks: Span) -> None:
    """The person comes to the site and looks around."""
    takes_a_device(life)
    product = life.one_of(PRODUCTS)
    life.on_web("page_viewed", {}, page("welcome", ""))
    if life.happens(chances.LOOKS_UP_A_CATEGORY):
        life.pause()
        life.on_web(
            "category_viewed",
            {"category": product.category},
            page(product.category, product.category),
        )
    if life.happens(chances.SEARCHES):
        life.pause()
        life.on_web("product_searched", {"query": product.name.lower()}, page("search", "search"))
    for _ in range(life.between(looks)):
        looks_at(life, life.one_of(PRODUCTS))


def researches(life: Life) -> None:
    """The person reads up on things."""
    life.pause()
    kind = life.one_of(("comparison_viewed", "brochure_downloaded", "pricing_viewed"))
    life.on_web(kind, {}, page("advice", "advice"))


def subscribes(life: Life) -> None:
    """The person orders the newsletter, which tells the shop an address."""
    if life.subscribed_at is not None:
        return
    life.pause()
    customer: JsonObject = {
        "anonymous_id": life.person.device(life.device),
        "email": life.person.email,
    }
    life.write(WEB, "newsletter_subscribed", customer, context=page("newsletter", "newsletter"))
    life.reachable = True
    life.subscribed_at = life.now


def takes_a_device(life: Life) -> None:
    """The person takes the usual device or another one, which may not know them yet."""
    has_second = life.person.number % 100 < chances.HAS_SECOND_DEVICE * 100
    life.device = int(has_second and life.reachable and life.happens(chances.USES_SECOND_DEVICE))
    if life.logged_in and life.device not in life.logged_in and life.happens(chances.LOGS_IN_ON_IT):
        logs_in(life)


def logs_in(life: Life) -> None:
    """The person makes an account or logs in: from here on this device knows who it is."""
    if life.device in life.logged_in:
        return
    life.pause()
    who = life.person
    customer: JsonObject = {
        "user_id": who.user_id,
        "email": who.email,
        "anonymous_id": who.device(life.device),
    }
    traits: JsonObject = {"name": f"{who.name} (synthetic)", "city": who.city}
    life.write(WEB, "identify", customer, traits=traits, context=page("account", "account"))
    life.logged_in[life.device] = life.now
    life.reachable = True


def puts_in_cart(life: Life) -> None:
    """The person wants to buy something."""
    product = life.one_of(PRODUCTS)
    looks_at(life, product)
    life.pause()
    life.on_web("product_added", product.properties(), page("cart", "cart"))
    if life.happens(chances.STARTS_CHECKOUT):
        life.pause()
        life.on_web("checkout_started", product.properties(), page("checkout", "checkout"))


def orders(life: Life) -> Order:
    """The person buys online, as a guest or with an account."""
    if life.logged_in or life.happens(chances.MAKES_AN_ACCOUNT):
        logs_in(life)
    life.pause()
    order, content = _filled_basket(life, "o")
    if life.logged_in:
        life.on_web("order_completed", content, page("thank you", "thanks"))
    else:
        customer: JsonObject = {
            "anonymous_id": life.person.device(life.device),
            "email": life.person.email,
        }
        life.write(WEB, "order_completed", customer, properties=content)
    life.reachable = True
    return order


def buys_in_store(life: Life) -> Order:
    """The person buys in a store, and takes the loyalty card there if they have none."""
    store = life.one_of(STORES)
    if not life.has_card:
        customer: JsonObject = {"loyalty_id": life.person.loyalty_id}
        if life.reachable or life.happens(chances.MAKES_AN_ACCOUNT):
            customer["email"] = life.person.email
            life.reachable = True
        life.write(STORE, "loyalty_enrolled", customer, properties={"store": store})
        life.has_card = True
        life.pause()
    order, content = _filled_basket(life, "s")
    life.at_till("store_sale", content | {"store": store})
    return order


def returns(life: Life, order: Order, *, in_store: bool) -> None:
    """The person brings back what was bought, or sends it back."""
    life.orders.remove(order)
    content: JsonObject = {
        "order_id": order.order_id,
        "value": order.value,
        "currency": CURRENCY,
        "product": order.product,
    }
    if in_store:
        life.at_till("store_return", content | {"store": life.one_of(STORES)})
    else:
        life.on_web("order_refunded", content, page("returns", "returns"))


def _filled_basket(life: Life, letter: str) -> tuple[Order, JsonObject]:
    bought = [life.one_of(PRODUCTS) for _ in range(life.between(chances.ITEMS_BOUGHT))]
    number = f"demo-{letter}-{life.person.number:04d}-{len(life.entries)}"
    order = Order(number, round(sum(product.price for product in bought), 2), bought[0].name)
    life.orders.append(order)
    content: JsonObject = {
        "order_id": order.order_id,
        "value": order.value,
        "currency": CURRENCY,
        "products": [product.properties() for product in bought],
    }
    return order, content
