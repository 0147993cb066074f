"""A run as one watches it: progress, counts by state, a line for each problem, Stop; and what others do meanwhile."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import now
from itnio_nb.api.text import html_text, plural
from itnio_nb.errors import ItnioError
from itnio_nb.forms.account import AccountPanel
from itnio_nb.forms.base import Form
from itnio_nb.forms.layout import panel, row, set_shown, show, text_area
from itnio_nb.forms.run.progress import RunProgress
from itnio_nb.runs.run import Run, RunRecord, newest_run
from itnio_nb.runs.submit import working_run
from itnio_nb.workspace import Workspace

Outcome = tuple[str, pd.DataFrame]  # summary and table of a run

POLL_PAUSE = 1.0  # seconds between two polls of a ledger in which nothing goes on
_FAST, _SLOW = 0.2, 1.0  # seconds between two polls of a run: at first, and once it takes long
_PARTS = 25  # the pause is this part of the time that the run has taken
_MAX_PROBLEMS = 50  # lines that are shown, the newest
_IN_VOILA = os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
# A page of Voilà takes its kernel with it, and so the run: cleanly, to be resumed.
_LEFT = "Leaving this page stops the run as Stop does; opened again, it offers to go on." if _IN_VOILA else ""
_STOPPING = "Stopping, what is under way is finished"
_ELSEWHERE = "At work in another page or process"
_FOR_ALL = "Stop stops it for all who work on it."


class RunMonitor:
    """Follow one run until it is over, whoever works on it, and then what the ledger learns of it.

    `on_over` is given the record and its outcome when the run is over, and again when anybody has changed the outcome.
    However many groups a run has, a poll is a few messages to the page.
    """

    def __init__(self, form: Form, account: AccountPanel, on_over: Callable[[RunRecord, Outcome], None]) -> None:
        self._form, self.account, self._on_over = form, account, on_over
        form.poll, form.is_working = self._poll, self.is_working
        self._change_token: tuple[object, ...] = ()  # of the ledger as it is shown
        self._reported = True  # whether `on_over` was called for the run
        self.record: RunRecord | None = None
        self._run: Run | None = None  # the record, where it is a run of this process
        self._was_going = self._stopping = False  # whether it was seen at work; whether Stop was pressed
        self.elsewhere = False  # whether the run was going on in another process at the last poll
        self.outcome: Outcome = ("", pd.DataFrame())  # of a run that is over, as it is shown: another one is news
        self.progress = RunProgress()
        self.bar, self.line = self.progress.bar, self.progress.line
        tip = "What is under way is finished, the rest is not sent"
        self.stop = widgets.Button(description="Stop", tooltip=tip, button_style="warning", disabled=True)
        self.stop.on_click(lambda _: self._stop())
        self.problems = ProblemList()
        self._stop_hint = text_area("faint")
        self.stopping = row(self.stop, self._stop_hint)  # as long as there is something to stop
        self.body = panel(self.bar, self.line, self.stopping, self.problems.area)
        self.restore()

    def newest(self) -> RunRecord | None:
        """Return the account's newest run, at work here or as the ledger has it."""
        workspace = self.account.workspace
        return _live(newest_run(workspace.ledger, workspace.ledger.runs_of(workspace.client.account)), workspace)

    @property
    def at_work(self) -> bool:
        """Whether the run is going on in this process."""
        return self._run is not None and not self._run.done

    @property
    def going(self) -> bool:
        """Whether the run is going on, here or in another process."""
        return self.at_work or self.elsewhere

    def is_working(self) -> bool:
        """Return whether the run is at work here, or is over and its outcome is still to be shown."""
        can_end = self.at_work or not self._form.unreadable  # the ledger has the outcome
        return can_end and not self._reported and not self.elsewhere

    def follow(self, record: RunRecord) -> None:
        """Show another run from now on."""
        self.record, self._run = record, record if isinstance(record, Run) else None
        self._reported = self._was_going = False
        self._restart()
        self._show_run(record)

    def prepare(self, groups: int) -> None:
        """Say that a run of so many groups is about to begin."""
        self._restart()
        show(self.line, f"Writing {plural(groups, 'group')} into the ledger …")

    def restore(self) -> None:
        """Show the run of before again, if there was one: what was prepared has not begun."""
        self._restart()
        show(self.line, "No run yet.", "faint")
        set_shown(self.bar, self.record is not None)
        if self.record is not None:
            self._show_run(self.record)

    def report(self) -> None:
        """Call `on_over` for the run, which is over; then refresh the form."""
        self._reported = True
        if self._run is not None and self._run.error is not None:
            self._form.show_error(self._run.error)
        try:
            if self.record is not None:
                self._on_over(self.record, self.outcome)
        except ItnioError:
            self._reported = False  # the next poll tries again
            raise
        finally:
            self._form.refresh()

    def _poll(self) -> float | None:
        """Show how far the run is or, once it is over, what has changed."""
        self._tell_page()
        if not self.account.is_open:
            return None
        if self.record is not None and not self._ended:
            pause = self._show_run(self.record)
            if pause is not None:
                return pause
        if not self._reported:
            self.report()
        workspace = self.account.workspace
        change_token = workspace.ledger.run_store.change_token()
        if change_token != self._change_token:
            self._change_token = change_token
            record = _live(self.record, workspace)
            if record is not None and (record is not self.record or _has_changed(record, self.outcome)):
                self.follow(record)
        return POLL_PAUSE

    def _stop(self) -> None:
        if not self.going or self._stopping:
            return
        self.stop.disabled = self._stopping = True
        if self._run is not None:
            self._run.stop(wait=False)
        self._form.tasks.put(self._stop_elsewhere)  # and a poll, now

    def _stop_elsewhere(self) -> None:
        """Stop a run of another process, through the ledger: all who work on it."""
        if self._run is None and self.record is not None:
            self._stopping = False  # until it is written: it can be pressed again
            self.account.workspace.ledger.run_control.stop(self.record.number)
            self._stopping = True

    def _restart(self) -> None:
        self._ended = self._stopping = False
        self._began = time.monotonic()
        self.progress.restart()
        self.problems.clear()
        self._let_stop()
        set_shown(self.bar, True)

    def _let_stop(self) -> None:
        """Offer Stop, or show that it was pressed; where nothing is at work, it is not there."""
        self.stop.disabled = not self.going or self._stopping
        show(self._stop_hint, _FOR_ALL if self.elsewhere else _LEFT)
        set_shown(self.stopping, self.going)

    def _show_run(self, record: RunRecord) -> float | None:
        """Show how far a run is; return the seconds until the next time, None where it is over."""
        self._let_stop()  # before the ledger is read: it may fail
        self.elsewhere = self._run is None and not record.done
        if self._stopping and self.elsewhere:  # who has joined since goes on
            self._stopping = record.ledger.run_control.is_stopping(record.number)
        self._let_stop()
        if self.going:
            self._was_going = True
            activity = self._run.activity if self._run is not None else _ELSEWHERE
            activity = _STOPPING if self._stopping else activity
            terms = record.ledger.run_control.terms(record.number)
            self.progress.show_going(record.counts, activity, _seconds_since_start(record), terms)
            self.problems.add_new(record)
            self._tell_page()
            return poll_pause(time.monotonic() - self._began)
        self._change_token = self.account.workspace.ledger.run_store.change_token()  # what comes later is news
        self.outcome = record.snapshot()
        self.progress.show_over(Counter(self.outcome[1]["state"]), self.outcome[0], as_asked=record.as_asked)
        self.problems.add_new(record)
        self._ended = True
        self._tell_page()
        return None

    def _tell_page(self) -> None:
        """Tell the page of `itnio-nb app` what its title and its icon say, and whether leaving it asks first."""
        if not _IN_VOILA:
            return
        title, browser = "", self._form.browser
        if self._was_going:
            words = self.outcome[0].split(".")[0] if self._ended else self.progress.words  # `Done`, `Stopped`
            title = f"{words} · itnio-nb"
        kind = ("sandbox" if self.account.workspace.is_sandbox else "live") if self.account.is_open else ""
        browser.page = {"title": title, "account": kind}
        lost = "edited orders are in this page alone" if self._form.is_unsaved() else ""
        browser.asks = "a run is at work" if self.at_work else lost


