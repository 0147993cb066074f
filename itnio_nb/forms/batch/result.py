"""Step 5 of a batch: what became of each order, in tabs; resolve, try again, download, hand over."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, State
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Form
from itnio_nb.forms.grid import Grid
from itnio_nb.forms.layout import panel, row, show, text_area
from itnio_nb.forms.monitor import Outcome, RunMonitor
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
_COLUMNS = [*API_COLUMNS, "state", "status", "reason", "advice"]


class ResultStep:
    """The outcome of a run. `try_again(record)` resumes it or plans the rest; `begin` begins another batch."""

    def __init__(
        self, form: Form, monitor: RunMonitor, try_again: Callable[[RunRecord], None], begin: Callable[[], None]
    ) -> None:
        self._form, self._monitor = form, monitor
        self.record: RunRecord | None = None
        self._finished, self._any_created = True, False  # created by this run or an earlier one
        self._groups, self._errors = pd.DataFrame(), pd.DataFrame()  # what the tabs show
        self._sizes = dict.fromkeys((*_TABS, _INVALID), 0)  # of the tabs
        self._old_tabs: set[str] = set()  # tabs whose grid does not show the present groups yet
        self.files: list[Path] = []  # what Hand over has written
        self.summary, self.note = text_area("itnio-live"), text_area("itnio-note")
        self.grids = {name: Grid(f"itnio-{name.split()[0].lower()}") for name in self._sizes}
        self.tabs = widgets.Tab(list(self.grids.values()), titles=list(self.grids))
        self.tabs.observe(lambda _: form.tasks.put(self._fill_tab, once="tab"), "selected_index")

        def button(words: str, action: Callable[[], None], tip: str, is_ready: Callable[[], bool]) -> widgets.Button:
            return form.button(words, action, tip, is_ready=lambda: not monitor.going and is_ready())

        tip = "Compare with the account, and settle what is unknown"
        self.reconcile = button("Settle unknown", self._reconcile, tip, lambda: self._sizes["Unknown"] > 0)
        tip = "Send what was not sent or was refused"
        self.retry = button("Try the rest again", lambda: try_again(self._shown), tip, lambda: self.left > 0)
        tip = "Six files: each order is in exactly one"
        self.download = button("Download results", self._download, tip, lambda: self.record is not None)
        tip = "Write accounts and passwords for the handsets to one file"
        self.hand_over = button("Hand over", self._hand_over, tip, lambda: self._any_created)
        tip = "The file that Hand over has written"
        self.fetch = button("Download the hand-over", self._fetch, tip, lambda: bool(self.files))
        self.new = button("New batch", begin, "Begin with other orders", lambda: True)
        actions = row(self.reconcile, self.retry, self.download, self.hand_over, self.fetch, self.new)
        self.body = panel(self.summary, actions, self.note, self.tabs)

    @property
    def _shown(self) -> RunRecord:
        if self.record is None:
            raise InputError("There is no run to work on: submit a plan first.")
        return self.record

    def show(self, record: RunRecord, outcome: Outcome) -> None:
        """Show a run and its outcome, as the ledger has it now."""
        if self.record is None or record.name != self.record.name:
            self.files = []
            show(self.note, "")
        summary, table = outcome
        self.record, self._finished = record, record.finished
        orders, findings = record.orders
        self._groups = table.set_index("row")
        self._any_created = bool((table["created_in"] != "").any())
        self._errors = findings[findings["severity"] == "error"].set_index("row")
        rest = len(orders.index.difference(self._groups.index).difference(self._errors.index))
        if rest:
            summary += f" {plural(rest, 'order')} {'was' if rest == 1 else 'were'} not part of this run, a trial."
        counts = Counter(table["state"])
        self._sizes = {name: sum(counts[state] for state in states) for name, states in _TABS.items()}
        self._sizes[_INVALID] = self._errors.index.nunique()
        incomplete = self._sizes["Unknown"] or self._sizes["Refused"] or self._sizes["Not sent"]
        show(self.summary, summary, "warning" if incomplete else "good")
        self.tabs.titles = [f"{name} {size:,}" for name, size in self._sizes.items()]
        self._old_tabs = set(self._sizes)
        if not self._sizes[self._tab]:  # begin where there is something to see
            self.tabs.selected_index = next((at for at, size in enumerate(self._sizes.values()) if size), 0)
        self._fill_tab()

    @property
    def left(self) -> int:
        """How many groups may be tried again."""
        return self._sizes["Not sent"] + self._sizes["Refused"] + (0 if self._finished else self._sizes["Unknown"])

    @property
    def _tab(self) -> str:
        return list(self.grids)[self.tabs.selected_index or 0]

    def _fill_tab(self) -> None:
        """Fill the grid of the tab that is open; the others once they are."""
        tab = self._tab
        if tab not in self._old_tabs:
            return
        self._old_tabs.discard(tab)
        if tab == _INVALID:
            self.grids[tab].show(self._errors[["column", "value", "problem", "advice"]])
        else:
            self.grids[tab].show(self._groups[self._groups["state"].isin(_TABS[tab])][_COLUMNS])

    def _reconcile(self) -> None:
        report = self._monitor.account.workspace.reconcile()
        resolved = report[report["before"] != report["after"]]
        parts = ", ".join(f"{number} {state}" for state, number in resolved["after"].value_counts().items())
        unknown = int((report["after"] == State.UNKNOWN).sum())
        self._monitor.outcome = outcome = self._shown.snapshot()
        self.show(self._shown, outcome)
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
        written = self._monitor.account.workspace.hand_over(self._shown, FOLDER)
        self.files = list(dict.fromkeys(written.values()))  # one for all applications
        words = "Written" if written.is_new else "The phones were handed over before; written then"
        phones = plural(sum(written.rows.values()), "phone")
        where = ", ".join(map(str, self.files))
        show(self.note, f"{words}, for you alone to read, with the passwords of {phones}: {where}")

    def _fetch(self) -> None:
        for path in self.files:
            self._form.browser.download(path.name, path.read_bytes())
