"""Step 5 of a batch: what became of each order, in tabs; settle, go on, download, hand over."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import State
from itnio_nb.api.text import plural
from itnio_nb.forms.grid import DataTable
from itnio_nb.forms.layout import panel, row, show, text_area
from itnio_nb.forms.monitor import RunForm
from itnio_nb.orders.check import invalid_rows
from itnio_nb.orders.export import next_free_path
from itnio_nb.runs.credentials import export_credentials, file_stems
from itnio_nb.runs.reconcile import reconcile
from itnio_nb.runs.run import RunRecord

FOLDER = Path("results")
_TABS = {  # the states of groups behind each tab
    "Created": (State.CREATED,),
    "Existed": (State.EXISTS,),
    "Refused": (State.REFUSED, State.PARTIAL),
    "Unknown": (State.UNKNOWN, State.SENDING),
    "Not sent": (State.PLANNED,),
}
_COLUMNS = ["groupName", "phoneName", "quantity", "displayNum", "appId", "state", "status", "reason", "advice"]


class ResultStep:
    """What became of a run's groups. `go_on(record)` resumes it or plans the rest; `new` begins another batch."""

    def __init__(self, form: RunForm, go_on: Callable[[RunRecord], None], new: Callable[[], None]) -> None:
        self._form = form
        self.record: RunRecord | None = None
        self.created = False  # whether anything can be handed over: created by this run or an earlier one
        self._finished = True
        self._groups: dict[str, pd.DataFrame] = {}
        self._fresh: set[str] = set()  # tabs whose table is not yet the present one
        self.summary = text_area("itnio-live")
        self.tables = {name: DataTable(f"itnio-{name.split()[0].lower()}") for name in (*_TABS, "Invalid")}
        self.tabs = widgets.Tab(list(self.tables.values()), titles=list(self.tables))
        self.tabs.observe(lambda _: form.ask(self._fill, once="tab"), "selected_index")
        self.settle = form.button(
            "Settle unknown", self._settle, "Compare with the account, and settle what is unknown"
        )
        self.rest = form.button(
            "Try the rest again", lambda: go_on(self._shown), "Send what was not sent or was refused"
        )
        self.download = form.button("Download results", self._download, "Six files: each order is in exactly one")
        self.hand_over = form.button("Hand over", self._hand_over, "Write accounts and passwords for the handsets")
        self.fetch = form.button("Download the hand-over", self._fetch, "The files that Hand over has written")
        self.new = form.button("New batch", new, "Begin with other orders")
        self.files: list[Path] = []
        self.told = text_area("itnio-note")
        actions = row(self.settle, self.rest, self.download, self.hand_over, self.fetch, self.new)
        self.body = panel(self.summary, actions, self.told, self.tabs)

    @property
    def _shown(self) -> RunRecord:
        assert self.record is not None  # noqa: S101 - its buttons are dead without
        return self.record

    def size(self, tab: str) -> int:
        """How many rows a tab has."""
        return len(self._groups.get(tab, ()))

    def show(self, record: RunRecord, summary: str, table: pd.DataFrame) -> None:
        """Show a run, its summary and its table as the ledger has them now."""
        if self.record is None or record.name != self.record.name:
            self.files = []
            show(self.told, "")
        self.record = record
        orders, findings = record.orders
        self._finished = record.finished
        self.created = bool((table["created_in"] != "").any())
        groups = table.set_index("row")
        self._groups = {name: groups[groups["state"].isin(states)][_COLUMNS] for name, states in _TABS.items()}
        wrong = findings[findings["row"].isin(invalid_rows(findings)) & (findings["severity"] == "error")]
        self._groups["Invalid"] = wrong.set_index("row")[["column", "value", "problem", "advice"]]
        rest = len(orders.index.difference(groups.index).difference(pd.Index(wrong["row"])))
        if rest:
            summary += f" {plural(rest, 'order')} {'was' if rest == 1 else 'were'} not part of this run, a trial."
        lost = self.size("Unknown") or self.size("Refused") or self.size("Not sent")
        show(self.summary, summary, "warning" if lost else "good")
        self.tabs.titles = [f"{name} {self._size_of(name):,}" for name in self.tables]
        self._fresh = set(self.tables)
        if not self.size(self._tab):  # begin where there is something to see
            first = next((at for at, name in enumerate(self.tables) if self.size(name)), 0)
            self.tabs.selected_index = first
        self._fill()

    def refresh(self, *, busy: bool) -> None:
        """Show which buttons can be pressed."""
        none = busy or self.record is None
        self.settle.disabled = none or not self.size("Unknown")
        self.rest.disabled = none or not self.left
        self.download.disabled = none
        self.hand_over.disabled = none or not self.created
        self.fetch.disabled = busy or not self.files
        self.new.disabled = busy

    @property
    def left(self) -> int:
        """How many groups may be tried again."""
        return self.size("Not sent") + self.size("Refused") + (self.size("Unknown") if not self._finished else 0)

    @property
    def _tab(self) -> str:
        return list(self.tables)[self.tabs.selected_index or 0]

    def _size_of(self, tab: str) -> int:
        """Return a tab's count: groups, and rows of the orders for what is invalid."""
        return self.size(tab) if tab != "Invalid" else self._groups[tab].index.nunique()

    def _fill(self) -> None:
        """Fill the table of the tab that is looked at; the others when they are."""
        name = self._tab
        if name in self._fresh and name in self._groups:
            self._fresh.discard(name)
            self.tables[name].show(self._groups[name])

    def _settle(self) -> None:
        client, ledger = self._form.tools
        report = reconcile(client, ledger)
        settled = report[report["before"] != report["after"]]
        parts = [f"{number} {state}" for state, number in settled["after"].value_counts().items()]
        open_still = int((report["after"] == State.UNKNOWN).sum())
        told = self._shown.snapshot()
        self.show(self._shown, *told)
        self._form.knows(*told)
        self._form.say(
            f"Looked: {plural(len(settled), 'group')} settled{f' ({chr(44).join(parts)})' if parts else ''}, "
            f"{open_still:,} still unknown. `planned` can be sent again.",
            "warning" if open_still else "good",
        )

    def _download(self) -> None:
        paths = self._shown.write_results(FOLDER)
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in paths.values():
                archive.write(path, path.name)
        self._form.page.hand_over(f"{self._shown.name}-results.zip", whole.getvalue())
        orders, _ = self._shown.orders
        show(
            self.told,
            f"Six files with {plural(len(orders), 'order')} are in {FOLDER}/ too: {self._shown.name}-created.csv …",
        )

    def _hand_over(self) -> None:
        client, _ = self._form.tools
        table = self._shown.table
        applications = table["appId"][table["created_in"] != ""].unique().tolist()
        written = []
        for app_id, stem in file_stems(applications).items():
            path = next_free_path(FOLDER / f"{self._shown.name}-{stem}-phones.xlsx")
            path.parent.mkdir(parents=True, exist_ok=True)
            written.append(export_credentials(client, app_id, table, path))
        self.files = written
        names = ", ".join(path.name for path in written)
        show(self.told, f"Written to {FOLDER}/, for you alone to read, with the passwords of the phones: {names}.")

    def _fetch(self) -> None:
        for path in self.files:
            self._form.page.hand_over(path.name, path.read_bytes())
