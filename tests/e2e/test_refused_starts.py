"""Starts that must not be: each ends with one line that says what to do, and leaves nothing."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.processes import AS_ORDINARY_USER, AS_ROOT, REACHING_ANYTHING
from tests.fixtures.product import Product, copied, product_at


@pytest.fixture(scope="module")
def sound_folder(used_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that every test here leaves as it was."""
    return copied(used_folder, tmp_path_factory.mktemp("sound") / "data")


def _refusal(product: Product, *options: str) -> str:
    """Start in vain; return the line that says why."""
    product.begin(*options)
    assert product.ended() == 1, product.said
    assert "Traceback" not in product.said
    [line] = [line for line in product.said.splitlines() if line.startswith("journeyline: ")]
    return line


def test_a_second_process_on_the_same_folder_is_refused(shared_product: Product) -> None:
    second = Product(shared_product.data)
    line = _refusal(second)
    assert f"in use by process {shared_product.pid}" in line
    assert second.said == f"{line}\n"
    shared_product.post({"type": "page_viewed", "customer": {"email": "me@example.com"}})


def test_a_port_in_use_is_refused_before_anything_is_made(new_product: Product) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = _refusal(new_product, "--port", str(port))
    assert f"port {port} is in use" in line
    assert not new_product.data.exists()


def test_an_address_of_another_machine_is_refused(new_product: Product) -> None:
    assert "192.0.2.1" in _refusal(new_product, "--host", "192.0.2.1")
    assert not new_product.data.exists()


@AS_ROOT
def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    with product_at(tmp_path / "data", prefix=[*AS_ORDINARY_USER, *REACHING_ANYTHING]) as product:
        line = _refusal(product)
    assert str(tmp_path / "data") in line
    assert "--data" in line
    assert not product.data.exists()


def _spoiled(path: Path, _: bytes) -> None:
    path.write_bytes(b"\0\xffnot what it was" * 1_000)


def _truncated(path: Path, content: bytes) -> None:
    path.write_bytes(content[: len(content) // 2])


def _missing(_: Path, __: bytes) -> None:
    pass


@pytest.mark.parametrize(
    ("harm", "place"),
    [
        (_spoiled, "versions.json"),
        (_missing, "versions.json"),
        (_spoiled, "secrets.json"),
        (_spoiled, "credentials.json"),
        (_spoiled, "log/log.sqlite"),
        (_truncated, "log/log.sqlite"),
        (_missing, "postgres/cluster"),
        (_missing, "postgres/cluster/PG_VERSION"),
        (_missing, "postgres/cluster/global/pg_control"),
        (_missing, "postgres/password"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__.strip("_"),
)
def test_a_damaged_folder_is_refused(
    sound_folder: Path, harm: Callable[[Path, bytes], None], place: str
) -> None:
    path = sound_folder / place
    aside = sound_folder.with_name("aside")
    path.rename(aside)
    try:
        harm(path, aside.read_bytes() if aside.is_file() else b"")
        with product_at(sound_folder) as product:
            line = _refusal(product)
        assert str(sound_folder) in line
        assert path.name in product.said
    finally:
        path.unlink(missing_ok=True)
        aside.rename(path)
