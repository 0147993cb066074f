"""Signals: the first stops, the second leaves at once; what is sent twice at once is one."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from itnio_nb.runbooks import interrupts
from itnio_nb.runbooks.interrupts import Interrupts


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that signals are given, in seconds."""
    time = [100.0]
    monkeypatch.setattr(interrupts, "monotonic", lambda: time[0])
    return time


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_first_stops_and_the_second_leaves(name: str, clock: list[float]) -> None:
    """Whatever their kind; within a second they are one. Afterwards signals are whose they were."""
    number = getattr(signal, name)
    before, heard, said = signal.getsignal(number), list[str](), list[str]()
    with Interrupts(said.append) as heard_by:
        with heard_by.handled(lambda: heard.append("stop"), lambda: heard.append("leave")):
            signal.raise_signal(number)
            clock[0] += 0.5
            signal.raise_signal(number)
            assert (heard, heard_by.count) == (["stop"], 1)
            clock[0] += 1.5
            signal.raise_signal(signal.SIGTERM)
        assert (heard, heard_by.count) == (["stop", "leave"], 2)
    assert [words.split(":")[0] for words in said] == ["Interrupt received", "Interrupt received again"]
    assert signal.getsignal(number) == before


def test_where_nobody_handles_it_it_raises() -> None:
    """Between two phases."""
    with Interrupts(lambda _: None), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_what_is_ignored_stays_ignored() -> None:
    """`nohup`, and a job in the background of a script."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts(print) as heard_by:
            signal.raise_signal(signal.SIGHUP)
            assert heard_by.count == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_third_one_ends_the_process() -> None:
    """Whatever it does."""
    code = """
import signal
from itnio_nb.runbooks import interrupts
time = [0]
interrupts.monotonic = lambda: time[0]
with interrupts.Interrupts(print) as heard_by, heard_by.handled(lambda: None, lambda: None):
    for _ in range(3):
        time[0] += 10
        signal.raise_signal(signal.SIGTERM)
print("never")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, "never" in done.stdout) == (128 + signal.SIGTERM, False), done.stderr
