"""Owners: alive for as long as they hold their lock, whoever asks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from itnio_nb.ledger.locks import OwnerLock, exclusive_lock, is_alive
from tests.support.factories import until

HOLD = "import sys; from pathlib import Path; from itnio_nb.ledger.locks import OwnerLock\n"
HOLD += "owner = OwnerLock(Path(sys.argv[1])); print(owner.token, flush=True); sys.stdin.read()"


def test_an_owner_lives_until_it_lets_go(tmp_path: Path) -> None:
    """Seen from the same process too, whichever thread lets go; it leaves nothing behind."""
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


@pytest.mark.slow
def test_a_killed_owner_is_gone_at_once(tmp_path: Path) -> None:
    """The system lets go of its lock: no clock is asked."""
    ledger = tmp_path / "ledger.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    token = process.stdout.readline().strip()
    assert is_alive(ledger, token)
    process.kill()
    process.communicate()
    assert not is_alive(ledger, token)


def test_what_the_killed_left_is_swept_away(tmp_path: Path) -> None:
    """Old lock files that nobody holds, of this ledger alone; young ones may be about to be held."""
    ledger = tmp_path / "ledger [1].sqlite"
    living = OwnerLock(ledger)
    held, left, young, foreign = (
        tmp_path / name
        for name in (
            f"{ledger.name}-{living.token}.lock",
            f"{ledger.name}-dead.lock",
            f"{ledger.name}-new.lock",
            "other.sqlite-dead.lock",
        )
    )
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
        with exclusive_lock(ledger, "look", go_on):
            order.append("second")
            entered.set()

    with exclusive_lock(ledger, "look", threading.Event()):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
        assert not entered.wait(0.3)
    until(entered.is_set)
    thread.join()
    assert order == ["first", "second"]
    go_on.set()
    with exclusive_lock(ledger, "look", threading.Event()):
        second()
    assert len(order) == 3
