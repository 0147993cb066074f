"""A run as one watches it: what it shows at work here, in another process, and over; Stop; problems as they happen."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from itnio_nb import Client, Ledger, Run, Sandbox, make_plan, submit_plan
from itnio_nb.api.models import State
from itnio_nb.api.text import printable
from itnio_nb.forms.monitor import RunMonitor
from itnio_nb.runs.run import RunRecord, newest_run
from tests.support.factories import ROOT, many_orders, orders_frame, until
from tests.unit.forms.test_base import SOME_HOSTILE, assert_harmless, text_of

SCRIPT = """
import sys
from tests.support.factories import many_orders
from itnio_nb import Account, Client, Ledger, make_plan, submit_plan
key, secret, url, path, groups = sys.argv[1:]
client, ledger = Client(Account(key, secret, url)), Ledger(path)
run = submit_plan(make_plan(many_orders(int(groups))), client, ledger, workers=2)
print(run.name, flush=True)
sys.stdin.readline()
run.stop()
"""


@contextmanager
def elsewhere(sandbox: Sandbox, ledger: Ledger, groups: int) -> Iterator[subprocess.Popen[str]]:
    """A process that submits so many groups to the same ledger, and stops at a line or the end."""
    account = sandbox.account
    credentials = (account.api_key, account.api_secret.reveal(), account.base_url)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *credentials, str(ledger.path), str(groups)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip()
        until(lambda: sent(sandbox) >= 4, 30)
        yield process
    finally:
        process.kill()
        process.communicate()


def sent(sandbox: Sandbox) -> int:
    return sum(number for (call, _), number in sandbox.served.items() if call == "sipAdd")


def watched(run: RunRecord) -> RunMonitor:
    watch = RunMonitor(lambda: None)
    watch.follow(run)
    return watch


def start(client: Client, ledger: Ledger, groups: int, workers: int = 2) -> Run:
    return submit_plan(make_plan(many_orders(groups)), client, ledger, workers=workers)


def test_without_a_run_there_is_nothing_to_stop() -> None:
    """And nothing to look at."""
    watch = RunMonitor(lambda: None)
    assert text_of(watch.line) == "No run yet."
    assert watch.stop.disabled
    assert watch.look() is None
    assert (watch.at_work, watch.elsewhere) == (False, False)
    watch.stop.click()


def test_a_run_that_is_over_is_told(client: Client, ledger: Ledger) -> None:
    """Its bar is full, its counts are there, and there is nothing to stop."""
    watch = watched(start(client, ledger, 5).wait())
    assert (watch.bar.max, watch.bar.value, watch.bar.bar_style) == (5, 5, "success")
    told = "\ncreated 5 · existed 0 · refused 0 · unknown 0 · not sent 0"
    assert text_of(watch.line).endswith(told)
    assert watch.stop.disabled
    assert watch.look() is None
    assert text_of(watch.problems) == "Problems appear here as they happen."


@pytest.mark.slow
def test_a_run_at_work_is_followed(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Its activity, its counts, how fast it is and how long it will take; look by look, up to the end."""
    sandbox.latency = 0.05
    run = start(client, ledger, 40)
    watch = watched(run)
    assert watch.at_work
    assert not watch.stop.disabled
    lines, pauses = [text_of(watch.line)], []
    while (pause := watch.look()) is not None:
        lines.append(text_of(watch.line))
        pauses.append(pause)
        run.join(0.1)
    assert lines[0].startswith("Submit: ")
    assert " to go " in lines[0]
    assert any(" a second · about " in line and " left\n" in line for line in lines)
    done = [int(line.split(" group")[0].split(": ")[-1]) for line in lines]
    assert done == sorted(done)
    assert len(set(done)) > 3
    assert set(pauses) == {0.2}
    assert "\ncreated 40 · existed 0" in text_of(watch.line)
    assert watch.bar.value == 40
    assert not watch.at_work


