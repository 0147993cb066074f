"""Owners of claims: alive for as long as they hold their lock, whoever asks."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from itnio_nb.ledger.database.sqlite.locks import OwnerLock, exclusive_lock, is_alive
from tests.support.factories import until


def test_an_owner_is_alive_until_it_releases_its_lock(tmp_path: Path) -> None:
    """Seen from the same process too, whichever thread releases it; it leaves nothing behind."""
    ledger = tmp_path / "ledger.sqlite"
    owner, other = OwnerLock(ledger), OwnerLock(ledger)
    assert owner.token != other.token
    assert is_alive(ledger, owner.token)
    assert not is_alive(ledger, "nobody")
    assert not is_alive(tmp_path / "other.sqlite", owner.token)
    thread = threading.Thread(target=owner.release)
    thread.start()
    thread.join()
    assert (is_alive(ledger, owner.token), is_alive(ledger, other.token)) == (False, True)
    other.release()
    assert not list(tmp_path.iterdir())


def test_lock_files_of_the_killed_are_deleted(tmp_path: Path) -> None:
    """Old lock files that nobody holds, of this ledger alone; young ones may be about to be held."""
    ledger = tmp_path / "ledger [1].sqlite"
    living = OwnerLock(ledger)
    held, left, young = (tmp_path / f"{ledger.name}-{token}.lock" for token in (living.token, "dead", "new"))
    foreign = tmp_path / "other.sqlite-dead.lock"
    for path in (left, young, foreign):
        path.touch()
    for path in (held, left, foreign):
        os.utime(path, (0, 0))
    OwnerLock(ledger).release()
    assert sorted(tmp_path.iterdir()) == sorted([held, young, foreign])
    living.release()


def test_one_at_a_time(tmp_path: Path) -> None:
    """The second waits for the first; one that is to stop does not wait."""
    ledger, entered, go_on = tmp_path / "ledger.sqlite", threading.Event(), threading.Event()
    order: list[str] = []

    def second() -> None:
        with exclusive_lock(ledger, "run-1", go_on):
            order.append("second")
            entered.set()

    with exclusive_lock(ledger, "run-1", threading.Event()):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
        assert not entered.wait(0.3)
    until(entered.is_set)
    thread.join()
    assert order == ["first", "second"]
    go_on.set()
    with exclusive_lock(ledger, "run-1", threading.Event()):
        second()
    assert len(order) == 3
