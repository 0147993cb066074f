"""Choose which header of a file has which column: a line for each, the best guess chosen, with its first cells."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.api.text import listed, shortened
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Form
from itnio_nb.forms.batch.input.columns.choice import ColumnChoice, FileColumns
from itnio_nb.forms.layout import field, panel, row, show, text_area
from itnio_nb.orders.export.template import COLUMN_WORDS

ONE_VALUE = True  # what a field has where all rows are to have one value; no header equals it
_LAST_ROW = 1_048_576


class ColumnLine:
    """One column of the API: the headers that it may have, what their cells are, or one value for all rows."""

    def __init__(self, name: str, columns: FileColumns, choice: ColumnChoice) -> None:
        self.name, self._columns = name, columns
        headers = [(shortened(header), header) for header in columns.headers]
        options = [("choose …", ""), *headers, ("one value for all rows", ONE_VALUE)]
        self.header = field(name, "", "340px", widgets.Dropdown, options=options)
        self.value = field(f"{name} for all rows", "", "320px", value=choice.constants.get(name, ""))
        self.cells, words = text_area(), text_area()
        show(words, COLUMN_WORDS[name], "faint")
        best = choice.match.get(name) or columns.recognised.get(name) or columns.guesses.get(name, "")
        self.header.value = ONE_VALUE if name in choice.constants else best
        self.header.observe(lambda _: self._show(), "value")
        self.body = row(self.header, self.value, panel(self.cells, words)).add_class("itnio-column")
        self._show()

    def _show(self) -> None:
        header = self.header.value
        is_constant = header is ONE_VALUE
        self.value.layout.display = None if is_constant else "none"
        cells = "" if is_constant or not header else self._columns.samples.get(header)
        words = "" if cells == "" else f"Its first cells: {listed(cells)}" if cells else "Its first cells are empty"
        self.header.tooltip = words or ("Every row has it" if is_constant else f"Which header has {self.name}?")
        show(self.cells, words)


class ColumnMatcher:
    """The columns of a file, to be matched by hand; those that were recognised follow those that are missing.

    `on_choice` gets what was chosen, `on_row` another row of headers; `on_leave` is called where the file is left.
    """

    def __init__(
        self,
        form: Form,
        on_choice: Callable[[ColumnChoice], None],
        on_row: Callable[[int], None],
        on_leave: Callable[[], None],
    ) -> None:
        self._form, self._on_choice, self._on_row = form, on_choice, on_row
        self._columns: FileColumns | None = None
        self.missing: dict[str, ColumnLine] = {}
        self.recognised: dict[str, ColumnLine] = {}
        tip = "0: the file has no row of headers, and every row is an order"
        number = {"kind": widgets.BoundedIntText, "min": 0, "max": _LAST_ROW, "continuous_update": False}
        self.row = field("Headers are in row", tip, "210px", **number)
        self.row.observe(self._on_row_typed, "value")
        self.read = form.button("Read with these columns", self._read, main=True, is_ready=lambda: self.is_open)
        self.cancel = form.button("Leave it", on_leave, "Go on with what is there", is_ready=lambda: self.is_open)
        self.head = row()  # for what else belongs to the file: its sheet
        self.body = panel(style="itnio-matching")

    @property
    def is_open(self) -> bool:
        """Whether there is something to be chosen."""
        return self._columns is not None

    def open(self, columns: FileColumns, choice: ColumnChoice, words: str) -> None:
        """Show the columns of a file with what was chosen for them, under these words."""
        self._columns = columns
        lines = {name: ColumnLine(name, columns, choice) for name in API_COLUMNS if _is_known(name, columns)}
        self.missing = {name: line for name, line in lines.items() if name in columns.missing}
        self.recognised = {name: line for name, line in lines.items() if name not in columns.missing}
        self.show_row()
        heading = text_area()
        show(heading, "Recognised by their headers:", "faint")
        known = panel(heading, *_bodies(self.recognised), style="itnio-recognised")
        self.body.children = (
            row(text_area("itnio-title", words), self.head, self.row),
            *_bodies(self.missing),
            *((known,) if self.recognised else ()),
            row(self.read, self.cancel),
        )
        self._form.refresh()

    def show_row(self) -> None:
        """Show the row of the headers as they were read: not one in which there are none."""
        if self._columns is not None:
            self.row.value = self._columns.row

    def close(self) -> None:
        """Take the choice from the page."""
        self._columns, self.missing, self.recognised = None, {}, {}
        self.body.children = ()

    def _on_row_typed(self, change: dict[str, int]) -> None:
        if self._columns is not None and change["new"] != self._columns.row:
            self._form.act(lambda: self._on_row(int(change["new"])))

    def _read(self) -> None:
        if self._columns is not None:
            self._on_choice(self._chosen(self._columns))

    def _chosen(self, columns: FileColumns) -> ColumnChoice:
        match: dict[str, str] = {}
        constants: dict[str, str] = {}
        taken: dict[str, str] = {}
        for name, line in {**self.missing, **self.recognised}.items():
            header = line.header.value
            if header is ONE_VALUE and line.value.value.strip():
                constants[name] = line.value.value.strip()
                header = ""
            elif header is ONE_VALUE or not header:
                raise InputError(
                    f"There is no column for {name} yet: choose its header, or write a value for all rows."
                )
            elif header in taken:
                words = f"{shortened(header)!r} is chosen for {taken[header]} and for {name}"
                raise InputError(f"{words}: choose another header for one of them, or a value for all rows.")
            if header:
                taken[header] = name
            if columns.recognised.get(name, "") != header:
                match[name] = header
        return ColumnChoice(match, constants)


def _is_known(name: str, columns: FileColumns) -> bool:
    return name in columns.missing or name in columns.recognised


def _bodies(lines: dict[str, ColumnLine]) -> list[widgets.Widget]:
    return [line.body for line in lines.values()]
