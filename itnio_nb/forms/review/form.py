"""Every run of a ledger: pick one, filter, look at charts, compare with the account, export."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.account.account import Account
from itnio_nb.api.client import Client
from itnio_nb.api.models import State
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Form
from itnio_nb.forms.grid import Grid
from itnio_nb.forms.layout import panel, row, set_shown, show, text_area
from itnio_nb.forms.review.filters import Filters, at_work_since, called
from itnio_nb.forms.review.shown import COLUMNS, charts_html, find_groups, for_people, found_words, with_columns
from itnio_nb.forms.run.monitor import POLL_PAUSE
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.run_control import all_workers
from itnio_nb.orders.export.tables import as_csv
from itnio_nb.runs.reconcile.report import reconcile
from itnio_nb.runs.run import RunRecord
from itnio_nb.runs.sending.background import items_done
from itnio_nb.workspace import banner, banner_html, open_ledger_for, wants_sandbox

_NO_CLIENT = "There is no account to compare with: ReviewForm(client, ledger)"
_CHARTS, _COMPARISON = 1, 2  # tabs
MOST_SHOWN = 20_000  # groups that are shown at once, as many as a large run has: of more the newest are


class ReviewForm(Form):
    """A form that shows what a ledger has, and compares it with the account of a client if there is one.

        ReviewForm(client, ledger)

    What is not given is opened: the configured account and its ledger or, where none is configured, the sandbox's
    ledger. Pick one run or all, filter by state, application, operator and local day, or find a group in all runs; the
    charts and the export follow. A run at work tells how far it is.
    **Compare with the account** is `reconcile(client, ledger)`: it sends nothing, and resolves what is unknown.
    """

    def __init__(self, client: Client | None = None, ledger: Ledger | None = None) -> None:
        super().__init__("Review")
        if client is None and not wants_sandbox():
            client = Client(Account.from_env())
        self.client = client
        self.ledger = ledger or open_ledger_for(None if client is None else client.account)
        self.poll = self._show_news
        self._change_token = self._polled_token = self.ledger.run_store.change_token()  # as it is shown, as last polled
        self._shown = pd.DataFrame()
        self._size = 0  # of all groups
        self._whole: Callable[[], pd.DataFrame] | None = None  # reads what the newest groups are shown of
        self._worked_on: set[str] = set()  # names of runs that somebody works on
        self._working: set[str] = set()  # those of the account that is shown
        self._runs: dict[str, int] = {}  # numbers by name, newest first
        self._started: dict[str, str] = {}
        self._sources: dict[str, str] = {}  # file and name, in words
        self._title = ""  # the summary, but for what is at work
        self._charts_are_old = self._was_compared = False
        has_client = client is not None
        show_soon = partial(self.tasks.put, self._show, once="show")
        self.filters = Filters(has_client, show_soon, partial(self.tasks.put, self._load, once="load"))
        actions = self._buttons(has_client)
        self.summary, self.size = text_area("itnio-live"), text_area("itnio-note")
        self._add_tabs("Not compared yet." if has_client else f"{_NO_CLIENT}.")
        self.banner = widgets.HTML()
        if client is not None:
            self.banner.value = banner_html(banner(client.account), sandbox=client.account.is_sandbox)
        shown = (self.filters.row, actions, self.summary, self.tabs, self.status_line)  # buttons stay in their place
        self.children = (self.browser, self.banner, *shown)
        self._load()
        self.tasks.put(lambda: None)  # the first poll

    def _buttons(self, has_client: bool) -> widgets.HBox:
        tip = "List the account, and settle what is unknown; nothing is sent"
        tip = tip if has_client else "Give a client, to compare: ReviewForm(client, ledger)"
        words = "Compare with the account"
        self.compare = self.button(words, self._compare, tip, main=True, is_ready=lambda: has_client)
        tip = "The table below as CSV"
        self.export = self.button("Export", self._export, tip, is_ready=lambda: not self._shown.empty)
        self.reload = self.button("Refresh", self._load)
        return row(self.compare, self.export, self.reload)

    def _add_tabs(self, compared: str) -> None:
        self.groups, self.differences = Grid("itnio-groups", "Groups"), Grid("itnio-differences", "Differences")
        self.charts = widgets.HTML()
        self.compared = text_area("itnio-note", compared)
        tabs = {"Groups": panel(self.size, self.groups), "Charts": self.charts}
        tabs["Comparison"] = panel(self.compared, self.differences)
        self.tabs = widgets.Tab(list(tabs.values()), titles=list(tabs))
        self.tabs.observe(lambda _: self.tasks.put(self._draw_charts, once="charts"), "selected_index")

    def _load(self) -> None:
        """Read the runs anew, and show what is picked."""
        self._change_token = self._polled_token = self.ledger.run_store.change_token()
        self._worked_on = self.ledger.run_control.working_runs()  # first: a run that begins meanwhile is news
        self._runs = self.ledger.runs_of(self._account())
        self._working = self._worked_on & self._runs.keys()
        runs = self.ledger.runs
        runs = runs[runs["run"].isin(self._runs)]
        self._started = dict(zip(runs["run"], runs["started"], strict=True))
        self._sources = dict(zip(runs["run"], map(called, runs["source"], runs["run"]), strict=True))
        applications = self.ledger.pages.applications(self._account())
        self.filters.fill(runs, self._working, applications, all_workers(self.ledger.database))
        self._show()

    def _account(self) -> Account | None:
        return self.client.account if self.client is not None and self.filters.account.value else None

    def _show(self) -> None:
        self.filters.run.disabled = bool(self.filters.words)  # a group is looked for in all of them
        self._whole = None
        table, when = self._picked()
        self._shown = self.filters.apply(table, when)
        what = ("receipt", ", the newest first") if self.filters.words else ("group", "")
        size = f"{plural(len(self._shown), what[0])} of {len(table):,}{what[1]}"
        if self._whole is not None:
            size = (
                f"The newest {len(self._shown):,} of {self._size:,} groups: pick a run or a filter; the export has all"
            )
        show(self.size, size)
        self._tell_progress()
        set_shown(self.tabs, bool(self._runs) or self._was_compared)
        self.groups.show(for_people(self._shown))
        self._charts_are_old = True
        self._draw_charts()
        self.refresh()

    def _picked(self) -> tuple[pd.DataFrame, str]:
        """Return the table that is picked and the column of its times; the title is in words what it is."""
        if words := self.filters.words:
            found = find_groups(self.ledger, self._runs, words)
            self._title = found_words(found, words, self.filters.runs)
            return found, "at"
        if name := self.filters.run.value:
            self._title, table = RunRecord(self._runs[name], self.ledger).snapshot()
            if self.filters.has_operators:
                table = table.assign(operator=self.ledger.run_store.operators(self._runs[name]))
            return with_columns(table, [*COLUMNS, "advice", "at", "created_in", "row"]), "at"
        self._size = self.ledger.pages.counts(self._account()).total()
        self._title = f"{self.filters.runs}, {plural(self._size, 'group')} in the ledger."
        self._title += "" if self._size else " What is submitted appears here."
        account, by, columns = self._account(), self.filters.has_operators, [*COLUMNS, "made", "run"]
        read_all = partial(self.ledger.table_for, account, operators=by)
        if self._size <= MOST_SHOWN or self.filters.is_narrowed:
            return with_columns(read_all(), columns), "made"
        self._whole = lambda: with_columns(read_all(), columns)
        return with_columns(self.ledger.pages.newest_groups(account, operators=by), columns), "made"

    def _all_shown(self) -> pd.DataFrame:
        """Return what is shown; where that is the first page of a large ledger, all of it."""
        return self._shown if self._whole is None else self._whole()

    def _tell_progress(self) -> None:
        """Show the summary and, of runs at work, how far they are."""
        lines = [self._title]
        picked = "" if self.filters.words else self.filters.run.value
        for name in sorted(self._working):
            record = RunRecord(self._runs[name], self.ledger)
            counts = record.counts
            far = f"{items_done(counts):,} of {plural(counts.total(), 'group')}"
            if name == picked:
                lines[0] = record.summary
            if picked in ("", name):
                lines.append(f"At work {at_work_since(self._started[name])}: {far} of {self._sources[name]}.")
        show(self.summary, "\n".join(lines))

    def _draw_charts(self) -> None:
        """Draw the charts if their tab is open and they are old: drawing takes longer than all the rest."""
        if self._charts_are_old and self.tabs.selected_index == _CHARTS:
            groups = self._all_shown()  # where one is looked for there are several rows of a group
            groups = groups.drop_duplicates(["appId", "groupName"]) if self.filters.words else groups
            self.charts.value = charts_html(groups)
            self._charts_are_old = False

    def _compare(self) -> None:
        if self.client is None:
            raise InputError(f"{_NO_CLIENT}.")
        report = reconcile(self.client, self.ledger)
        differing = report[report["advice"] != ""]
        resolved = int((report["before"] != report["after"]).sum())
        words = f"{plural(len(report), 'group')} compared: {len(differing):,} to look at, {resolved:,} settled."
        kind = "good" if differing.empty else "warning"
        show(self.compared, words, kind)
        self._was_compared = True
        self.differences.show(for_people(report if differing.empty else differing))
        self._load()
        self.tabs.selected_index = _COMPARISON
        self.set_status(words, kind)

    def _export(self) -> None:
        name = f"{'found' if self.filters.words else self.filters.run.value or 'all-runs'}-groups.csv"
        groups = self._all_shown()
        self.browser.download(name, as_csv(groups))
        self.set_status(f"{plural(len(groups), 'group')} exported as {name}.", "good")

    def _show_news(self) -> float | None:
        """Show what others have written once they pause: a table that changes all the time cannot be read.

        Ages, and how far a run at work is, are those of now.
        """
        change_token = self.ledger.run_store.change_token()
        working = self.ledger.run_control.working_runs()
        paused = change_token == self._polled_token and change_token != self._change_token
        if paused or working != self._worked_on:
            self._load()
        else:
            self.filters.relabel(self._working)
            if self._working:
                self._tell_progress()
        self._polled_token = change_token
        return POLL_PAUSE

    def describe(self) -> list[str]:
        """Return how many runs there are, and how many groups are shown in each state."""
        sizes = self._shown["state"].value_counts().sort_index()
        states = ", ".join(f"{number:,} {State(str(state)).word}" for state, number in sizes.items()) or "none"
        return [f"ReviewForm: {self.filters.runs}. {plural(len(self._shown), 'group')} shown: {states}."]
