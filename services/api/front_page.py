"""The page at ``/``: what runs here, and where to go."""

from html import escape
from importlib.resources import files
from string import Template
from typing import Final

from services.api.paths import segment_of
from services.api.version import VERSION

_HERE: Final = files("services.api")
STYLE: Final = _HERE.joinpath("front.css").read_text("utf-8")
_PAGE: Final = Template(_HERE.joinpath("front.html").read_text("utf-8"))
_DEMO: Final = Template(
    """<h2>A customer of the demo</h2>
    <p>With the secret key that was printed at the first start (it stands in
    <code>credentials.json</code> of the data folder, too):</p>
    <p><code>curl -H "Authorization: Bearer sk_…" $address</code></p>"""
)


def front_page(base_url: str, demo_customer: str | None) -> str:
    """Return the page.

    Args:
        base_url: Where this server is reached, without a slash at its end.
        demo_customer: ``kind:value`` of a customer of the demo, who is no real person.
    """
    demo = ""
    if demo_customer is not None:
        address = f"{base_url}/v1/customers/{segment_of(demo_customer)}/journey"
        demo = _DEMO.substitute(address=escape(address))
    return _PAGE.substitute(version=escape(VERSION), demo=demo)
