"""Who is at work on a ledger: an owner of claims lives for as long as it holds its lock file beside the ledger."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from threading import Event

from filelock import FileLock, Timeout

_TICK = 0.1  # seconds between two tries to take a lock
_OLD = 60.0  # seconds after which a lock file that nobody holds is taken away: by then its maker holds it, or is gone


class OwnerLock:
    """Holds a lock file of its own until `release`; the system lets go of it when the process ends, however it does.

        owner = Owner(ledger.path)
        lives(ledger.path, owner.token)     # True, seen from any process
        owner.release()

    No clock is involved: a kill is seen at once, and a closed laptop keeps what it holds.
    """

    def __init__(self, ledger: Path) -> None:
        _sweep(ledger)
        self.token = secrets.token_hex(8)  # never used again, so that a dead owner stays dead
        self._path = _lock_path(ledger, self.token)
        self._lock = _file_lock(self._path)
        self._lock.acquire(timeout=0)

    def release(self) -> None:
        """Let go: from now on this owner is gone."""
        with suppress(OSError):  # on a disk that has failed it stays, and says nothing
            self._path.unlink(missing_ok=True)
        self._lock.release()


def is_alive(ledger: Path, token: str) -> bool:
    """Tell whether an owner still holds its lock; one whose file belongs to another user is taken to."""
    path = _lock_path(ledger, token)
    return path.exists() and _is_held(path)


def _is_held(path: Path) -> bool:
    probe = _file_lock(path)
    try:
        probe.acquire(timeout=0)
    except (Timeout, PermissionError):
        return True
    except OSError:
        return False  # a disk that has failed: nobody can be at work on it
    probe.release()
    return False


def _sweep(ledger: Path) -> None:
    """Take away the lock files of those who were killed."""
    for path in ledger.parent.glob(f"{escape(ledger.name)}-*.lock"):
        with suppress(OSError):  # somebody else takes it away
            if time.time() - path.stat().st_mtime > _OLD and not _is_held(path):
                path.unlink()


@contextmanager
def exclusive_lock(ledger: Path, what: str, stopping: Event) -> Iterator[None]:
    """Do something that of all processes one at a time may do; enter anyway once `stopping` is set."""
    lock = _file_lock(_lock_path(ledger, what))
    while not stopping.is_set():
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            stopping.wait(_TICK)
        except OSError:
            break  # a disk that has failed: the ledger says so when it is used
    try:
        yield
    finally:
        lock.release()


def _lock_path(ledger: Path, token: str) -> Path:
    return ledger.with_name(f"{ledger.name}-{token}.lock")


def _file_lock(path: Path) -> FileLock:
    # Not per thread: a run takes it in one thread and lets go of it in another.
    return FileLock(path, mode=0o600, thread_local=False)
