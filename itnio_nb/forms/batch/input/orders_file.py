"""The file that orders are read from: given to the page, named by its path, or pasted; its sheet and its columns."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from itnio_nb.errors import InputError
from itnio_nb.forms.base import Action, Form
from itnio_nb.forms.batch.input.columns.choice import ColumnChoice
from itnio_nb.forms.batch.input.columns.matching import ColumnMatcher
from itnio_nb.forms.batch.input.columns.memory import ColumnMemory
from itnio_nb.forms.batch.input.reading import FileRead, SourceFile, read_file
from itnio_nb.forms.batch.input.sources import LARGEST, Sources, when_free
from itnio_nb.forms.batch.input.ways import WayActions, Ways
from itnio_nb.orders.export.template import write_template
from itnio_nb.orders.models import SOURCE, Source
from itnio_nb.runs.plan import Plan


class OrdersFile:
    """Read files, and show which is shown; `on_read` gets what was read, `on_plan` a saved plan and its name.

    Whoever takes what was read calls `show` with it. A file whose columns are not known is not read before they are
    chosen; what was chosen is remembered once `memory` is set.
    """

    def __init__(
        self,
        form: Form,
        on_read: Callable[[FileRead], None],
        on_plan: Callable[[Plan, str], None],
        begin_by_hand: Action,
    ) -> None:
        self._form, self._on_read, self._on_plan = form, on_read, on_plan
        self.memory: ColumnMemory | None = None
        self._shown: FileRead | None = None
        self._offered: FileRead | None = None  # the one whose columns are to be chosen
        download = partial(form.browser.download_written, "phones-template.xlsx", write_template)
        self.sources = Sources(form, self._read)
        reads = (self.sources.read_path, self.sources.read_text)
        self.ways = Ways(form, WayActions(*reads, self._change_columns, download, begin_by_hand))
        self.matcher = ColumnMatcher(form, self._read_chosen, self._read_below, self.leave)
        self.ways.upload.observe(self.sources.on_upload, "value")
        self._is_set = False  # whether the sheet is set here, and not chosen
        self.ways.sheet.observe(self._on_sheet, "value")
        self.show(None)

    def take_files(self) -> None:
        """Take files that are dropped on the form: before there is an account, nothing is read."""
        self._form.browser.largest = LARGEST

    def show(self, read: FileRead | None) -> None:
        """Show a file as the one that the orders are from."""
        self._shown, note = read, ""
        if read is not None and read.choice:
            words = "Columns as last time" if read.is_remembered else "Columns as chosen"
            note = f"{words}: {read.choice}."
        if self.memory is not None and self.memory.problem:
            note = f"{note} {self.memory.problem}".strip()
        self.ways.show_columns(note, has_columns=read is not None)
        self.leave()

    def follow(self, orders: pd.DataFrame) -> None:
        """Show no file any more, where the orders are not from the one that is shown."""
        if self._shown is not None and _origin(orders) != _origin(self._shown.read_orders):
            self.show(None)

    def leave(self) -> None:
        """Take from the page what was to be chosen; the sheet is that of the file that is shown."""
        self._offered = None
        self.matcher.close()
        self.ways.show_choice(is_open=False)
        self._show_sheets(self._shown)

    def _read(self, source: str | io.BytesIO, name: str) -> None:
        if name.lower().endswith(".json"):
            self._on_plan(_load_plan(source), Path(name).name)
        else:
            self._go_on(SourceFile(name, source, self.ways.given))

    def _go_on(self, file: SourceFile, sheet: str | None = None, header: int | None = None) -> None:
        read = read_file(file, self.memory, sheet=sheet, header=header)
        if read.orders is not None:
            self._on_read(read)
            return
        self._offer(read)
        if not read.is_remembered:
            raise InputError(read.problem)
        self._form.set_status(read.problem, "warning")

    def _offer(self, read: FileRead) -> None:
        """Show the columns of a file, to be chosen, with its sheets."""
        self._offered = read
        self.matcher.open(read.columns, read.choice, f"Columns of {read.label}")
        self.ways.show_choice(is_open=True)
        self._show_sheets(read)

    def _change_columns(self) -> None:
        if self._shown is not None:
            self._offer(self._shown)

    def _read_chosen(self, choice: ColumnChoice) -> None:
        if self._offered is not None:
            read = self._offered.again(choice)
            if self.memory is not None and read.columns.row:
                self.memory.keep(read.columns.headers, choice)
            self._on_read(read)

    def _read_below(self, header: int) -> None:
        if self._offered is not None:
            try:
                self._go_on(self._offered.file, self._offered.sheet or None, header)
            finally:
                self.matcher.show_row()

    def _on_sheet(self, change: dict[str, Any]) -> None:
        if not self._is_set and change["new"] is not None:
            when_free(self._form, partial(self._read_sheet, change["new"]))

    def _read_sheet(self, sheet: str) -> None:
        read = self._offered or self._shown
        if read is None or sheet == read.sheet:
            return
        try:
            self._go_on(replace(read.file, given=self.ways.given), sheet)
        finally:  # one that cannot be read is not shown as if it were
            self._show_sheets(self._offered or self._shown)

    def _show_sheets(self, read: FileRead | None) -> None:
        """Show the sheets of a file where there are several, beside what else is shown of it."""
        sheets = read.sheets if read is not None and len(read.sheets) > 1 else ()
        sheet, is_offered = self.ways.sheet, self._offered is not None
        self._is_set = True
        sheet.options = sheets
        sheet.value = read.sheet if read is not None and read.sheet in sheets else None
        self._is_set = False
        sheet.layout.display = None if sheets else "none"
        self.ways.place_sheet(in_line=not is_offered)
        self.matcher.head.children = (sheet,) if is_offered else ()


def _origin(orders: pd.DataFrame) -> tuple[object, ...]:
    """Return the file and sheet that orders are from, edited or not."""
    source: Source | None = orders.attrs.get(SOURCE)
    return () if source is None else (source.name, source.kind, source.sheet, source.header_row)


def _load_plan(source: str | io.BytesIO) -> Plan:
    if isinstance(source, str):
        return Plan.load(source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plan.json")
        path.write_bytes(source.getvalue())
        return Plan.load(path)