@pytest.mark.slow
def test_a_long_run_is_looked_at_less_often(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A small part of the time that it has taken, from a fifth of a second to a second."""
    sandbox.latency = 0.05
    run = start(client, ledger, 40)
    watch = watched(run)
    for passed, pause in ((0, 0.2), (12.5, 0.5), (1000, 1.0)):
        watch._began = time.monotonic() - passed
        assert watch.look() == pytest.approx(pause, abs=0.01)
    run.stop()


def test_stop_leaves_the_rest_not_sent(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """It is dead at once, so that a second click does nothing, and the run is over within a second."""
    sandbox.latency = 0.02
    run = start(client, ledger, 300)
    watch = watched(run)
    until(lambda: sent(sandbox) >= 5)
    began = time.monotonic()
    watch.stop.click()
    assert watch.stop.disabled
    watch.stop.click()
    assert run.join(1)
    assert time.monotonic() - began < 1
    assert watch.look() is None
    left = run.counts["planned"]
    assert 0 < left < 300
    assert f"not sent {left}" in text_of(watch.line)
    assert watch.bar.bar_style == "warning"
    assert sent(sandbox) == 300 - left


def test_a_stop_that_comes_too_late_does_nothing(client: Client, ledger: Ledger) -> None:
    """The run was over before the page knew."""
    watch = watched(start(client, ledger, 2))
    assert isinstance(watch.record, Run)
    watch.record.wait()
    watch.stop.disabled = False
    watch.stop.click()
    assert watch.record.counts == {"created": 2}


def test_each_problem_is_a_line(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """With its group, its state, the reason and the advice; the newest first."""
    sandbox.app_ids = ["4luaKsL2"]
    orders = orders_frame(("sales", "desk"), ("other", "line", "3", "861000000", "wrong"), ("third", "tri3"))
    watch = watched(submit_plan(make_plan(orders), client, ledger).wait())
    lines = text_of(watch.problems)
    assert lines.startswith("1 problem as they happened:other: refused, ")
    assert "Field refused: a field breaks a rule of the API" in lines
    assert "refused 1" in text_of(watch.line)
    before = watch.problems.value
    watch.look()
    assert watch.problems.value == before


def test_of_many_problems_the_newest_are_shown(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """And all are counted."""
    sandbox.app_ids = []
    watch = watched(start(client, ledger, 60).wait())
    assert text_of(watch.problems).startswith("60 problems as they happened, the last 50 below:")
    assert watch.problems.value.count("<p>") == 51


def test_another_run_begins_with_no_problem(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What belonged to the run before is taken away."""
    sandbox.app_ids = []
    watch = watched(start(client, ledger, 2).wait())
    assert text_of(watch.problems).startswith("2 problems")
    sandbox.app_ids = None
    watch.follow(start(client, ledger, 2).wait())
    assert text_of(watch.problems) == "Problems appear here as they happen."
    watch.follow(None)
    assert text_of(watch.line) == "No run yet."
    assert (watch.bar.value, watch.stop.disabled) == (0, True)


@pytest.mark.parametrize("text", SOME_HOSTILE)
def test_a_hostile_group_is_text(text: str, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """In the line of its problem; here all that a name of the API may be."""
    sandbox.app_ids = []
    name = (text + "....")[:32]
    watch = watched(submit_plan(make_plan(orders_frame((name, "desk"))), client, ledger).wait())
    assert printable(name) in text_of(watch.problems)
    assert_harmless(watch.problems.value)


def test_hostile_words_of_a_server_are_text(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A page of HTML in place of an answer."""
    sandbox.faults = "html"
    watch = watched(start(client, ledger, 1).wait())
    assert_harmless(watch.problems.value)
    assert text_of(watch.problems).startswith("1 problem as they happened:group-0: unknown, ")


@pytest.mark.slow
def test_a_run_of_another_process_is_followed_and_not_stopped(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """It says so; whoever stops it does so there, and the watch sees it."""
    sandbox.latency = 0.05
    with elsewhere(sandbox, ledger, 300) as process:
        record = newest_run(ledger, ledger.runs_of(client.account))
        assert record is not None
        watch = watched(record)
        assert (watch.at_work, watch.elsewhere) == (False, True)
        assert watch.stop.disabled
        assert text_of(watch.line).startswith("At work in another process: ")
        done = watch.bar.value
        until(lambda: watch.look() is not None and watch.bar.value > done)
        process.communicate("stop\n", timeout=30)
        until(lambda: watch.look() is None)
        assert not watch.elsewhere
        assert f"not sent {record.counts[State.PLANNED]}" in text_of(watch.line)


@pytest.mark.slow
def test_a_run_whose_process_was_killed_is_over(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """At once, with what was under way unknown and the rest not sent."""
    sandbox.latency = 0.05
    with elsewhere(sandbox, ledger, 300) as process:
        record = newest_run(ledger, ledger.runs_of(client.account))
        assert record is not None
        watch = watched(record)
        process.kill()
        process.communicate()
        assert watch.look() is None
        assert record.done
        assert not record.finished
        assert watch.bar.bar_style == "warning"
        assert "At work" not in text_of(watch.line)
