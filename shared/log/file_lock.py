"""A lock that keeps a second process away from a file."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import InUse, SetupError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock beside *path*, which is given up when the process ends in whatever way.

    Raises:
        InUse: another process holds it.
        SetupError: the folder cannot be written to.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SetupError(f"{lock}: {error.strerror}; choose a folder for the log") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno not in {errno.EAGAIN, errno.EACCES}:
            raise SetupError(f"{lock}: {error.strerror}; choose a local folder") from error
        raise InUse(
            f"{path} is open in another process; stop that one, or choose another file"
        ) from error
    try:
        yield
    finally:
        os.close(handle)
