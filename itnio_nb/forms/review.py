"""Every run of a ledger: pick one, filter, look at charts, compare with the account, export."""

from __future__ import annotations

import base64
from datetime import date
from functools import partial

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.account.account import Account
from itnio_nb.api.client import Client
from itnio_nb.api.models import API_COLUMNS, State
from itnio_nb.api.text import html_text, plural
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Action, Form
from itnio_nb.forms.grid import Grid
from itnio_nb.forms.layout import field, panel, row, show, text_area
from itnio_nb.forms.monitor import POLL_PAUSE
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.orders.export.tables import as_csv
from itnio_nb.runs.reconcile.report import reconcile
from itnio_nb.runs.run import RunRecord
from itnio_nb.workspace import banner, banner_html, open_ledger_for, wants_sandbox

_ANY = "all"
_CHARTS, _COMPARISON = 1, 2  # tabs
_COLUMNS = [*API_COLUMNS, "state", "status", "reason"]


class ReviewForm(Form):
    """A form that shows what a ledger has, and compares it with the account of a client if there is one.

        ReviewForm(client, ledger)

    What is not given is opened: the configured account and its ledger or, where none is configured, the sandbox's
    ledger. Pick one run or all, filter by state, application and day (UTC); the charts and the export follow.
    **Compare with the account** is `reconcile(client, ledger)`: it sends nothing, and resolves what is unknown.
    """

    def __init__(self, client: Client | None = None, ledger: Ledger | None = None) -> None:
        super().__init__("Review", {"itnio-groups": "Groups, a grid", "itnio-differences": "Differences, a grid"})
        if client is None and not wants_sandbox():
            client = Client(Account.from_env())
        self.client = client
        self.ledger = ledger or open_ledger_for(None if client is None else client.account)
        self.poll = self._show_news
        self._change_token = self._polled_token = self.ledger.run_store.change_token()  # as it is shown, as last polled
        self._shown = pd.DataFrame()
        self._charts_are_old = False
        has_client = client is not None
        show_soon = partial(self.tasks.put, self._show, once="show")
        self.filters = Filters(has_client, show_soon, partial(self.tasks.put, self._load, once="load"))
        tip = "List the account, and settle what is unknown; nothing is sent"
        tip = tip if has_client else "Give a client, to compare: ReviewForm(client, ledger)"
        words = "Compare with the account"
        self.compare = self.button(words, self._compare, tip, main=True, is_ready=lambda: has_client)
        tip = "The table below as CSV"
        self.export = self.button("Export", self._export, tip, is_ready=lambda: not self._shown.empty)
        self.reload = self.button("Refresh", self._load)
        self.summary, self.size = text_area("itnio-live"), text_area("itnio-note")
        self.groups, self.differences = Grid("itnio-groups"), Grid("itnio-differences")
        self.charts = widgets.HTML()
        self.compared = text_area("itnio-note", "Not compared yet.")
        tabs = {"Groups": panel(self.size, self.groups), "Charts": self.charts}
        tabs["Comparison"] = panel(self.compared, self.differences)
        self.tabs = widgets.Tab(list(tabs.values()), titles=list(tabs))
        self.tabs.observe(lambda _: self.tasks.put(self._draw_charts, once="charts"), "selected_index")
        self.banner = widgets.HTML()
        if client is not None:
            self.banner.value = banner_html(banner(client.account), sandbox=client.account.is_sandbox)
        actions = row(self.reload, self.compare, self.export)
        head = (self.browser, self.banner, self.filters.run, self.filters.row)
        self.children = (*head, actions, self.status_line, self.summary, self.tabs)
        self._load()
        self.tasks.put(lambda: None)  # the first poll

    def _load(self) -> None:
        """Read the runs anew, and show what is picked."""
        self._change_token = self._polled_token = self.ledger.run_store.change_token()
        runs = self.ledger.runs
        runs = runs[runs["run"].isin(self.ledger.runs_of(self._account()))]
        self.filters.fill(runs, self._table()["appId"].unique().tolist())
        self._show()

    def _account(self) -> Account | None:
        return self.client.account if self.client is not None and self.filters.account.value else None

    def _table(self) -> pd.DataFrame:
        account = self._account()
        return self.ledger.table if account is None else self.ledger.table_for(account)

    def _show(self) -> None:
        name = self.filters.run.value
        if name:
            summary, table = RunRecord(self.ledger.runs_of(None)[name], self.ledger).snapshot()
            columns, when = [*_COLUMNS, "advice", "at", "created_in", "row"], "at"
        else:
            table = self._table()
            summary = f"{self.filters.runs}, {plural(len(table), 'group')} in the ledger."
            columns, when = [*_COLUMNS, "made", "run"], "made"
        show(self.summary, summary)
        self._shown = self.filters.apply(table[columns], when)
        show(self.size, f"{plural(len(self._shown), 'group')} of {len(table):,}")
        self.groups.show(_numbered(self._shown))
        self._charts_are_old = True
        self._draw_charts()
        self.refresh()

    def _draw_charts(self) -> None:
        """Draw the charts if their tab is open and they are old: drawing takes longer than all the rest."""
        if self._charts_are_old and self.tabs.selected_index == _CHARTS:
            self.charts.value = _charts_html(self._shown)
            self._charts_are_old = False

    def _compare(self) -> None:
        if self.client is None:
            raise InputError("There is no account to compare with: ReviewForm(client, ledger).")
        report = reconcile(self.client, self.ledger)
        differing = report[report["advice"] != ""]
        resolved = int((report["before"] != report["after"]).sum())
        words = f"{plural(len(report), 'group')} compared: {len(differing):,} to look at, {resolved:,} settled."
        kind = "good" if differing.empty else "warning"
        show(self.compared, words, kind)
        self.differences.show(_numbered(report if differing.empty else differing))
        self._load()
        self.tabs.selected_index = _COMPARISON
        self.set_status(words, kind)

    def _export(self) -> None:
        name = f"{self.filters.run.value or 'all-runs'}-groups.csv"
        self.browser.download(name, as_csv(self._shown))
        self.set_status(f"{plural(len(self._shown), 'group')} exported as {name}.", "good")

    def _show_news(self) -> float | None:
        """Show what others have written once they pause: a table that changes all the time cannot be read."""
        change_token = self.ledger.run_store.change_token()
        if change_token == self._polled_token and change_token != self._change_token:
            self._load()
        self._polled_token = change_token
        return POLL_PAUSE

    def describe(self) -> list[str]:
        """Return how many runs there are, and how many groups are shown in each state."""
        sizes = self._shown["state"].value_counts().sort_index()
        states = ", ".join(f"{number:,} {state}" for state, number in sizes.items()) or "none"
        return [f"ReviewForm: {self.filters.runs}. {plural(len(self._shown), 'group')} shown: {states}."]


