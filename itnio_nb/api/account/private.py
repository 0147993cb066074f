"""Files that are their owner's alone: made so, and tightened where they are not.

A file that is there is never opened here: closing it would release the locks that SQLite holds on it in this process
(https://sqlite.org/howtocorrupt.html, "POSIX advisory locks canceled").
"""

from __future__ import annotations

import errno
import os
import stat
import warnings
from contextlib import suppress
from pathlib import Path

from itnio_nb.errors import AccountWarning

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(path: Path) -> None:
    """Make an empty file that its owner alone can read and write; one that is there stays as it is.

    Raises `OSError`, also for a symbolic link, which could lead to any other file, and for what is no file.
    """
    if _mode(path) is None:
        with suppress(FileExistsError):  # somebody else was quicker
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def tighten(path: Path, *, tell: bool = True) -> None:
    """Take a file away from all but its owner, and `tell` with an `AccountWarning`; nothing where there is none.

    Raises `OSError` as `make_private` does.
    """
    mode = _mode(path)
    if os.name == "nt" or mode is None or not mode & _OTHERS:
        return
    with suppress(OSError):  # it belongs to somebody else, or its file system has no modes
        path.chmod(0o600)
    is_open = (_mode(path) or 0) & _OTHERS
    now = "and that could not be changed: keep it in a folder of your own" if is_open else "and cannot any more"
    if tell:
        warnings.warn(f"Others could read or write {path}, {now}.", AccountWarning, stacklevel=3)


def refuse_link(path: Path) -> None:
    """Raise `OSError` for a symbolic link."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, f"{path.name} is a symbolic link: give the file that it leads to")


def _mode(path: Path) -> int | None:
    """Return the mode of a file, None where there is none."""
    refuse_link(path)
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"{path.name} is no file")
    return mode
