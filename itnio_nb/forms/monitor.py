"""A run as one watches it: progress, counts by state, a line for each problem, Stop; and what others do meanwhile."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import State
from itnio_nb.api.text import duration, html_text, plural
from itnio_nb.forms.account import AccountPanel
from itnio_nb.forms.base import Form
from itnio_nb.forms.layout import panel, row, show, text_area
from itnio_nb.runs.run import Run, RunRecord, newest_run
from itnio_nb.runs.sending.background import items_done
from itnio_nb.runs.submit import working_run
from itnio_nb.workspace import Workspace

Outcome = tuple[str, pd.DataFrame]  # summary and table of a run

POLL_PAUSE = 1.0  # seconds between two polls of a ledger in which nothing goes on
_FAST, _SLOW = 0.2, 1.0  # seconds between two polls of a run: at first, and once it takes long
_PARTS = 25  # the pause is this part of the time that the run has taken
_RATE_SPAN = 20.0  # seconds over which the rate is taken
_MAX_PROBLEMS = 50  # lines that are shown, the newest
_IN_VOILA = os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
_WORDS = {State.CREATED: "created", State.EXISTS: "existed", State.PARTIAL: "partial", State.REFUSED: "refused"}
_WORDS[State.UNKNOWN] = "unknown"


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
        self.elsewhere = False  # whether the run was going on in another process at the last poll
        self.outcome: Outcome = ("", pd.DataFrame())  # of a run that is over, as it is shown: another one is news
        self.bar = widgets.IntProgress(min=0, max=1, layout=widgets.Layout(width="100%"))
        self.bar.add_class("itnio-bar")
        self.line = text_area("itnio-live")
        tip = "What is under way is finished, the rest is not sent"
        self.stop = widgets.Button(description="Stop", tooltip=tip, button_style="warning", disabled=True)
        self.stop.on_click(lambda _: self._stop())
        self.problems = ProblemList()
        # A page of Voilà takes its kernel with it, and so the run: cleanly, to be resumed.
        left = "Leaving this page stops the run as Stop does; opened again, it offers to go on." if _IN_VOILA else ""
        self.body = panel(row(self.stop, text_area("faint", left)), self.bar, self.line, self.problems.area)
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
        self._reported = False
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
        finally:
            self._form.refresh()

    def _poll(self) -> float | None:
        """Show how far the run is or, once it is over, what has changed."""
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
        if self._run is not None and not self._run.done:
            self.stop.disabled = self._stopping = True
            self._run.stop(wait=False)
            self._form.tasks.put(lambda: None)  # a poll, now

    def _restart(self) -> None:
        self._ended = self._stopping = False
        self._began = time.monotonic()
        self._reached: deque[tuple[float, int]] = deque()  # groups done by when, over the last seconds
        self.problems.clear()
        self.stop.disabled = True
        self.bar.value, self.bar.bar_style = 0, "info"

    def _show_run(self, record: RunRecord) -> float | None:
        """Show how far a run is; return the seconds until the next time, None where it is over."""
        self.stop.disabled = not self.at_work or self._stopping  # before the ledger is read: it may fail
        self.elsewhere = self._run is None and not record.done
        if self.going:
            self._show_counts(record.counts, going=True)
            self.problems.add_new(record)
            return poll_pause(time.monotonic() - self._began)
        self._change_token = self.account.workspace.ledger.run_store.change_token()  # what comes later is news
        self.outcome = record.snapshot()
        self._show_counts(Counter(self.outcome[1]["state"]), going=False)
        self.problems.add_new(record)
        self._ended = True
        return None

    def _show_counts(self, counts: Counter[str], *, going: bool) -> None:
        total, done = counts.total(), items_done(counts)
        self.bar.max, self.bar.value = max(total, 1), done
        whole = total == counts[State.CREATED] + counts[State.EXISTS]
        self.bar.bar_style = "info" if going else "success" if whole else "warning"
        words = [self.outcome[0]]
        if going:
            activity = self._run.activity if self._run is not None else "At work in another process"
            activity = "Stopping, what is under way is finished" if self._stopping else activity
            words = [f"{activity}: {plural(done, 'group')} of {total:,}", *self._rate(done, total)]
        parts = [f"{word} {counts[state]:,}" for state, word in _WORDS.items() if counts[state] or word != "partial"]
        parts.append(f"{'to go' if going else 'not sent'} {total - done:,}")
        show(self.line, " · ".join(words) + "\n" + " · ".join(parts))

    def _rate(self, done: int, total: int) -> list[str]:
        """Return groups in a second and the time that is left, in words, as far as they are known."""
        now = time.monotonic()
        self._reached.append((now, done))
        while self._reached[0][0] < now - _RATE_SPAN:
            self._reached.popleft()
        began, before = self._reached[0]
        if now - began < 2 * _FAST or done <= before:
            return []
        rate = (done - before) / (now - began)
        words = f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.1f} a second"
        return [words, f"about {duration(max(1.0, (total - done) / rate))} left"] if done < total else [words]


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
        show(self.area, "Problems appear here as they happen.", "faint")

    def add_new(self, record: RunRecord) -> None:
        """Read the problems that the ledger has learnt since the last time."""
        new = record.problems(self._since)
        if new.empty:
            return
        self._since = int(new["receipt"].iloc[-1])
        self._number += len(new)
        cells = new.tail(_MAX_PROBLEMS)[["state", "groupName", "reason", "advice"]].to_numpy().tolist()
        self._lines += [f"{name}: {state}, {reason}. {advice}" for state, name, reason, advice in cells]
        more = f", the last {_MAX_PROBLEMS} below" if self._number > _MAX_PROBLEMS else ""
        head = f"<p><b>{plural(self._number, 'problem')}</b> as they happened{more}:</p>"
        self.area.value = head + "".join(f"<p>{html_text(line)}</p>" for line in reversed(self._lines))
