"""A run as one watches it: what is shown while it is at work and when it is over; Stop; problems as they happen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing

import ipywidgets as widgets
import pytest

from itnio_nb import Client, Ledger, Run, Sandbox, make_plan, submit_plan
from itnio_nb.api.text import printable
from itnio_nb.errors import LedgerError
from itnio_nb.forms.account import AccountPanel
from itnio_nb.forms.base import Form
from itnio_nb.forms.run.monitor import RunMonitor, poll_pause
from itnio_nb.runs.run import RunRecord
from tests.support.factories import many_orders, orders_frame, sent, until
from tests.support.forms import PRINTABLE_HOSTILE, assert_harmless, status, text_of, wait_for_poll

NO_PROBLEM = "Problems appear here as they happen."


class Watch(Form):
    """A form that is nothing but a monitor, and notes each outcome."""

    def __init__(self, client: Client, ledger: Ledger) -> None:
        super().__init__("Watch")
        self.outcomes: list[str] = []
        self.account = AccountPanel(self, widgets.VBox(), lambda: None)
        self.monitor = RunMonitor(self, self.account, lambda record, outcome: self.outcomes.append(outcome[0]))
        self.account.open(client, ledger)

    def follow(self, run: Run) -> None:
        """Follow a run as an action does: in the form's thread."""
        self.tasks.put(lambda: self.monitor.follow(run))
        assert self.tasks.join(5)


@pytest.fixture
def watch(client: Client, ledger: Ledger) -> Iterator[Watch]:
    with closing(Watch(client, ledger)) as made:
        yield made


Start = Callable[..., Run]


@pytest.fixture
def start(client: Client, ledger: Ledger) -> Start:
    """Submit so many groups."""

    def submit(groups: int) -> Run:
        return submit_plan(make_plan(many_orders(groups)), client, ledger, workers=2)

    return submit


def test_a_run_that_is_over_is_shown(watch: Watch, start: Start) -> None:
    """Its bar is full, its counts are there, there is nothing to stop; its outcome is reported once.

    Without a run there is nothing to stop, and nothing to wait for.
    """
    monitor = watch.monitor
    assert monitor.newest() is None
    assert text_of(monitor.line) == "No run yet."
    assert monitor.stop.disabled
    assert [one.layout.display for one in (monitor.bar, monitor.stopping)] == ["none", "none"]
    assert (monitor.at_work, monitor.elsewhere, monitor.is_working()) == (False, False, False)
    monitor.stop.click()
    run = start(5).wait()
    watch.follow(run)
    wait_for_poll(watch)
    bar = watch.monitor.bar
    assert (bar.max, bar.value, bar.bar_style) == (5, 5, "success")
    assert text_of(watch.monitor.line).endswith("\ncreated 5 · existed 0 · refused 0 · unknown 0 · not sent 0")
    assert watch.monitor.stop.disabled
    assert watch.outcomes == [run.summary]
    assert text_of(watch.monitor.problems.area) == ""
    watch.monitor.stop.disabled = False  # as a page that does not know yet
    watch.monitor.stop.click()
    assert run.counts == {"created": 5}


def test_a_run_at_work_is_followed(watch: Watch, start: Start, sandbox: Sandbox) -> None:
    """Its activity, its counts, how fast it is and how long it will take; poll by poll, up to the end."""
    sandbox.latency = 0.02
    lines: list[str] = []
    watch.monitor.line.observe(lambda _: lines.append(text_of(watch.monitor.line)), "value")
    run = start(40)
    watch.follow(run)
    assert watch.monitor.at_work
    assert not watch.monitor.stop.disabled
    assert [one.layout.display for one in (watch.monitor.bar, watch.monitor.stopping)] == [None, None]
    wait_for_poll(watch)
    assert re.match(r"Submit: [0-9]+ groups? of 40 · began [0-9]+ s ago", lines[0])
    assert " to go " in lines[0]
    assert any(" a second · about " in line and " left · 2 at once\n" in line for line in lines)
    done = [int(line.split(" group")[0].split(": ")[-1]) for line in lines if " to go " in line]
    assert done == sorted(done)
    assert len(set(done)) > 3
    assert "\ncreated 40 · existed 0" in lines[-1]
    assert not watch.monitor.at_work
    assert [one.layout.display for one in (watch.monitor.bar, watch.monitor.stopping)] == [None, "none"]
    assert watch.outcomes == [run.summary]


def test_stop_leaves_the_rest_not_sent(watch: Watch, start: Start, sandbox: Sandbox) -> None:
    """It is disabled at once, so that a second click does nothing, and what is under way is finished."""
    sandbox.latency = 0.02
    run = start(100)
    watch.follow(run)
    until(lambda: sent(sandbox) >= 5)
    for _ in range(2):
        watch.monitor.stop.click()
        assert watch.monitor.stop.disabled
    wait_for_poll(watch)
    left = run.counts["planned"]
    assert 0 < left < 100
    assert text_of(watch.monitor.line).endswith(f"not sent {left}")
    assert watch.monitor.bar.bar_style == "warning"
    assert sent(sandbox) == 100 - left


