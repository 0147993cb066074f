"""A run as one watches it: progress, counts by state, a line for each problem, and Stop."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import State
from itnio_nb.api.text import duration, plural
from itnio_nb.forms.account import DeskForm
from itnio_nb.forms.layout import as_html, panel, row, show, text_area
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.runs.run import Run, RunRecord, groups_done, newest_run
from itnio_nb.runs.submit import working_run

_QUICK, _SLOW = 0.2, 1.0  # seconds between two looks: at first, and once it takes long
_SETTLED_IN = 25  # the pause is this part of the time that it has taken
_IN_VOILA = os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
_IDLE = 1.0  # seconds between two looks at a ledger in which nothing goes on
_LINES = 50  # problems that are shown, the newest
_REMEMBERED = 20.0  # seconds over which the rate is taken
_TOLD = {State.CREATED: "created", State.EXISTS: "existed", State.PARTIAL: "partial", State.REFUSED: "refused"}


class RunMonitor:
    """Shows one run, at work here or elsewhere, or over. However many groups it has, a look is a few messages."""

    def __init__(self, halted: Callable[[], None]) -> None:
        self.record: RunRecord | None = None
        self.elsewhere = False  # whether its run was going on in another process when it was looked at
        self.told: tuple[str, pd.DataFrame] = ("", pd.DataFrame())  # summary and table of a run that is over
        self._halted = halted  # told when Stop was pressed
        self.bar = widgets.IntProgress(min=0, max=1, layout=widgets.Layout(width="100%"))
        self.bar.add_class("itnio-bar")
        self.line = text_area("itnio-live")
        self.stop = widgets.Button(description="Stop", button_style="warning", disabled=True)
        self.stop.tooltip = "What is under way is finished, the rest is not sent"
        self.stop.on_click(lambda _: self._halt())
        self.problems = text_area("itnio-problems")
        # A page of Voilà takes its kernel with it, and so the run: cleanly, to be resumed.
        left = "Leaving this page stops the run as Stop does; opened again, it offers to go on." if _IN_VOILA else ""
        self.body = panel(row(self.stop, text_area("faint", left)), self.bar, self.line, self.problems)
        self.follow(None)

    @property
    def at_work(self) -> bool:
        """Whether its run is going on in this process."""
        return isinstance(self.record, Run) and not self.record.done

    def follow(self, record: RunRecord | None) -> None:
        """Show another run from now on."""
        self.record = record
        self._ended = self._stopping = False
        self._since = self._problems = 0
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._began = time.monotonic()
        self._reached: deque[tuple[float, int]] = deque()
        self.bar.value, self.bar.bar_style = 0, "info"
        show(self.problems, "Problems appear here as they happen.", "faint")
        if record is None:
            show(self.line, "No run yet.", "faint")
            self.stop.disabled = True
        else:
            self.look()

    def prepare(self, groups: int) -> None:
        """Say that a run of so many groups is about to begin."""
        self.bar.value, self.bar.bar_style = 0, "info"
        show(self.line, f"Writing {plural(groups, 'group')} into the ledger …")
        show(self.problems, "Problems appear here as they happen.", "faint")

    def look(self) -> float | None:
        """Show how far it is; return the seconds until the next look, None where nothing goes on."""
        if self.record is None or self._ended:
            return None
        self.stop.disabled = not self.at_work or self._stopping  # before the ledger is read: it may fail
        self.elsewhere = not isinstance(self.record, Run) and not self.record.done
        going = self.at_work or self.elsewhere
        if going:
            self._tell(self.record.counts, going)
        else:
            self.told = self.record.snapshot()
            self._tell(Counter(self.told[1]["state"]), going)
        self._list_problems()
        if not going:
            self._ended = True
            return None
        return float(min(_SLOW, max(_QUICK, (time.monotonic() - self._began) / _SETTLED_IN)))

    def _halt(self) -> None:
        if isinstance(self.record, Run) and not self.record.done:
            self.stop.disabled = self._stopping = True
            self.record.stop(wait=False)
            self._halted()

    def _tell(self, counts: Counter[str], going: bool) -> None:
        total, done = counts.total(), groups_done(counts)
        self.bar.max, self.bar.value = max(total, 1), done
        whole = total == counts[State.CREATED] + counts[State.EXISTS]
        self.bar.bar_style = "info" if going else "success" if whole else "warning"
        words = [f"{plural(done, 'group')} of {total:,}"]
        if going:
            activity = self.record.activity if isinstance(self.record, Run) else "At work in another process"
            activity = "Stopping, what is under way is finished" if self._stopping else activity
            words = [f"{activity}: {words[0]}", *self._speed(done, total)]
        else:
            words = [self.told[0]]
        left = counts[State.PLANNED] + counts[State.SENDING]
        parts = [f"{word} {counts[state]:,}" for state, word in _TOLD.items() if state in counts or word != "partial"]
        parts += [f"unknown {counts[State.UNKNOWN]:,}", f"{'to go' if going else 'not sent'} {left:,}"]
        show(self.line, " · ".join(words) + "\n" + " · ".join(parts))

    def _speed(self, done: int, total: int) -> list[str]:
        """Return rate and remaining time in words, as far as they can be told."""
        here = time.monotonic()
        self._reached.append((here, done))
        while self._reached[0][0] < here - _REMEMBERED:
            self._reached.popleft()
        before, passed = self._reached[0][1], here - self._reached[0][0]
        if passed < 2 * _QUICK or done <= before:
            return []
        rate = (done - before) / passed
        told = f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.1f} a second"
        return [told, f"about {duration(max(1.0, (total - done) / rate))} left"] if done < total else [told]

    def _list_problems(self) -> None:
        assert self.record is not None  # noqa: S101 - for the type checker
        news = self.record.problems(self._since)
        if news.empty:
            return
        self._since = int(news["receipt"].iloc[-1])
        self._problems += len(news)
        cells = news.tail(_LINES)[["state", "groupName", "reason", "advice"]].to_numpy().tolist()
        self._lines += [f"{name}: {state}, {reason}. {advice}" for state, name, reason, advice in cells]
        more = f", the last {_LINES} below" if self._problems > _LINES else ""
        head = f"<p><b>{plural(self._problems, 'problem')}</b> as they happened{more}:</p>"
        self.problems.value = head + "".join(f"<p>{as_html(line)}</p>" for line in reversed(self._lines))


class RunForm(DeskForm):
    """A form that submits, and follows a run until it is over, whoever is at work on it."""

    def __init__(self, name: str, client: Client | None, ledger: Ledger | None) -> None:
        self.watch = RunMonitor(halted=lambda: self.ask(lambda: None))
        self._untold = False  # the run that is followed may be over, and the form has not said so yet
        self._stamp: tuple[object, ...] = ()
        super().__init__(name, client, ledger)

    def _follow(self, record: RunRecord) -> None:
        self.watch.follow(record)
        self._untold = True

    def _over(self, record: RunRecord, summary: str, table: pd.DataFrame) -> None:
        """Show what became of a run that is over, as the ledger has it now."""
        raise NotImplementedError

    def knows(self, summary: str, table: pd.DataFrame) -> None:
        """Take what this form itself has written into the ledger for no news."""
        self._stamp, self.watch.told = self.tools[1].run_store.change_token(), (summary, table)

    def _newest(self) -> RunRecord | None:
        """Return the account's newest run, as it is: at work here, or as the ledger has it."""
        client, ledger = self.tools
        return self._as_it_is(newest_run(ledger, ledger.runs_of(client.account)))

    def _as_it_is(self, record: RunRecord | None) -> RunRecord | None:
        client, ledger = self.tools
        return record and (working_run(client, ledger, record.name) or record)

    def _at_work(self) -> bool:
        if self._blind and not self.watch.at_work:
            return False  # it is over, and the ledger that could tell of it cannot be read
        return self._untold and not self.watch.elsewhere

    def _look(self) -> float | None:
        if self.client is None:
            return None
        pause = self.watch.look()
        if pause is not None:
            return pause
        if self._untold and self.watch.record is not None:
            self._untold = False
            self._tell(self.watch.record)
        return self._peek()

    def _tell(self, record: RunRecord) -> None:
        if isinstance(record, Run) and record.error is not None:
            self._failed(record.error)
        try:
            self._over(record, *self.watch.told)
        finally:
            self._refresh()

    def _peek(self) -> float:
        """Look whether anybody has written into the ledger; show what has changed."""
        stamp = self.tools[1].run_store.change_token()
        if stamp != self._stamp:
            self._stamp = stamp
            shown = self.watch.record
            now = self._as_it_is(shown)
            if now is not None and (now is not shown or not now.done or _differ(now.snapshot(), self.watch.told)):
                self._follow(now)
        return _IDLE


def _differ(one: tuple[str, pd.DataFrame], other: tuple[str, pd.DataFrame]) -> bool:
    return one[0] != other[0] or not one[1].equals(other[1])
