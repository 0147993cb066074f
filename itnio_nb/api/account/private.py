"""Files that are their owner's alone: made so, and tightened where they are not."""

from __future__ import annotations

import errno
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from itnio_nb.errors import AccountWarning

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def make_private(path: Path) -> None:
    """Make an empty file that its owner alone can read and write; one that is there stays as it is.

    Raises `OSError`, also for a symbolic link, which could lead to any other file, and for what is no file.
    """
    with _opened(path, os.O_CREAT):
        pass


def tighten(path: Path, *, tell: bool = True) -> None:
    """Take a file away from all but its owner, and `tell` with an `AccountWarning`; nothing where there is none.

    Raises `OSError` as `make_private` does.
    """
    if os.name == "nt" or not os.path.lexists(path):
        return
    with _opened(path) as descriptor:
        if not os.fstat(descriptor).st_mode & _OTHERS:
            return
        with suppress(OSError):  # it belongs to somebody else, or its file system has no modes
            os.fchmod(descriptor, 0o600)
        is_open = os.fstat(descriptor).st_mode & _OTHERS
    if not tell:
        return
    now = "and that could not be changed: keep it in a folder of your own" if is_open else "and cannot any more"
    warnings.warn(f"Others could read or write {path}, {now}.", AccountWarning, stacklevel=3)


def refuse_link(path: Path) -> None:
    """Raise `OSError` for a symbolic link."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, f"{path.name} is a symbolic link: give the file that it leads to")


@contextmanager
def _opened(path: Path, flags: int = 0) -> Iterator[int]:
    refuse_link(path)
    descriptor = os.open(path, _FLAGS | flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, f"{path.name} is no file")
        yield descriptor
    finally:
        os.close(descriptor)