def test_each_problem_is_a_line(
    watch: Watch, sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its group, its state, the reason and the advice; none of another run; of many the newest, and how many.

    Text of others is text, be it a group's name, or a page of HTML in place of an answer.
    """
    monkeypatch.setattr("itnio_nb.forms.run.monitor._MAX_PROBLEMS", 5)
    sandbox.app_ids = ["4luaKsL2"]
    names = [(text + "....")[:32] for text in PRINTABLE_HOSTILE]
    orders = orders_frame(*((name, f"desk-{at}", "3", "861000000", "wrong") for at, name in enumerate(names)))
    watch.follow(submit_plan(make_plan(orders), client, ledger, workers=1).wait())
    lines = text_of(watch.monitor.problems.area)
    assert lines.startswith(f"{len(names)} problems as they happened, the last 5 below:")
    assert watch.monitor.problems.area.value.count("<p>") == 6
    assert f"{printable(names[-1])}: refused, " in lines
    assert "Field refused: a field breaks a rule of the API" in lines
    assert_harmless(watch.monitor.problems.area.value)
    before = watch.monitor.problems.area.value
    wait_for_poll(watch)
    assert watch.monitor.problems.area.value == before
    watch.follow(submit_plan(make_plan(many_orders(1)), client, ledger).wait())
    assert text_of(watch.monitor.problems.area) == ""
    sandbox.faults = "html"
    watch.follow(submit_plan(make_plan(many_orders(2)), client, ledger, workers=1).wait())
    assert_harmless(watch.monitor.problems.area.value)
    assert text_of(watch.monitor.problems.area).startswith("1 problem as they happened:group-1: unknown, ")


def test_what_the_ledger_learns_later_is_reported(watch: Watch, start: Start, sandbox: Sandbox, client: Client) -> None:
    """An outcome that others resolve is reported anew; what the form has written itself is no news."""
    sandbox.faults = ",".join(["drop-after", *["query:-18-before"] * 60])
    run = start(1).wait()
    watch.follow(run)
    wait_for_poll(watch)
    assert "1 unknown" in watch.outcomes[0]
    sandbox.faults = None
    watch.account.workspace.reconcile()
    until(lambda: len(watch.outcomes) == 2)
    assert "1 created" in watch.outcomes[1]
    sandbox.delete_group("4luaKsL2", "group-0")
    watch.account.workspace.reconcile()
    watch.monitor.outcome = run.snapshot()
    wait_for_poll(watch)
    assert len(watch.outcomes) == 2


def test_a_run_that_cannot_begin_leaves_the_one_before(watch: Watch, start: Start, sandbox: Sandbox) -> None:
    """What is being prepared is said; then the run of before is shown again, and not reported again."""
    said: list[tuple[str, str]] = []

    def prepare_in_vain() -> None:
        watch.monitor.prepare(7)
        said.append((text_of(watch.monitor.line), text_of(watch.monitor.problems.area)))
        watch.monitor.restore()

    for line, problems in (("No run yet.", ""), ("1 refused", "1 problem")):
        watch.tasks.put(prepare_in_vain)
        wait_for_poll(watch)
        assert said.pop() == ("Writing 7 groups into the ledger …", "")
        assert line in text_of(watch.monitor.line)
        assert problems in text_of(watch.monitor.problems.area)
        if not watch.outcomes:
            sandbox.app_ids = []
            watch.follow(start(1).wait())
    assert len(watch.outcomes) == 1


@pytest.mark.parametrize(("passed", "pause"), [(0, 0.2), (12.5, 0.5), (1000, 1.0)])
def test_a_long_run_is_polled_less_often(passed: float, pause: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small part of the time that it has taken, from a fifth of a second to a second."""
    monkeypatch.setattr("itnio_nb.forms.run.monitor._FAST", 0.2)
    assert poll_pause(passed) == pause


def test_a_run_of_another_process_is_stopped_through_the_ledger(
    watch: Watch, start: Start, sandbox: Sandbox, ledger: Ledger
) -> None:
    """It is said that this stops it for all; what could not be told can be pressed again."""
    sandbox.latency = 0.05
    run = start(200)
    watch.tasks.put(lambda: watch.monitor.follow(RunRecord(run.number, ledger)))
    wait_for_poll(watch)
    monitor = watch.monitor
    assert (monitor.elsewhere, monitor.stop.disabled) == (True, False)
    assert text_of(monitor.line).startswith("At work in another page or process: ")
    assert " · 2 at once\n" in text_of(monitor.line)
    assert "Stop stops it for all who work on it." in text_of(monitor.stopping.children[1])
    watch.account.workspace.ledger.run_control.stop = broken = Broken()  # type: ignore[method-assign]
    monitor.stop.click()
    wait_for_poll(watch)
    assert broken.tried == 1
    assert status(watch).startswith("Error: ")
    assert not monitor.stop.disabled
    del watch.account.workspace.ledger.run_control.stop
    monitor.stop.click()
    assert monitor.stop.disabled
    run.wait()
    until(lambda: watch.outcomes != [])
    assert watch.outcomes[-1].startswith("Stopped.")
    assert monitor.bar.bar_style == "warning"


class Broken:
    """A ledger that cannot be written."""

    tried = 0

    def __call__(self, run_id: int) -> None:
        self.tried += 1
        raise LedgerError("The ledger cannot be written.")


def test_the_page_is_told(watch: Watch, start: Start, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of progress and of the end; leaving asks while a run is at work here, or where edits would be lost.

    In a notebook nothing is told: the page is not ours, and its kernel goes on.
    """
    browser, titles, asked = watch.browser, list[str](), list[str]()
    assert (browser.page, browser.asks) == ({}, "")
    monkeypatch.setattr("itnio_nb.forms.run.monitor._IN_VOILA", True)
    browser.observe(lambda change: titles.append(change["new"]["title"]), "page")
    browser.observe(lambda change: asked.append(change["new"]), "asks")
    wait_for_poll(watch)
    assert browser.page == {"title": "", "account": "sandbox"}
    sandbox.latency = 0.02
    watch.follow(start(20))
    wait_for_poll(watch)
    assert titles[1].endswith(" of 20 · itnio-nb")
    assert titles[-1] == "Done · itnio-nb"
    until(lambda: browser.asks == "")
    assert asked == ["a run is at work", ""]
    watch.is_unsaved = lambda: True
    until(lambda: browser.asks == "edited orders are in this page alone")
