"""Attending to a run: an interrupt stops it and is not raised, so that a runbook tells how it ended."""

from __future__ import annotations

import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from itnio_nb import Client, Ledger, LedgerError, Run, Sandbox, make_plan, runbook_outcome, submit_plan
from tests.support.factories import Gate, many_orders, until
from tests.unit.runs.test_submit import sent


class Progress:
    """What a wait publishes: as long as messages come, this thread is in it."""

    def __init__(self) -> None:
        self.messages: list[object] = []

    def goes_on(self) -> None:
        """Return when the wait has looked once more."""
        before = len(self.messages)
        until(lambda: len(self.messages) > before + 1)


@pytest.fixture
def progress(monkeypatch: pytest.MonkeyPatch) -> Progress:
    made = Progress()
    monkeypatch.setenv("ITNIO_PROGRESS", "messages")
    monkeypatch.setattr("IPython.display.publish_display_data", made.messages.append)
    monkeypatch.setattr("itnio_nb.runs.run._TICK", 0.01)
    return made


def interrupt() -> None:
    """Press Ctrl-C: the main thread is told, wherever it waits."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


@contextmanager
def meanwhile(action: Callable[[], None]) -> Iterator[None]:
    """Do something in another thread, and raise what it raised."""
    problems: list[BaseException] = []

    def act() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - raised below
            problems.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()
    assert not problems, problems


def stopping(run: Run) -> bool:
    return run._engine is not None and run._engine._stopping.is_set()


def test_it_waits_for_the_end(client: Client, ledger: Ledger) -> None:
    """And returns the run, at once the second time; a run of nothing too."""
    run = submit_plan(make_plan(many_orders(5)), client, ledger)
    assert run.attend() is run
    assert (run.done, run.counts) == (True, {"created": 5})
    assert run.attend() is run
    assert Run(None, client, ledger).attend().done


def test_an_interrupt_stops_the_run_and_is_not_raised(
    progress: Progress, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """What was under way is recorded, the rest not sent; submitted again, it goes on."""
    sandbox.latency = 0.02
    plan = make_plan(many_orders(200))
    run = submit_plan(plan, client, ledger, workers=2)

    def press() -> None:
        until(lambda: sent(sandbox) > 3)
        progress.goes_on()
        interrupt()

    with meanwhile(press):
        assert run.attend() is run
    assert run.done
    assert run.summary.startswith("Stopped. Groups: ")
    counts = run.counts
    assert set(counts) == {"created", "planned"}
    assert counts["created"] == sent(sandbox) == len(sandbox.phones) // 3 < 200
    assert runbook_outcome(plan, run).code == 6
    sandbox.latency = 0
    assert submit_plan(plan, client, ledger).attend().counts == {"created": 200}
    assert sent(sandbox) == 200


def test_a_second_interrupt_changes_nothing(
    progress: Progress, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """What is under way is finished, and recorded."""
    run = submit_plan(make_plan(many_orders(200)), client, ledger, workers=2)

    def press() -> None:
        until(lambda: sent(sandbox) > 3)
        sandbox.faults = gate = Gate()  # no request is answered: the run cannot be over
        progress.goes_on()
        interrupt()
        until(lambda: stopping(run))
        interrupt()
        progress.goes_on()  # it is waited for again, not given up
        gate.opened.set()

    sandbox.latency = 0.02
    with meanwhile(press):
        assert run.attend() is run
    assert run.done
    counts = run.counts
    assert set(counts) == {"created", "planned"}
    assert counts["created"] == sent(sandbox) == len(sandbox.phones) // 3


def test_what_ended_the_run_is_raised(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """While it is attended to, and afterwards: nobody goes on as if it had worked."""
    sandbox.latency = 0.02
    run = submit_plan(make_plan(many_orders(100)), client, ledger, workers=2)
    until(lambda: sent(sandbox) >= 4)
    other = sqlite3.connect(ledger.path)
    other.execute("DROP TABLE receipts")
    other.commit()
    other.close()
    for _ in range(2):
        with pytest.raises(LedgerError, match="no such table"):
            run.attend()
    assert run.done
    assert sent(sandbox) < 100
