"""Secrets of a standalone deployment: made once, kept in its data folder."""

import os
import secrets
from pathlib import Path
from typing import Self

import msgspec

from shared.errors import SetupError


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What makes keys and cursors unforgeable; lost secrets make every key unknown."""

    key_pepper: bytes
    cursor_secret: bytes

    def __repr__(self) -> str:
        return "Secrets(…)"

    @classmethod
    def generate(cls) -> Self:
        """Return new secrets of 32 random bytes each."""
        return cls(key_pepper=secrets.token_bytes(32), cursor_secret=secrets.token_bytes(32))


def load_secrets(path: Path) -> Secrets:
    """Return the secrets kept at *path*, made on first use with mode 0600.

    Raises:
        SetupError: the file is there but is no such file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Secrets)
    except FileNotFoundError:
        made = Secrets.generate()
        write_private(path, msgspec.json.encode(made))
        return made
    except (OSError, msgspec.DecodeError) as error:
        raise SetupError(
            f"{path} is damaged: put it back from a backup. Without it no key of this data folder "
            "can be recognised"
        ) from error


def write_private(path: Path, content: bytes) -> None:
    """Write *content* so that only this user can read it, all of it or nothing."""
    made = path.with_name(path.name + ".new")
    made.unlink(missing_ok=True)
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)
