"""Who is at work on a ledger: an owner of claims lives for as long as it holds its lock file beside the ledger."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from filelock import FileLock, Timeout

_TICK = 0.1  # seconds between two tries to take a lock


class Owner:
    """Holds a lock file of its own until `release`; the system lets go of it when the process ends, however it does.

        owner = Owner(ledger.path)
        lives(ledger.path, owner.token)     # True, seen from any process
        owner.release()

    No clock is involved: a kill is seen at once, and a closed laptop keeps what it holds.
    """

    def __init__(self, ledger: Path) -> None:
        self.token = secrets.token_hex(8)  # never used again, so that a dead owner stays dead
        self._path = _lock_path(ledger, self.token)
        self._lock = _file_lock(self._path)
        self._lock.acquire(timeout=0)

    def release(self) -> None:
        """Let go: from now on this owner is gone."""
        self._path.unlink(missing_ok=True)
        self._lock.release()


def lives(ledger: Path, token: str) -> bool:
    """Tell whether an owner still holds its lock."""
    path = _lock_path(ledger, token)
    if not path.exists():
        return False
    probe = _file_lock(path)
    try:
        probe.acquire(timeout=0)
    except Timeout:
        return True
    probe.release()
    return False


def forget(ledger: Path, token: str) -> None:
    """Remove what a dead owner has left."""
    with suppress(OSError):
        _lock_path(ledger, token).unlink(missing_ok=True)


@contextmanager
def alone(ledger: Path, what: str, stopping: Event) -> Iterator[None]:
    """Do something that of all processes one at a time may do; enter anyway once `stopping` is set."""
    lock = _file_lock(_lock_path(ledger, what))
    while not stopping.is_set():
        with suppress(Timeout):
            lock.acquire(timeout=0)
            break
        stopping.wait(_TICK)
    try:
        yield
    finally:
        lock.release()


def _lock_path(ledger: Path, token: str) -> Path:
    return ledger.with_name(f"{ledger.name}-{token}.lock")


def _file_lock(path: Path) -> FileLock:
    # Not per thread: a run takes it in one thread and lets go of it in another.
    return FileLock(path, mode=0o600, thread_local=False)
