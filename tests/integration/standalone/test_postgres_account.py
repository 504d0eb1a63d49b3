"""Whom PostgreSQL runs as, and what is said when that cannot be."""

import os
from pathlib import Path

import pytest

from services.standalone.postgres_account import postgres_account
from shared.errors import SetupError

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop to another user")
AS_USER = pytest.mark.skipif(os.geteuid() == 0, reason="root never runs PostgreSQL as itself")


def _put_refusing_setpriv(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "setpriv"
    program.write_text("#!/bin/sh\necho 'setpriv: not permitted' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@AS_ROOT
async def test_root_becomes_nobody_on_a_first_start(tmp_path: Path) -> None:
    account = await postgres_account(tmp_path / "cluster")
    assert account.uid == 65_534


@AS_ROOT
async def test_root_becomes_the_owner_of_what_is_there(tmp_path: Path) -> None:
    os.chown(tmp_path, 4_321, 1_234)
    account = await postgres_account(tmp_path)
    assert (account.uid, account.gid) == (4_321, 1_234)


@AS_ROOT
async def test_root_without_setpriv_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"util-linux.*DATABASE_URL"):
        await postgres_account(tmp_path / "cluster")


@AS_ROOT
async def test_root_that_may_not_become_another_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put_refusing_setpriv(tmp_path, monkeypatch)
    with pytest.raises(SetupError, match=r"not permitted.*DATABASE_URL"):
        await postgres_account(tmp_path / "cluster")


@AS_USER
async def test_an_ordinary_user_stays_himself_also_without_setpriv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put_refusing_setpriv(tmp_path, monkeypatch)
    account = await postgres_account(tmp_path / "cluster")
    assert account.uid == os.geteuid()
    assert account.command_prefix == ()
