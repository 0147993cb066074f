"""Step 1 of a batch: the orders, edited in a grid, each edit checked at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Form
from itnio_nb.forms.batch.input import OrdersInput
from itnio_nb.forms.grid import FINDING, MAX_ROWS, Grid, findings_by_row
from itnio_nb.forms.layout import panel, row, show, table_html, text_area
from itnio_nb.orders.check import check_orders, invalid_rows
from itnio_nb.orders.export.findings import write_findings
from itnio_nb.orders.models import FINDING_COLUMNS, SOURCE
from itnio_nb.orders.read import read_orders
from itnio_nb.runs.plan import Plan

NO_ORDERS = pd.DataFrame(columns=list(API_COLUMNS), index=pd.Index([], name="row", dtype="int64"), dtype=str)
_MAX_FINDINGS = 100  # findings that are listed below the grid


class OrdersStep(OrdersInput):
    """The orders of a batch and their findings; `on_change` is called when they are others than before.

    A saved plan can be read in place of orders: it goes to `on_plan`.
    """

    def __init__(self, form: Form, on_change: Callable[[], None], on_plan: Callable[[Plan], None]) -> None:
        super().__init__(form, on_plan)
        self._on_change = on_change
        self._version = 0  # of the orders: an edit of earlier ones is no edit of these
        self.orders, self.findings = NO_ORDERS, pd.DataFrame(columns=list(FINDING_COLUMNS))
        self.valid = 0  # orders that have no error
        self.counts, self.details = text_area(), text_area("itnio-status")
        self.only = widgets.Checkbox(description="Only rows with findings", indent=False)
        self.only.observe(lambda _: form.tasks.put(self._show, once="orders"), "value")
        self.grid = Grid("itnio-orders", on_edit=self._on_edit, on_select=self._describe_cell)
        self.add = form.button("Add a row", self._add)
        self.delete = form.button("Delete selected rows", self._delete, is_ready=lambda: not self.orders.empty)
        tip = "The orders as XLSX, what is wrong coloured"
        self.download = form.button("Download to mend", self._download, tip, is_ready=lambda: not self.orders.empty)
        self.list = widgets.HTML()
        tools = row(self.add, self.delete, self.download, self.only)
        self.body = panel(self.ways, self.counts, self.grid, self.details, tools, self.list)
        self._show()

    def take(self, orders: pd.DataFrame, findings: pd.DataFrame | None = None) -> None:
        """Replace the orders; findings that are not given are made."""
        self._version += 1
        self._set(orders, findings)
        self._show()

    def _set(self, orders: pd.DataFrame, findings: pd.DataFrame | None = None) -> None:
        self.orders = orders
        self.findings = check_orders(orders) if findings is None else findings
        self.valid = len(orders) - len(invalid_rows(self.findings))
        self._on_change()

    def _on_edit(self, *edit: Any) -> None:
        self._form.tasks.put(partial(self._edit, self._version, *edit))

    def _edit(self, version: int, row_number: int, column: str, text: str) -> None:
        if version != self._version:
            return
        if column in self.orders.columns and column != FINDING:
            orders = self.orders.copy()
            orders.loc[row_number, column] = text
            self._set(read_orders(orders))  # repaired as a file's cells are
        self.grid.update(_with_findings(self.orders, self.findings).loc[self.grid.rows])
        self._show_counts()
        self._describe_cell(row_number, column)

    def _describe_cell(self, row_number: int, column: str) -> None:
        """Show what is wrong with a cell or, where nothing is, with its row."""
        here = self.findings[self.findings["row"] == row_number]
        cell = here[here["column"] == column] if column in set(here["column"]) else here
        found = cell[list(FINDING_COLUMNS)].to_numpy().tolist()
        lines = [
            f"Row {at}, {name}: {kind}: {value!r} {what}. {advice}" for at, name, value, what, advice, kind in found
        ]
        show(self.details, "\n".join(lines) or f"Row {row_number}: nothing is wrong.")

    def _add(self) -> None:
        if self.orders.empty:
            first = {**dict.fromkeys(API_COLUMNS, ""), "appId": self.app_id.value.strip()}
            self.take(read_orders(pd.DataFrame([first])))
            return
        orders = self.orders.copy()
        orders.loc[int(orders.index.max()) + 1] = ""
        orders.loc[orders.index[-1], "appId"] = orders["appId"].mode().iloc[0]
        self.take(read_orders(orders))
        show(self.details, f"Row {orders.index[-1]} was added at the end: type into its cells.")

    def _delete(self) -> None:
        rows = self.grid.selected()
        if not rows:
            raise InputError("Select cells of the rows that are to be deleted first.")
        left = self.orders.drop(index=rows)
        self.take(read_orders(left) if len(left) else NO_ORDERS)
        show(self.details, f"{plural(len(rows), 'row')} deleted.")

    def _download(self) -> None:
        self._form.browser.download_written("to-mend.xlsx", partial(write_findings, self.orders, self.findings))

    def _show(self) -> None:
        table = _with_findings(self.orders, self.findings)
        bad = table[table[FINDING] != ""]
        only_bad = self.only.value or (len(table) > MAX_ROWS and len(bad) > 0)
        self.grid.show(bad if only_bad else table, len(bad) if self.only.value else len(table))
        show(self.source, self.orders.attrs.get(SOURCE, ""))
        self._show_counts()

    def _show_counts(self) -> None:
        if self.orders.empty:
            show(self.counts, "No orders yet: upload a file, give its path, paste rows, or add one.", "faint")
            self.list.value = ""
            return
        sizes = self.findings["severity"].value_counts()
        wrong = len(self.orders) - self.valid
        parts = [plural(len(self.orders), "order"), f"{plural(wrong, 'row')} with errors"]
        parts += [plural(int(sizes.get("warning", 0)), "warning"), f"{int(sizes.get('repaired', 0)):,} repaired"]
        show(self.counts, " · ".join(parts), "error" if wrong else "good")
        summary = f"<summary>{plural(len(self.findings), 'finding')} as a list</summary>"
        listed = f"<details>{summary}{table_html(self.findings, _MAX_FINDINGS)}</details>"
        self.list.value = listed if len(self.findings) else ""


def _with_findings(orders: pd.DataFrame, findings: pd.DataFrame) -> pd.DataFrame:
    """Return the orders as the grid shows them: API columns, what is wrong, then all other columns."""
    ours, others = orders[list(API_COLUMNS)], orders.drop(columns=list(API_COLUMNS))
    return pd.concat([ours, findings_by_row(findings, orders.index).rename(FINDING), others], axis=1).rename_axis("row")
