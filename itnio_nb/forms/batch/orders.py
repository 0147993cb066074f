"""Step 1 of a batch: orders from a file, a path or the clipboard, mended in a grid, each edit checked at once."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Form
from itnio_nb.forms.grid import MARKS, MOST, DataTable, marks_of
from itnio_nb.forms.layout import field, panel, row, show, table_html, text_area
from itnio_nb.orders.check import check_orders, invalid_rows
from itnio_nb.orders.export import write_findings
from itnio_nb.orders.models import FINDING_COLUMNS, SOURCE
from itnio_nb.orders.read import read_orders
from itnio_nb.runs.plan import Plan

_KINDS = ".xlsx,.xls,.csv,.tsv,.txt,.json"
NO_ORDERS = pd.DataFrame(columns=list(API_COLUMNS), index=pd.Index([], name="row", dtype="int64"), dtype=str)
_LISTED = 100  # findings that are listed below the grid


class OrdersStep:
    """The orders of a batch and their findings. `changed` is told when they are others than before.

    A saved plan can be read in place of orders: it goes to `planned`.
    """

    def __init__(self, form: Form, changed: Callable[[], None], planned: Callable[[Plan], None]) -> None:
        self._form, self._changed, self._planned = form, changed, planned
        self._generation = 0  # of the orders: an edit of earlier ones is no edit of these
        self.orders, self.findings = NO_ORDERS, check_orders(NO_ORDERS)
        self.upload = widgets.FileUpload(accept=_KINDS, multiple=False, description="Upload a file", icon="")
        self.upload.tooltip = "An XLSX, XLS or CSV file of up to 7 MB, or a saved plan; for a larger one give its path"
        self.upload.observe(self._uploaded, "value")
        self.path = field("or its path", "A file where the notebook runs", continuous_update=False)
        self.read = form.button("Read", lambda: self._load(self.path.value.strip()), "Read the file of this path")
        self.app_id = field("Application for all rows", "Only where the table has no such column", "300px")
        paste = {"kind": widgets.Textarea, "rows": 3, "placeholder": "Copied from a spreadsheet, with its headers"}
        self.paste = field("or paste", "Rows copied from a spreadsheet, with their headers", "560px", **paste)
        self.read_pasted = form.button("Read what is pasted", self._read_pasted)
        self.source, self.counts, self.told = text_area(), text_area(), text_area("itnio-say")
        self.only = widgets.Checkbox(description="Only rows with findings", indent=False)
        self.only.observe(lambda _: form.ask(self._show, once="orders"), "value")
        self.table = DataTable("itnio-orders", on_edit=self._edited, on_select=self._selected)
        self.add = form.button("Add a row", self._add)
        self.delete = form.button("Delete selected rows", self._delete)
        self.mend = form.button("Download to mend", self._download, "The orders as XLSX, what is wrong coloured")
        self.list = widgets.HTML()
        ways = panel(
            row(self.upload, self.path, self.read), row(self.paste, self.read_pasted), row(self.app_id, self.source)
        )
        tools = row(self.add, self.delete, self.mend, self.only)
        self.body = panel(ways, self.counts, self.table, self.told, tools, self.list)
        self._show()

    @property
    def valid(self) -> int:
        """How many orders have no error."""
        return len(self.orders) - len(invalid_rows(self.findings))

    def take(self, orders: pd.DataFrame, findings: pd.DataFrame | None = None) -> None:
        """Go on with these orders."""
        self._generation += 1
        self.orders = orders
        self.findings = check_orders(orders) if findings is None else findings
        self._changed()
        self._show()

    def refresh(self, *, busy: bool) -> None:
        """Show which buttons can be pressed."""
        for button in (self.upload, self.read, self.read_pasted, self.add):
            button.disabled = busy
        for button in (self.delete, self.mend):
            button.disabled = busy or self.orders.empty

    def _uploaded(self, change: dict[str, Any]) -> None:
        if not change["new"]:
            return
        name, data = str(change["new"][0]["name"]), bytes(change["new"][0]["content"])
        self.upload.value = ()  # so that the same file can be given again, mended, and no state of a widget holds it

        def load() -> None:
            file = io.BytesIO(data)
            file.name = name  # read_orders tells it
            self._load(file)

        self._form.act(load)

    def _load(self, source: str | io.BytesIO) -> None:
        name = source if isinstance(source, str) else str(getattr(source, "name", ""))
        if not name:
            raise InputError("Write the path of a file first, or upload one.")
        if name.lower().endswith(".json"):
            self._planned(_read_plan(source))
            return
        app_id = self.app_id.value.strip()
        self.take(read_orders(source, constants={"appId": app_id} if app_id else None))

    def _read_pasted(self) -> None:
        text = self.paste.value
        if "\n" not in text.strip():
            raise InputError("Paste a row of headers and at least one order below it.")
        app_id = self.app_id.value.strip()
        self.take(read_orders(text, constants={"appId": app_id} if app_id else None))

    def _edited(self, row_number: int, column: str, text: str) -> None:
        now = self._generation
        self._form.ask(lambda: self._edit(row_number, column, text) if now == self._generation else None)

    def _edit(self, row_number: int, column: str, text: str) -> None:
        if column in self.orders.columns and column != MARKS:
            orders = self.orders.copy()
            orders.loc[row_number, column] = text
            self.orders = read_orders(orders)  # mended as a file's cells are
            self.findings = check_orders(self.orders)
            self._changed()
        self.table.update(self._frame().loc[self.table.rows])
        self._tell_counts()
        self._selected(row_number, column)

    def _selected(self, row_number: int, column: str) -> None:
        """Say what is wrong with a cell or, where nothing is, with its row."""
        here = self.findings[self.findings["row"] == row_number]
        cell = here[here["column"] == column] if column in set(here["column"]) else here
        lines = [
            f"Row {row_number}, {name}: {severity}: {value!r} {problem}. {advice}"
            for _, name, value, problem, advice, severity in cell[list(FINDING_COLUMNS)].to_numpy().tolist()
        ]
        show(self.told, "\n".join(lines) or f"Row {row_number}: nothing is wrong.")

    def _add(self) -> None:
        if self.orders.empty:
            first = pd.DataFrame([[""] * len(API_COLUMNS)], columns=list(API_COLUMNS))
            self.take(read_orders(first.assign(appId=self.app_id.value.strip())))
            return
        orders = self.orders.copy()
        orders.loc[int(orders.index.max()) + 1] = ""
        orders.loc[orders.index[-1], "appId"] = orders["appId"].mode().iloc[0]
        self.take(read_orders(orders))
        show(self.told, f"Row {orders.index[-1]} was added at the end: type into its cells.")

    def _delete(self) -> None:
        rows = self.table.selected()
        if not rows:
            raise InputError("Select cells of the rows that are to be deleted first.")
        left = self.orders.drop(index=rows)
        self.take(read_orders(left) if len(left) else NO_ORDERS)
        show(self.told, f"{plural(len(rows), 'row')} deleted.")

    def _download(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = write_findings(self.orders, self.findings, Path(folder, "to-mend.xlsx"))
            self._form.page.hand_over(path.name, path.read_bytes())

    def _frame(self) -> pd.DataFrame:
        """Return the orders as the grid shows them: what is wrong beside the API's columns, then all others."""
        ours = self.orders[list(API_COLUMNS)]
        marks = marks_of(self.findings, self.orders.index).rename(MARKS)
        others = self.orders.drop(columns=list(API_COLUMNS))
        return pd.concat([ours, marks, others], axis=1).rename_axis("row")

    def _show(self) -> None:
        if self.orders.empty:
            self.table.show(pd.DataFrame(columns=[*API_COLUMNS, MARKS], index=pd.Index([], name="row")))
            show(self.source, "")
        else:
            frame = self._frame()
            chosen = frame
            if self.only.value or len(frame) > MOST:
                bad = frame[frame[MARKS] != ""]
                chosen = bad if self.only.value or len(bad) else frame
            self.table.show(chosen, len(chosen) if self.only.value else len(frame))
            show(self.source, self.orders.attrs[SOURCE])
        self._tell_counts()

    def _tell_counts(self) -> None:
        if self.orders.empty:
            show(self.counts, "No orders yet: upload a file, give its path, paste rows, or add one.", "faint")
            self.list.value = ""
            return
        sizes = self.findings["severity"].value_counts()
        wrong = len(invalid_rows(self.findings))
        parts = [plural(len(self.orders), "order"), f"{plural(wrong, 'row')} with errors"]
        parts += [plural(int(sizes.get("warning", 0)), "warning"), f"{int(sizes.get('repaired', 0)):,} repaired"]
        show(self.counts, " · ".join(parts), "error" if wrong else "good")
        told = plural(len(self.findings), "finding")
        listed = table_html(self.findings, _LISTED)
        self.list.value = (
            f"<details><summary>{told} as a list</summary>{listed}</details>" if len(self.findings) else ""
        )


def _read_plan(source: str | io.BytesIO) -> Plan:
    if isinstance(source, str):
        return Plan.load(source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plan.json")
        path.write_bytes(source.getvalue())
        return Plan.load(path)
