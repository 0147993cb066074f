"""Lock files beside the ledger: an owner of claims is alive for as long as it holds its own."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from threading import Event

from filelock import FileLock, Timeout

from itnio_nb.api.account.private import refuse_link

_RETRY = 0.1  # seconds between two tries to take a lock
_TOKEN = re.compile("[0-9a-f]{16}")  # a name of a file: a ledger of somebody else can have any text for one
_OLD = 60.0  # seconds after which a lock file that nobody holds is deleted: by then its maker holds it, or is gone


class OwnerLock:
    """Hold a lock file of its own until `release`; the system releases it when the process ends, however it does.

    `is_alive(ledger, owner.token)` tells any process. A kill is seen at once, and a closed laptop keeps what it holds.
    """

    def __init__(self, ledger: Path) -> None:
        _sweep(ledger)
        self.token = secrets.token_hex(8)  # never used again, so that a dead owner stays dead
        self._path = _lock_path(ledger, self.token)
        self._lock = _file_lock(self._path)
        self._lock.acquire(timeout=0)

    def is_sure(self) -> bool:
        """Return True: nobody takes it for dead while its process lives."""
        return True

    def release(self) -> None:
        """Release the lock: from now on this owner is dead."""
        with suppress(OSError):  # on a disk that has failed the file stays; nobody holds it
            self._path.unlink(missing_ok=True)
        self._lock.release()


def is_alive(ledger: Path, token: str) -> bool:
    """Tell whether an owner still holds its lock; assume so where its file belongs to another user."""
    if not _TOKEN.fullmatch(str(token)):
        return False
    path = _lock_path(ledger, token)
    return path.exists() and _is_held(path)


def _is_held(path: Path) -> bool:
    try:
        with _file_lock(path).acquire(timeout=0):
            return False
    except (Timeout, PermissionError):
        return True
    except OSError:
        return False  # a disk that has failed: nobody can be at work on it


def _sweep(ledger: Path) -> None:
    """Delete the lock files that killed processes have left."""
    for path in ledger.parent.glob(f"{escape(ledger.name)}-*.lock"):
        with suppress(OSError):  # another process deletes it
            if time.time() - path.stat().st_mtime > _OLD and not _is_held(path):
                path.unlink()


@contextmanager
def exclusive_lock(ledger: Path, name: str, stopping: Event) -> Iterator[None]:
    """Enter when no other process is inside with the same ledger and name; enter anyway once `stopping` is set."""
    lock = None
    while not stopping.is_set():
        try:
            lock = _file_lock(_lock_path(ledger, name))
            lock.acquire(timeout=0)
            break
        except Timeout:
            stopping.wait(_RETRY)
        except OSError:
            break  # a disk that has failed: using the ledger raises the error
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _lock_path(ledger: Path, token: str) -> Path:
    return ledger.with_name(f"{ledger.name}-{token}.lock")


def _file_lock(path: Path) -> FileLock:
    refuse_link(path)
    # Not per thread: a run acquires it in one thread and releases it in another.
    return FileLock(path, mode=0o600, thread_local=False)
