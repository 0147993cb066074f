"""Step 1 of a batch: the orders, edited in a grid like a spreadsheet's, each edit checked at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Form
from itnio_nb.forms.batch.edits import Edit, edit_of_paste
from itnio_nb.forms.batch.findings import FindingsPanel
from itnio_nb.forms.batch.input.drafts.draft import Draft
from itnio_nb.forms.batch.input.orders_input import OrdersInput
from itnio_nb.forms.batch.worksheet import Worksheet
from itnio_nb.forms.grid import FINDING, Grid, How, marks_of
from itnio_nb.forms.layout import panel, row, set_shown, show, text_area
from itnio_nb.orders.export.findings import write_findings
from itnio_nb.orders.formats.clipboard import clean_cell, parse_clipboard
from itnio_nb.orders.models import SOURCE
from itnio_nb.orders.rules.accepted import Accepted
from itnio_nb.runs.plan import Plan


class OrdersStep(OrdersInput):
    """The orders of a batch and their findings; `on_change` is called when they are others than before.

    A saved plan can be read in place of orders: it goes to `on_plan`.
    """

    def __init__(self, form: Form, on_change: Callable[[], None], on_plan: Callable[[Plan], None]) -> None:
        super().__init__(form, on_plan)
        self._on_change = on_change
        self.worksheet = sheet = Worksheet(self._take_change)
        self.orders, self.findings, self.valid = sheet.orders, sheet.findings, sheet.valid
        self.counts, self.details = text_area(), text_area("itnio-status")
        label = "Orders, a grid whose cells can be edited"
        self.grid = Grid("itnio-orders", label, on_message=self._on_message, on_select=self._describe_cell)
        pick = partial(self.grid.select, focus=True)
        self.panel = FindingsPanel(form, lambda _: self._show("table"), pick, self._accept_warnings)
        self.tools = Tools(form, self, self._delete)
        self.add, self.delete, self.download = self.tools.add, self.tools.delete, self.tools.download
        self.undo, self.redo = self.tools.undo, self.tools.redo
        self._sheet = panel(self.panel.body, self.tools.row, self.grid, self.details)
        self.body = panel(self.ways, self.counts, self._sheet)
        self._show()

    def take(self, orders: pd.DataFrame, findings: pd.DataFrame | None = None, *, edited: bool = False) -> None:
        """Replace the orders, which can be undone; findings that are not given are made. `edited`: whether by hand."""
        self.worksheet.replace(orders, findings, edited=edited)
        self._show()

    def restore(self, draft: Draft) -> None:
        """Go on with the edited orders of a draft, and the warnings that were accepted."""
        self.take(draft.orders, edited=True)
        self._accept_warnings(Accepted.from_json(draft.extra))

    def draft_extra(self) -> str:
        """Return the warnings that were accepted, as JSON."""
        return self.worksheet.accepted.to_json()

    def submitted(self) -> None:
        """Say that the orders are in a run: they are no draft any more, and can be replaced."""
        self.worksheet.edited = False
        super().submitted()

    def _take_change(self) -> None:
        sheet = self.worksheet
        self.orders, self.findings, self.valid, self.edited = sheet.orders, sheet.findings, sheet.valid, sheet.edited
        self._on_change()
        self.orders_changed()

    # What a person does.

    def _on_message(self, message: dict[str, Any]) -> None:
        """Queue what a person does in the grid: each step is done after the one before."""
        if message["kind"] in ("undo", "redo"):
            self._form.tasks.put(partial(self.travel, message["kind"]))
        else:
            self._form.tasks.put(partial(self._take_edit, message))

    def _take_edit(self, message: dict[str, Any]) -> None:
        """Make an edit; the grid shows what is true afterwards, whatever became of it.

        What was typed into orders that were replaced since is no edit of these.
        """
        sheet, known, before = self.worksheet, set(self.grid.rows), self.orders.index
        pasted: list[tuple[int, str]] = []
        try:
            if message.get("version", sheet.version) == sheet.version:
                edit = _edit_of(message, sheet.their_finding)
                rows = sheet.edit(edit)
                known.update(sheet.orders.index.difference(before))
                self._tell_edit(edit, rows)
                if rows and message["kind"] == "paste":
                    pasted = [(rows[0], edit.columns[0]), (rows[-1], edit.columns[-1])]
        finally:
            self.grid.update(sheet.rows(known), marks_of(sheet.open), message.get("typed"))
        if pasted:
            self.grid.select(pasted, block=True)
        self._show_counts()
        severity = self.panel.severity
        self.panel.show(sheet.findings, sheet.accepted)  # after the grid: who types looks at that
        if severity != self.panel.severity:  # nothing of it is left
            self._show("table")

    def _tell_edit(self, edit: Edit, rows: list[int]) -> None:
        if rows and edit.words == "Paste":
            size = plural(sum(map(len, edit.cells[: len(rows)])), "cell")
            words = f"{size} pasted into {plural(len(rows), 'row')}"
            words += ", the line of headers left out" if edit.has_headers else ""
            self._form.set_status(f"{words}. Ctrl Z undoes it.")
        elif rows:
            self._describe_cell(rows[0], edit.columns[0])

    def travel(self, way: str) -> None:
        """Undo the last step or, where the way is `redo`, do the one again that was undone last."""
        version = self.worksheet.version
        words = f"Undone: {self.worksheet.undo()}." if way == "undo" else f"Done again: {self.worksheet.redo()}."
        self._show("fresh" if version != self.worksheet.version else "table")
        self._form.set_status(words)

    def add_row(self) -> None:
        """Add an empty row at the end, or begin with one; go there."""
        number = self.worksheet.add_row(self.app_id.value.strip())
        self.panel.show_all()
        self._show("keep")
        self.grid.select([(number, API_COLUMNS[0])], focus=True)
        show(self.details, f"Row {number} was added at the end: type into its cells.")

    def _delete(self) -> None:
        rows = self.grid.selected()
        if not rows:
            raise InputError("Select cells of the rows that are to be deleted first.")
        self.worksheet.delete(rows)
        self._show("keep")
        self._form.set_status(f"{plural(len(rows), 'row')} deleted. Undo brings them back.")

    def _accept_warnings(self, accepted: Accepted) -> None:
        self.worksheet.accept(accepted)
        self.orders_changed()  # they are kept in a draft
        self._show("table")

    # What is shown.

    def _describe_cell(self, row_number: int, column: str) -> None:
        show(self.details, self.worksheet.describe(row_number, column))

    def _show(self, how: How = "fresh") -> None:
        sheet = self.worksheet
        self.panel.show(sheet.findings, sheet.accepted)  # may turn off a filter that has nothing left
        table, total = sheet.table(self.panel.severity)
        self.grid.version = sheet.version
        self.grid.show(table, total, marks_of(sheet.open), how=how)
        show(self.source, self.orders.attrs.get(SOURCE, ""))
        self._show_counts()

    def _show_counts(self) -> None:
        history, has_orders = self.worksheet.history, not self.orders.empty
        set_shown(self._sheet, has_orders or bool(history.undo_words or history.redo_words))
        set_shown(self.grid, has_orders)
        if self.orders.empty:
            show(self.counts, "No orders yet: upload a file, give its path, paste rows, or add one.", "faint")
            return
        wrong = len(self.orders) - self.valid
        words = f"{plural(len(self.orders), 'order')} · {plural(wrong, 'row')} with errors"
        show(self.counts, words, "error" if wrong else "good")


class Tools:
    """The buttons above the grid of orders."""

    def __init__(self, form: Form, step: OrdersStep, delete: Callable[[], None]) -> None:
        history = step.worksheet.history

        def has_orders() -> bool:
            return not step.orders.empty

        def download() -> None:
            form.browser.download_written("to-mend.xlsx", partial(write_findings, step.orders, step.findings))

        tip = "Undo the last step (Ctrl Z)"
        self.undo = form.button("Undo", partial(step.travel, "undo"), tip, is_ready=lambda: history.undo_words != "")
        tip = "Do again what was undone (Ctrl Y)"
        self.redo = form.button("Redo", partial(step.travel, "redo"), tip, is_ready=lambda: history.redo_words != "")
        self.add = form.button("Add a row", step.add_row)
        self.delete = form.button("Delete selected rows", delete, is_ready=has_orders)
        tip = "The orders as XLSX, what is wrong coloured"
        self.download = form.button("Download to mend", download, tip, is_ready=has_orders)
        self.row = row(self.undo, self.redo, self.add, self.delete, self.download)


def _edit_of(message: dict[str, Any], their_finding: str) -> Edit:
    """Return the edit that a message of the grid asks for; `their_finding` is the file's own column `finding`."""
    if message["kind"] == "paste":
        block = parse_clipboard(message["text"], message["html"])
        edit = edit_of_paste(block, message["rows"], message["columns"], tuple(message["size"]), message["known"])
    else:
        cells = [[clean_cell(text) for text in line] for line in message["cells"]]
        edit = Edit(message["words"], message["rows"], message["columns"], cells)
    return edit._replace(columns=[FINDING if name == their_finding else name for name in edit.columns])