class Filters:
    """What is picked of a ledger: a run, state, application, days (`on_change`), or the account (`on_account`)."""

    def __init__(self, has_account: bool, on_change: Action, on_account: Action) -> None:
        self._filling = False
        self.runs = ""  # how many there are, in words
        accounts = [("this one", True), ("all in the ledger", False)] if has_account else [("all", False)]
        self.account = field("Account", "Whose runs", "220px", widgets.Dropdown, options=accounts)
        self.run = field("Run", "The runs of this ledger, newest first", "100%", widgets.Select, rows=6)
        self.state = field("State", "", "170px", widgets.Dropdown, options=[_ANY, *map(str, State)])
        self.application = field("Application", "", "230px", widgets.Dropdown, options=[_ANY])
        self.since = field("From", "First day, UTC", "190px", widgets.DatePicker)
        self.until = field("to", "Last day, UTC", "170px", widgets.DatePicker)
        self.account.observe(lambda _: on_account(), "value")
        boxes = (self.state, self.application, self.since, self.until)
        for box in (self.run, *boxes):
            box.observe(lambda _: None if self._filling else on_change(), "value")
        self.row = row(self.account, *boxes)

    def fill(self, runs: pd.DataFrame, applications: list[str]) -> None:
        """Offer these runs, the newest first, and applications; what is picked stays picked."""
        self.runs = plural(len(runs), "run")
        options = [(f"All: {self.runs}", "")]
        columns = ["run", "groups", "phones", "finished"]
        for name, groups, phones, finished in runs[columns].iloc[::-1].to_numpy().tolist():
            size = f"{plural(groups, 'group')}, {plural(phones, 'phone')}"
            options.append((f"{name} · {size} · {'finished' if finished else 'not finished'}", name))
        run, application = self.run.value, self.application.value
        self._filling = True
        try:
            self.run.options = options
            self.run.value = run if run in set(runs["run"]) else ""
            self.application.options = [_ANY, *applications]
            self.application.value = application if application in applications else _ANY
        finally:
            self._filling = False

    def apply(self, table: pd.DataFrame, when: str) -> pd.DataFrame:
        """Return the rows of a table that are picked; `when` is the column whose day counts."""
        for column, picked in (("state", self.state.value), ("appId", self.application.value)):
            table = table if picked == _ANY else table[table[column] == picked]
        if self.since.value or self.until.value:
            first, last = self.since.value or date.min, self.until.value or date.max
            table = table[table[when].str[:10].between(first.isoformat(), last.isoformat())]
        return table


def _numbered(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_axis(pd.RangeIndex(1, len(table) + 1, name="no."))


def _charts_html(groups: pd.DataFrame) -> str:
    """Return the charts of some groups as HTML, with their numbers for those who cannot see them."""
    from itnio_nb.ledger.charts import Charts, as_png

    charts = Charts(groups, "made" if "made" in groups else "at")
    drawn = [(charts.outcomes, f"Outcomes: {charts}"), (charts.created, f"Phones created over time: {charts}")]
    pictures = [(base64.b64encode(as_png(figure)).decode(), alt) for figure, alt in drawn]
    images = (f'<img alt="{html_text(alt)}" src="data:image/png;base64,{data}">' for data, alt in pictures)
    return f"<div class='itnio-charts'>{''.join(images)}</div>"
