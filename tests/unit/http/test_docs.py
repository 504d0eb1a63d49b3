import re
from collections.abc import AsyncGenerator

import httpx
import pytest

from shared.http.docs import docs_routes
from shared.http.front import Front


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Front(docs_routes("Journeys & more")))
    async with httpx.AsyncClient(transport=transport, base_url="http://h") as client:
        yield client


async def test_the_page_needs_nothing_but_what_it_comes_with(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "content-security-policy" in page.headers
    assert "<title>Journeys &amp; more</title>" in page.text
    wanted = re.findall(r'(?:href|src)="([^"]*)"', page.text)
    assert len(wanted) == 4
    for path in wanted:
        assert path.startswith("/docs/")
        answer = await client.get(path)
        assert answer.status_code == 200
        assert len(answer.content) > 100


async def test_nothing_inline_stands_in_the_page(client: httpx.AsyncClient) -> None:
    text = (await client.get("/docs")).text
    assert re.search(r"<script(?! src=)|<style|style=|\son[a-z]+=", text) is None


async def test_the_script_begins_with_the_description_of_this_server(
    client: httpx.AsyncClient,
) -> None:
    script = await client.get("/docs/start.js")
    assert 'url: "/openapi.json"' in script.text
    assert script.headers["content-type"].startswith("text/javascript")


async def test_what_a_browser_has_already_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/docs/swagger-ui.css")
    again = await client.get(
        "/docs/swagger-ui.css", headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get("/docs/swagger-ui.css", headers={"if-none-match": '"other"'})
    assert other.status_code == 200
