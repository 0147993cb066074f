"""Where the orders of a batch come from: an upload, a path or the clipboard; a sheet of it, one application for all."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.text import listed
from itnio_nb.errors import InputError, MissingColumnsError
from itnio_nb.forms.base import Form
from itnio_nb.forms.layout import field, panel, row, text_area
from itnio_nb.orders.formats.settings import FORM, settings_named
from itnio_nb.orders.models import SOURCE
from itnio_nb.orders.read import read_orders
from itnio_nb.runs.plan import Plan

_KINDS = ".xlsx,.xls,.csv,.tsv,.txt,.json"


class OrdersInput:
    """The fields of what is to be read. What was read goes to `take`; a saved plan, to `on_plan`."""

    def __init__(self, form: Form, on_plan: Callable[[Plan], None]) -> None:
        self._form, self._on_plan = form, on_plan
        self._last: tuple[str | io.BytesIO, str] | None = None  # what was read, for another sheet of it
        self.upload = widgets.FileUpload(accept=_KINDS, multiple=False, description="Upload a file", icon="")
        self.upload.tooltip = "An XLSX, XLS or CSV file of up to 7 MB, or a saved plan; for a larger one give its path"
        self.upload.observe(self._on_upload, "value")
        self.path = field("or its path", "A file where the notebook runs", continuous_update=False)
        self.read = form.button("Read", self._read_path, "Read the file of this path")
        self.app_id = field("Application for all rows", "Only where the table has no such column", "300px")
        sheet = {"kind": widgets.Combobox, "ensure_option": False, "continuous_update": False}
        self.sheet = field("Sheet", "Of a workbook, if another one than was read is meant", "220px", **sheet)
        self.sheet.observe(self._on_sheet, "value")
        paste = {"kind": widgets.Textarea, "rows": 3, "placeholder": "Copied from a spreadsheet, with its headers"}
        self.paste = field("or paste", "Rows copied from a spreadsheet, with their headers", "560px", **paste)
        self.read_pasted = form.button("Read what is pasted", self._read_pasted)
        self.source = text_area()
        self.columns: dict[str, widgets.Dropdown] = {}  # of those that a table lacks: which header they have
        self.matching = widgets.VBox()
        self.read_matched = form.button(
            "Read with these columns", self._read_matched, is_ready=lambda: bool(self.columns)
        )
        file, pasted = row(self.upload, self.path, self.read), row(self.paste, self.read_pasted)
        self.ways = panel(file, pasted, row(self.app_id, self.sheet, self.source), self.matching)

    def take(self, orders: pd.DataFrame) -> None:
        """Go on with orders that were read."""
        raise NotImplementedError

    def _on_upload(self, change: dict[str, Any]) -> None:
        if change["new"]:
            file = io.BytesIO(bytes(change["new"][0]["content"]))
            file.name = str(change["new"][0]["name"])  # which read_orders shows
            self.upload.value = ()  # the same file can be given again, mended, and no state of a widget holds it
            self._form.act(lambda: self._read(file, file.name))

    def _read_path(self) -> None:
        path = self.path.value.strip()
        if not path:
            raise InputError("Write the path of a file first, or upload one.")
        self._read(path, path)

    def _on_sheet(self, _: object) -> None:
        if last := self._last:
            self._form.act(lambda: self._read(*last))

    def _read_matched(self) -> None:
        if self._last is not None:
            self._read(*self._last, {column: one.value for column, one in self.columns.items() if one.value})

    def _read(self, source: str | io.BytesIO, name: str, match: Mapping[str, str] | None = None) -> None:
        self._last = None if name.lower().endswith(".json") else (source, name)
        if name.lower().endswith(".json"):
            self._on_plan(_load_plan(source))
        else:
            self.take(self._read_orders(source, match))

    def _read_orders(self, source: str | io.BytesIO, match: Mapping[str, str] | None) -> pd.DataFrame:
        app_id = self.app_id.value.strip()
        if not isinstance(source, str):
            source.seek(0)
        with settings_named(FORM):
            given = {"appId": app_id} if app_id else None
            try:
                orders = read_orders(source, sheet=self.sheet.value.strip() or None, constants=given, match=match)
            except MissingColumnsError as error:
                self._offer(error)
                raise
        self.columns, self.matching.children = {}, ()
        self.sheet.options = orders.attrs[SOURCE].sheets
        return orders

    def _offer(self, error: MissingColumnsError) -> None:
        """Show for each column that is missing the headers that it may have, the likeliest chosen."""
        options = {"kind": widgets.Dropdown, "options": ["", *dict.fromkeys(error.headers)]}
        self.columns = {}
        for column in error.missing:
            header, cells = error.guesses.get(column, ("", ()))
            tip = f"Its first cells: {listed(cells)}" if cells else "Which header has it?"
            self.columns[column] = field(column, tip, "260px", value=header, **options)
        self.matching.children = (row(*self.columns.values(), self.read_matched),)

    def _read_pasted(self) -> None:
        if "\n" not in self.paste.value.strip():
            raise InputError("Paste a row of headers and at least one order below it.")
        self._read(self.paste.value, "")


def _load_plan(source: str | io.BytesIO) -> Plan:
    if isinstance(source, str):
        return Plan.load(source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plan.json")
        path.write_bytes(source.getvalue())
        return Plan.load(path)
