"""Starting and stopping the product: first starts, second starts, and starts cut short."""

import os
import shlex
import shutil
import signal
import socket
from pathlib import Path
from threading import Thread

import httpx
import msgspec

from tests.fixtures.processes import (
    AS_ORDINARY_USER,
    AS_ROOT,
    ORDINARY_USER,
    REACHING_ANYTHING,
    ended,
    spawn,
    within,
)
from tests.fixtures.product import START_SECONDS, Product, copied, product_at

ITEM = {"event_id": "one", "type": "page_viewed", "customer": {"email": "me@example.com"}}
ODD_PATH = "it's a \"quoted\" 'folder', $HOME; %s/Größe 顧客 🛤/-dash/" + "x" * 150 + "/" + "y" * 150


def test_a_first_start_makes_keys_and_prints_a_line_that_works_as_it_stands(
    new_product: Product,
) -> None:
    new_product.start()
    assert new_product.data.stat().st_mode & 0o777 == 0o700
    kept = new_product.data / "credentials.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    members = {"url", "source", "write_key", "secret_key"}
    assert set(msgspec.json.decode(kept.read_bytes())) == members
    credentials = new_product.credentials
    assert credentials.url == new_product.url
    assert credentials.source == "default"
    assert credentials.write_key in new_product.said
    assert credentials.secret_key in new_product.said
    [line] = [line for line in new_product.said.splitlines() if line.strip().startswith("curl ")]
    answer = _answer_to(line)
    assert answer["accepted"] == 1
    assert answer["source"] == "default"


def _answer_to(line: str) -> dict[str, object]:
    """Do what a line says that starts with ``curl``."""
    if shutil.which("curl"):
        ran = ended(spawn(["/bin/sh", "-c", f"{line} --silent --show-error"]))
        return msgspec.json.decode(ran.out, type=dict[str, object])
    _, url, _, header, _, body = shlex.split(line)
    name, _, value = header.partition(": ")
    return dict(httpx.post(url, headers={name: value}, content=body).json())


def test_a_second_start_keeps_keys_and_data(product: Product) -> None:
    before = product.credentials
    product.post(ITEM)
    product.wait_until_stored("one")
    product.stop(signal.SIGINT)
    assert product.said.splitlines()[-1] == "Stopped."
    product.start()
    after = product.credentials
    assert (after.write_key, after.secret_key) == (before.write_key, before.secret_key)
    assert after.url == product.url
    assert before.secret_key not in product.said, "keys are shown once"
    product.post(ITEM)
    within(30, lambda: product.receipt("one")["duplicates"] == 1, lambda: "is not recognised")


def test_impatience_in_the_terminal_does_no_harm(product: Product) -> None:
    product.post(ITEM)
    for _ in range(3):
        os.killpg(product.pid, signal.SIGINT)
    assert product.ended() == 0
    assert product.processes() == []
    assert "Traceback" not in product.said
    product.start()
    product.wait_until_stored("one")


def test_a_stop_does_not_wait_for_requests_that_never_end(product: Product) -> None:
    host, _, port = product.url.removeprefix("http://").partition(":")
    head = (
        f"POST /v1/touchpoints HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n"
        f"Authorization: Bearer {product.credentials.write_key}\r\n\r\n{{"
    )
    with socket.create_connection((host, int(port))) as half, product.client() as client:
        half.sendall(head.encode())
        asking = Thread(target=_wait_for_what_never_comes, args=[client])
        asking.start()
        within(10, lambda: _connections(int(port)) == 2, lambda: "the requests are not under way")
        product.stop()
        asking.join()
    assert "Traceback" not in product.said


def _wait_for_what_never_comes(client: httpx.Client) -> None:
    answer = client.get(
        "/v1/customers/email:me@example.com/journey",
        params={"wait_for": "api/never", "timeout": 30},
    )
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


def _connections(port: int) -> int:
    """Return how many clients are connected to *port*, as the kernel tells."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def test_first_starts_that_were_cut_short_hinder_nothing(new_product: Product) -> None:
    for moment in ("Creating the database", "Starting PostgreSQL"):
        _begin_until(new_product, moment)
        new_product.kill()
        _begin_until(new_product, moment)
        new_product.stop()
        assert "Traceback" not in new_product.said
    new_product.start()
    new_product.post(ITEM)
    new_product.wait_until_stored("one")


def _begin_until(product: Product, said: str) -> None:
    product.begin()
    within(START_SECONDS, lambda: said in product.said, lambda: product.said)


@AS_ROOT
def test_an_ordinary_user_needs_nothing_of_root(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, ORDINARY_USER, ORDINARY_USER)
    with product_at(home / "data", prefix=[*AS_ORDINARY_USER, *REACHING_ANYTHING]) as product:
        product.start()
        product.post(ITEM)
        product.wait_until_stored("one")
        assert {path.lstat().st_uid for path in product.data.rglob("*")} == {ORDINARY_USER}


def test_any_folder_will_do(tmp_path: Path, used_folder: Path) -> None:
    place = tmp_path / ODD_PATH
    place.mkdir(parents=True)
    with product_at(copied(used_folder, place / "data")) as product:
        product.start()
        product.post(ITEM)
        product.wait_until_stored("one")
        assert str(place / "data" / "credentials.json") in product.said


def test_lost_credentials_are_replaced_by_new_ones(stopped_product: Product) -> None:
    lost = stopped_product.credentials
    stopped_product.data.joinpath("credentials.json").unlink()
    stopped_product.start()
    assert stopped_product.credentials.secret_key != lost.secret_key
    assert stopped_product.credentials.secret_key in stopped_product.said
    stopped_product.post(ITEM)
