"""One process at a time in a data folder, and only one that understands it."""

import asyncio
import os
import stat
import sys
from pathlib import Path
from subprocess import PIPE

import msgspec
import pytest

from services.standalone.data_folder import DATA_FORMAT, Versions, open_data_folder
from services.standalone.postgres_binaries import bundled_major
from shared.errors import SetupError

ROOT = Path(__file__).parents[3]
HOLD = """
import sys
from pathlib import Path
from services.standalone.data_folder import open_data_folder

with open_data_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def _record(path: Path, versions: Versions) -> None:
    path.mkdir()
    (path / "versions.json").write_bytes(msgspec.json.encode(versions))


def _cluster(path: Path, major: str) -> None:
    (path / "postgres" / "cluster").mkdir(parents=True)
    (path / "postgres" / "cluster" / "PG_VERSION").write_text(f"{major}\n")


def _refusal(path: Path) -> str:
    with pytest.raises(SetupError) as caught, open_data_folder(path):
        pytest.fail("the folder was opened")
    return caught.value.message


def test_a_missing_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "däta 'folder'"
    with open_data_folder(path) as folder:
        assert folder.path == path
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.mkdir()
    path.chmod(0o750)
    with open_data_folder(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o750


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_data_folder(Path("data")) as folder:
        assert folder.path == tmp_path / "data"


def test_a_second_use_in_the_same_process_is_refused(tmp_path: Path) -> None:
    with open_data_folder(tmp_path / "data"):
        assert f"in use by process {os.getpid()}" in _refusal(tmp_path / "data")


async def test_another_process_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "data"
    holder = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLD,
        path,
        stdin=PIPE,
        stdout=PIPE,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    message = _refusal(path)
    assert str(path) in message
    assert f"process {holder.pid}" in message
    holder.kill()
    await holder.wait()
    with open_data_folder(path):
        pass


def test_a_folder_can_be_used_again_after_it_was_given_free(tmp_path: Path) -> None:
    for _ in range(2):
        with open_data_folder(tmp_path / "data"):
            pass


def test_the_folder_is_given_free_when_its_user_fails(tmp_path: Path) -> None:
    with pytest.raises(LookupError), open_data_folder(tmp_path / "data"):
        raise LookupError
    with open_data_folder(tmp_path / "data"):
        pass


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_text("in the way")
    message = _refusal(path)
    assert str(path) in message
    assert "--data" in message


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "--data" in _refusal(tmp_path / "file" / "data")


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    assert "Cannot use /proc/journeyline" in _refusal(Path("/proc/journeyline"))


def test_a_new_folder_records_what_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with open_data_folder(path):
        found = msgspec.json.decode((path / "versions.json").read_bytes(), type=Versions)
    assert found.data_format == DATA_FORMAT
    assert found.journeyline
    assert found.postgresql is None


def test_a_database_made_meanwhile_is_on_record_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with open_data_folder(path):
        _cluster(path, str(bundled_major()))
    found = msgspec.json.decode((path / "versions.json").read_bytes(), type=Versions)
    assert found.postgresql == bundled_major()


def test_a_newer_data_format_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    newer = Versions(data_format=DATA_FORMAT + 1, journeyline="9.9.9")
    _record(tmp_path / "data", newer)
    assert "newer journeyline (9.9.9" in _refusal(tmp_path / "data")
    kept = (tmp_path / "data" / "versions.json").read_bytes()
    assert msgspec.json.decode(kept, type=Versions) == newer


def test_another_postgresql_major_is_refused(tmp_path: Path) -> None:
    _record(tmp_path / "data", Versions(data_format=1, journeyline="0.0.1", postgresql=15))
    _cluster(tmp_path / "data", "15")
    message = _refusal(tmp_path / "data")
    assert "PostgreSQL 15" in message
    assert "pg_upgrade" in message


@pytest.mark.parametrize(
    "written", [b"", b"{", b"\xff\xfe", b"[]", b'{"journeyline": "0.1.0"}', b'{"data_format": "1"}']
)
def test_a_damaged_record_is_refused(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "versions.json").write_bytes(written)
    message = _refusal(tmp_path)
    assert "versions.json" in message
    assert "damaged" in message


@pytest.mark.parametrize("place", ["postgres", "log"])
def test_a_used_folder_without_a_record_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir()
    assert "versions.json is missing" in _refusal(tmp_path)


def test_a_record_of_a_database_that_is_gone_is_refused(tmp_path: Path) -> None:
    _record(
        tmp_path / "data",
        Versions(data_format=1, journeyline="0.1.0", postgresql=bundled_major()),
    )
    assert "does not hold" in _refusal(tmp_path / "data")


def test_a_database_without_its_version_is_refused(tmp_path: Path) -> None:
    _record(tmp_path / "data", Versions(data_format=1, journeyline="0.1.0"))
    (tmp_path / "data" / "postgres" / "cluster").mkdir(parents=True)
    assert "PG_VERSION" in _refusal(tmp_path / "data")


def test_a_folder_in_which_a_restore_was_broken_off_is_only_restored_again(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with open_data_folder(path) as folder:
        folder.restoring.touch()
    assert "journeyline restore FILE" in _refusal(path)
    with open_data_folder(path, to_restore=True) as folder:
        folder.restoring.unlink()
    with open_data_folder(path):
        assert path.exists()
