"""Backup and restore: onto an empty folder, and onto one whose log has gone on."""

from pathlib import Path

from tests.fixtures.commands import Command
from tests.fixtures.load import ledger_of
from tests.fixtures.processes import within
from tests.fixtures.product import Product, product_at


def sale(number: int) -> dict[str, object]:
    return {
        "event_id": f"o-{number}",
        "type": "order_completed",
        "occurred_at": "2026-01-05T10:00:00Z",
        "customer": {"user_id": f"u-{number}"},
    }


def stored(product: Product) -> int:
    with product.client() as client:
        return ledger_of(client.get("/v1/ledger").json()).stored


def test_a_backup_of_a_running_product_comes_to_life_elsewhere_with_its_keys(
    product: Product, command: Command, tmp_path: Path
) -> None:
    product.post(*(sale(number) for number in range(20)))
    product.wait_until_stored("o-19")
    file = tmp_path / "journeyline.backup"
    made = command("backup", file, "--data", product.data)
    assert made.code == 0, made.err
    assert file.stat().st_mode & 0o777 == 0o600
    again = command("backup", file, "--data", product.data)
    assert (again.code, "never overwrites" in again.err) == (1, True)
    key = product.credentials.secret_key
    product.stop()

    with product_at(tmp_path / "elsewhere") as other:
        restored = command("restore", file, "--data", other.data)
        assert restored.code == 0, restored.err
        other.start()
        assert other.credentials.secret_key == key
        assert stored(other) == 20
        assert other.receipt("o-7")["status"] == "stored"
        other.post(sale(20), sale(7))
        other.wait_until_stored("o-20")
        assert stored(other) == 21
        assert command("verify", "--quiet", "--data", other.data).code == 0
        other.stop()


def test_an_older_database_heals_by_reading_the_log_again(
    product: Product, command: Command, tmp_path: Path
) -> None:
    product.post(*(sale(number) for number in range(10)))
    product.wait_until_stored("o-9")
    file = tmp_path / "journeyline.backup"
    assert command("backup", file, "--no-log", "--data", product.data).code == 0
    product.post(*(sale(number) for number in range(10, 30)))
    product.wait_until_stored("o-29")
    in_use = command("restore", file, "--yes", "--data", product.data)
    assert (in_use.code, "in use" in in_use.err) == (1, True)
    product.stop()
    restored = command("restore", file, "--yes", "--data", product.data)
    assert "reads on from there" in restored.out, restored.err
    product.start()
    within(60, lambda: stored(product) == 30, lambda: f"{stored(product)} are stored")
    assert command("ledger", "--data", product.data).code == 0
    assert command("verify", "--quiet", "--data", product.data).code == 0


def test_a_folder_with_another_log_is_left_as_it_was(
    product: Product, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "journeyline.backup"
    assert command("backup", file, "--data", product.data).code == 0
    with product_at(tmp_path / "other") as other:
        other.start()
        other.stop()
        secrets = (other.data / "secrets.json").read_bytes()
        refused = command("restore", file, "--yes", "--data", other.data)
        assert (refused.code, "another log" in refused.err) == (1, True)
        assert (other.data / "secrets.json").read_bytes() == secrets
        other.start()
        other.stop()


def test_what_is_no_backup_is_refused(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("nothing", "utf-8")
    refused = command("restore", file, "--data", tmp_path / "data")
    assert (refused.code, "is no backup" in refused.err) == (1, True)
    nothing = command("backup", tmp_path / "out", "--data", tmp_path / "nowhere")
    assert (nothing.code, "no data folder" in nothing.err) == (1, True)
