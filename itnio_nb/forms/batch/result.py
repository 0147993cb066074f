"""Step 5 of a batch: what became of each order, in tabs; resolve, try again, download, hand over."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import State
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Form
from itnio_nb.forms.grid import Grid
from itnio_nb.forms.layout import panel, row, show, text_area
from itnio_nb.forms.monitor import Outcome, RunMonitor
from itnio_nb.orders.check import invalid_rows
from itnio_nb.runs.run import RunRecord

FOLDER = Path("results")
_TABS = {  # the states of groups behind each tab
    "Created": (State.CREATED,),
    "Existed": (State.EXISTS,),
    "Refused": (State.REFUSED, State.PARTIAL),
    "Unknown": (State.UNKNOWN, State.SENDING),
    "Not sent": (State.PLANNED,),
}
_INVALID = "Invalid"
_COLUMNS = ["groupName", "phoneName", "quantity", "displayNum", "appId", "state", "status", "reason", "advice"]


class ResultStep:
    """The outcome of a run. `try_again(record)` resumes it or plans the rest; `begin` begins another batch."""

    def __init__(
        self, form: Form, monitor: RunMonitor, try_again: Callable[[RunRecord], None], begin: Callable[[], None]
    ) -> None:
        self._form, self._monitor = form, monitor
        self.record: RunRecord | None = None
        self._finished = True
        self._any_created = False  # by this run or an earlier one: there is something to hand over
        self._tables: dict[str, pd.DataFrame] = {name: pd.DataFrame() for name in (*_TABS, _INVALID)}
        self._old_tabs: set[str] = set()  # tabs whose grid does not show the present table yet
        self.files: list[Path] = []  # what Hand over has written
        self.summary, self.note = text_area("itnio-live"), text_area("itnio-note")
        self.grids = {name: Grid(f"itnio-{name.split()[0].lower()}") for name in self._tables}
        self.tabs = widgets.Tab(list(self.grids.values()), titles=list(self.grids))
        self.tabs.observe(lambda _: form.tasks.put(self._fill_tab, once="tab"), "selected_index")
        tip = "Compare with the account, and settle what is unknown"
        self.reconcile = form.button("Settle unknown", self._reconcile, tip)
        tip = "Send what was not sent or was refused"
        self.retry = form.button("Try the rest again", lambda: try_again(self._shown), tip)
        self.download = form.button("Download results", self._download, "Six files: each order is in exactly one")
        self.hand_over = form.button("Hand over", self._hand_over, "Write accounts and passwords for the handsets")
        self.fetch = form.button("Download the hand-over", self._fetch, "The files that Hand over has written")
        self.new = form.button("New batch", begin, "Begin with other orders")
        actions = row(self.reconcile, self.retry, self.download, self.hand_over, self.fetch, self.new)
        self.body = panel(self.summary, actions, self.note, self.tabs)

    @property
    def _shown(self) -> RunRecord:
        if self.record is None:
            raise InputError("There is no run to work on: submit a plan first.")
        return self.record

    def size(self, tab: str) -> int:
        """Return how many rows a tab has."""
        return len(self._tables[tab])

    def show(self, record: RunRecord, outcome: Outcome) -> None:
        """Show a run and its outcome, as the ledger has it now."""
        if self.record is None or record.name != self.record.name:
            self.files = []
            show(self.note, "")
        summary, table = outcome
        self.record, self._finished = record, record.finished
        self._any_created = bool((table["created_in"] != "").any())
        orders, findings = record.orders
        groups = table.set_index("row")
        errors = findings[findings["row"].isin(invalid_rows(findings)) & (findings["severity"] == "error")]
        self._tables = {name: groups[groups["state"].isin(states)][_COLUMNS] for name, states in _TABS.items()}
        self._tables[_INVALID] = errors.set_index("row")[["column", "value", "problem", "advice"]]
        rest = len(orders.index.difference(groups.index).difference(pd.Index(errors["row"])))
        if rest:
            summary += f" {plural(rest, 'order')} {'was' if rest == 1 else 'were'} not part of this run, a trial."
        incomplete = self.size("Unknown") or self.size("Refused") or self.size("Not sent")
        show(self.summary, summary, "warning" if incomplete else "good")
        sizes = {**{name: self.size(name) for name in _TABS}, _INVALID: errors["row"].nunique()}
        self.tabs.titles = [f"{name} {size:,}" for name, size in sizes.items()]
        self._old_tabs = set(sizes)
        if not sizes[self._tab]:  # begin where there is something to see
            self.tabs.selected_index = next((at for at, size in enumerate(sizes.values()) if size), 0)
        self._fill_tab()

    def refresh(self, *, busy: bool) -> None:
        """Show which buttons can be pressed."""
        disabled = busy or self.record is None
        self.reconcile.disabled = disabled or not self.size("Unknown")
        self.retry.disabled = disabled or not self.left
        self.download.disabled = disabled
        self.hand_over.disabled = disabled or not self._any_created
        self.fetch.disabled = busy or not self.files
        self.new.disabled = busy

    @property
    def left(self) -> int:
        """How many groups may be tried again."""
        return self.size("Not sent") + self.size("Refused") + (0 if self._finished else self.size("Unknown"))

    @property
    def _tab(self) -> str:
        return list(self.grids)[self.tabs.selected_index or 0]

    def _fill_tab(self) -> None:
        """Fill the grid of the tab that is open; the others once they are."""
        if self._tab in self._old_tabs:
            self._old_tabs.discard(self._tab)
            self.grids[self._tab].show(self._tables[self._tab])

    def _reconcile(self) -> None:
        report = self._monitor.account.workspace.reconcile()
        resolved = report[report["before"] != report["after"]]
        parts = ", ".join(f"{number} {state}" for state, number in resolved["after"].value_counts().items())
        unknown = int((report["after"] == State.UNKNOWN).sum())
        outcome = self._shown.snapshot()
        self.show(self._shown, outcome)
        self._monitor.acknowledge(outcome)
        words = f"Looked: {plural(len(resolved), 'group')} settled{f' ({parts})' if parts else ''}"
        words = f"{words}, {unknown:,} still unknown. `planned` can be sent again."
        self._form.set_status(words, "warning" if unknown else "good")

    def _download(self) -> None:
        name, (orders, _) = self._shown.name, self._shown.orders
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in self._shown.write_results(FOLDER).values():
                archive.write(path, path.name)
        self._form.browser.download(f"{name}-results.zip", data.getvalue())
        show(self.note, f"Six files with {plural(len(orders), 'order')} are in {FOLDER}/ too: {name}-created.csv …")

    def _hand_over(self) -> None:
        self.files = list(self._monitor.account.workspace.hand_over(self._shown, FOLDER).values())
        names = ", ".join(path.name for path in self.files)
        show(self.note, f"Written to {FOLDER}/, for you alone to read, with the passwords of the phones: {names}.")

    def _fetch(self) -> None:
        for path in self.files:
            self._form.browser.download(path.name, path.read_bytes())