def _seconds_since_start(record: RunRecord) -> float:
    started = record.ledger.run_store.run_info(record.number, "started")["started"]
    return max(0.0, (now() - datetime.fromisoformat(started)).total_seconds())


def poll_pause(seconds: float) -> float:
    """Return the seconds until the next poll of a run that has taken so many."""
    return min(_SLOW, max(_FAST, seconds / _PARTS))


def _has_changed(record: RunRecord, outcome: Outcome) -> bool:
    summary, table = record.snapshot()
    return not record.done or summary != outcome[0] or not table.equals(outcome[1])


def _live(record: RunRecord | None, workspace: Workspace) -> RunRecord | None:
    """Return the run of this process in place of its record, where it is at work here."""
    return record and (working_run(workspace.client, workspace.ledger, record.name) or record)


class ProblemList:
    """A text area with the newest problems of a run, each a line: group, state, reason, advice."""

    def __init__(self) -> None:
        self.area = text_area("itnio-problems")
        self.clear()

    def clear(self) -> None:
        """Begin with another run."""
        self._since = self._number = 0
        self._lines: deque[str] = deque(maxlen=_MAX_PROBLEMS)
        show(self.area, "")

    def add_new(self, record: RunRecord) -> None:
        """Read the problems that the ledger has learnt since the last time."""
        new = record.problems(self._since)
        if new.empty:
            if not self._number:
                show(self.area, "" if record.done else "Problems appear here as they happen.", "faint")
            return
        self._since = int(new["receipt"].iloc[-1])
        self._number += len(new)
        cells = new.tail(_MAX_PROBLEMS)[["state", "groupName", "reason", "advice"]].to_numpy().tolist()
        self._lines += [f"{name}: {state}, {reason}. {advice}" for state, name, reason, advice in cells]
        more = f", the last {_MAX_PROBLEMS} below" if self._number > _MAX_PROBLEMS else ""
        head = f"<p><b>{plural(self._number, 'problem')}</b> as they happened{more}:</p>"
        self.area.value = head + "".join(f"<p>{html_text(line)}</p>" for line in reversed(self._lines))
