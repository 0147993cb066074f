"""Every run of a ledger: pick one, filter, look at charts, compare with the live account, export."""

from __future__ import annotations

import base64
from datetime import date

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import State
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Form
from itnio_nb.forms.grid import DataTable
from itnio_nb.forms.layout import as_html, field, panel, require_grid, row, show, text_area
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.orders.export import as_csv
from itnio_nb.runs.reconcile import reconcile
from itnio_nb.runs.run import RunRecord
from itnio_nb.workspace import banner, banner_html, is_sandbox_account, open_ledger_for

_ALL = ""
_ANY = "all"
_IDLE = 1.0  # seconds between two looks at the ledger
_COLUMNS = ["groupName", "phoneName", "quantity", "displayNum", "appId", "state", "status", "reason"]


class ReviewForm(Form):
    """A form that shows what a ledger has, and compares it with the account of a client if one is given.

        ReviewForm(client, ledger)

    Of the client's account, or of all in the ledger, pick one run or all; filter by state, application and time (UTC,
    both days included); the charts and the export follow. **Compare with the account** is `reconcile(client, ledger)`:
    it sends nothing, and settles what is unknown.
    """

    def __init__(self, client: Client | None = None, ledger: Ledger | None = None) -> None:
        require_grid()
        super().__init__("Review")
        if ledger is None:
            ledger = Ledger() if client is None else open_ledger_for(client.account)
        self.ledger, self.client = ledger, client
        self._stamp: tuple[object, ...] = ()  # of the ledger as it is shown
        self._seen: tuple[object, ...] = ()  # as it was at the last look
        self._shown = pd.DataFrame()
        self._when = "made"
        self._filling = False
        self.runs = field("Run", "The runs of this ledger, newest first", "100%", widgets.Select, rows=6)
        self.state = field("State", "", "170px", widgets.Dropdown, options=[_ANY, *map(str, State)])
        self.application = field("Application", "", "230px", widgets.Dropdown, options=[_ANY])
        whose = [("all", False)] if client is None else [("this one", True), ("all in the ledger", False)]
        self.account = field("Account", "Whose runs", "220px", widgets.Dropdown, options=whose)
        self.since = field("From", "First day, UTC", "190px", widgets.DatePicker)
        self.until = field("to", "Last day, UTC", "170px", widgets.DatePicker)
        for chosen in (self.runs, self.state, self.application, self.since, self.until):
            chosen.observe(lambda _: None if self._filling else self.ask(self._show, once="show"), "value")
        self.account.observe(lambda _: self.ask(self._load, once="load"), "value")
        self.compare = self.button("Compare with the account", self._compare, main=True)
        self.export = self.button("Export", self._export, "The table below as CSV")
        self.reload = self.button("Refresh", self._load)
        self.summary, self.size = text_area("itnio-live"), text_area("itnio-note")
        self.groups, self.differences = DataTable("itnio-groups"), DataTable("itnio-differences")
        self.charts = widgets.HTML()
        self.compared = text_area("itnio-note", "Not compared yet.")
        parts = {"Groups": panel(self.size, self.groups), "Charts": self.charts}
        parts["Comparison"] = panel(self.compared, self.differences)
        self.tabs = widgets.Tab(list(parts.values()), titles=list(parts))
        filters = row(self.account, self.state, self.application, self.since, self.until)
        actions = row(self.reload, self.compare, self.export)
        self.page.names = {
            **self.page.names,
            "itnio-groups": "Groups, a grid",
            "itnio-differences": "Differences, a grid",
        }
        self.banner = widgets.HTML()
        if client is not None:
            self.banner.value = banner_html(banner(client.account), sandbox=is_sandbox_account(client.account))
        self.children = (self.page, self.banner, self.runs, filters, actions, self.said, self.summary, self.tabs)
        self._load()
        self.ask(lambda: None)  # from now on it looks at the ledger

    def _load(self) -> None:
        """Read the runs anew, and show what is picked."""
        self._stamp = self._seen = self.ledger.run_store.change_token()
        runs = self._runs()
        options = [(f"All: {plural(len(runs), 'run')}", _ALL)]
        for name, groups, phones, finished in (
            runs[["run", "groups", "phones", "finished"]].iloc[::-1].to_numpy().tolist()
        ):
            size = f"{plural(groups, 'group')}, {plural(phones, 'phone')}"
            options.append((f"{name} · {size} · {'finished' if finished else 'not finished'}", name))
        applications = [_ANY, *self._table()["appId"].unique().tolist()]
        picked, application = self.runs.value, self.application.value
        self._filling = True
        try:
            self.runs.options = options
            self.runs.value = picked if picked in set(runs["run"]) else _ALL
            self.application.options = applications
            self.application.value = application if application in applications else _ANY
        finally:
            self._filling = False
        self._show()

    def _table(self) -> pd.DataFrame:
        """Return the groups of the account that is chosen, or of all."""
        chosen = self.client.account if self.client is not None and self.account.value else None
        return self.ledger.table if chosen is None else self.ledger.account_table(chosen)

    def _runs(self) -> pd.DataFrame:
        """Return the runs of the account that is chosen, or of all."""
        runs = self.ledger.runs
        if self.client is None or not self.account.value:
            return runs
        account = self.client.account
        return runs[runs["account"] == f"{account.base_url} {account.api_key}"]

    def _show(self) -> None:
        name = self.runs.value or _ALL
        if name == _ALL:
            table, self._when = self._table(), "made"
            told = f"{plural(len(self.runs.options) - 1, 'run')}, {plural(len(table), 'group')} in the ledger."
            columns = [*_COLUMNS, "made", "run"]
        else:
            record = RunRecord(self.ledger.runs_of(None)[name], self.ledger)
            told, table = record.snapshot()
            self._when = "at"
            columns = [*_COLUMNS, "advice", "at", "created_in", "row"]
        show(self.summary, told)
        self._shown = self._filtered(table[columns])
        show(self.size, f"{plural(len(self._shown), 'group')} of {len(table):,}")
        self.groups.show(self._shown.set_axis(pd.RangeIndex(1, len(self._shown) + 1, name="no.")))
        self.charts.value = self._pictures()
        self._refresh()

    def _filtered(self, table: pd.DataFrame) -> pd.DataFrame:
        kept = pd.Series(True, index=table.index)
        if self.state.value != _ANY:
            kept &= table["state"] == self.state.value
        if self.application.value != _ANY:
            kept &= table["appId"] == self.application.value
        first, last = _day(self.since.value), _day(self.until.value)
        if first or last:
            days = table[self._when].str[:10]
            kept &= (days >= (first or "0")) & (days <= (last or "9")) & (days != "")
        return table[kept]

    def _pictures(self) -> str:
        """Return the charts as HTML, with words for those who cannot see them."""
        from itnio_nb.runs.charts import as_png, created_chart, outcome_chart

        counts = self._shown["state"].value_counts()
        words = ", ".join(f"{state} {number}" for state, number in counts.items()) or "nothing"
        drawn = [(outcome_chart(self._shown), f"Outcomes: {words}")]
        drawn.append((created_chart(self._shown, self._when), "Phones created over time"))
        pictures = [(base64.b64encode(as_png(figure)).decode(), alt) for figure, alt in drawn]
        images = (f'<img alt="{as_html(alt)}" src="data:image/png;base64,{data}">' for data, alt in pictures)
        return f"<div class='itnio-charts'>{''.join(images)}</div>"

    def _refresh(self) -> None:
        busy = self._acting.locked()
        self.compare.disabled = busy or self.client is None
        self.compare.tooltip = (
            "Give a client, to compare: ReviewForm(client, ledger)"
            if self.client is None
            else "List the account, and settle what is unknown; nothing is sent"
        )
        self.export.disabled = busy or self._shown.empty
        self.reload.disabled = busy

    def _compare(self) -> None:
        if self.client is None:
            raise InputError("There is no account to compare with: ReviewForm(client, ledger).")
        report = reconcile(self.client, self.ledger)
        differing = report[report["advice"] != ""]
        settled = int((report["before"] != report["after"]).sum())
        told = f"{plural(len(report), 'group')} compared: {len(differing):,} to look at, {settled:,} settled."
        show(self.compared, told, "good" if differing.empty else "warning")
        shown = differing if len(differing) else report
        self.differences.show(shown.set_axis(pd.RangeIndex(1, len(shown) + 1, name="no.")))
        self._load()
        self.tabs.selected_index = 2
        self.say(told, "good" if differing.empty else "warning")

    def _export(self) -> None:
        name = self.runs.value or "all-runs"
        self.page.hand_over(f"{name}-groups.csv", as_csv(self._shown))
        self.say(f"{plural(len(self._shown), 'group')} exported as {name}-groups.csv.", "good")

    def _look(self) -> float | None:
        """Show what others have written once they pause: a table that changes all the time cannot be read."""
        stamp = self.ledger.run_store.change_token()
        if stamp == self._seen and stamp != self._stamp:
            self._load()
        self._seen = stamp
        return _IDLE

    def _lines(self) -> list[str]:
        runs = len(self.runs.options) - 1
        states = self._shown["state"].value_counts().sort_index()
        told = ", ".join(f"{number:,} {state}" for state, number in states.items()) or "none"
        return [f"ReviewForm: {plural(runs, 'run')}. {plural(len(self._shown), 'group')} shown: {told}."]


def _day(chosen: date | None) -> str:
    return chosen.isoformat() if chosen else ""
