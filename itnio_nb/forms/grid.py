"""A grid for a table of any size: real rows in the page, sorted, filtered, searched and edited like a spreadsheet."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import anywidget
import ipywidgets as widgets
import numpy as np
import pandas as pd
from traitlets import Bool, Bytes, Unicode

from itnio_nb.forms.layout import show, text_area
from itnio_nb.orders.text_columns import cell_text

MAX_ROWS = 100_000  # rows that a page holds; how many there are is said below
FINDING = "finding"  # the column with what is wrong in a row; nobody types into it
COLUMN_WIDTHS = {"groupName": 190, "phoneName": 160, "quantity": 104, "displayNum": 140, "appId": 120}
COLUMN_WIDTHS |= {"state": 90, "status": 96, "reason": 280, "advice": 420, "action": 100, "why": 420, FINDING: 420}
COLUMN_WIDTHS |= {"at": 200, "made": 200, "run": 180}
_WIDTH = 130  # pixels of any other column
_NUMBERS = {"quantity", "displayNum", "status", "receipt", "rows"}  # columns whose cells are read from the right
_STATIC = Path(__file__).parent / "static" / "grid"
_PARTS = ("library.js", "data.js", "clipboard.js", "dialogs.js", "view.js", "edits.js", "input.js")
_MAX_UPDATES = 2000  # rows that are sent one by one; of more, the whole table is sent anew

_MAX_SELECTED = 20_000  # cells that are selected one by one
_RANKS = {"error": 0, "warning": 1, "repaired": 2}

# What is wrong with each cell, by row, then by column: a text that begins with the severity, such as "Error: is empty".
# Texts and no tuples: Python's collector looks at those again and again, which took half of the time of an edit.
Marks = dict[Any, dict[str, str]]
OnMessage = Callable[[dict[str, Any]], None]
How = Literal["fresh", "table", "keep"]


class Selection(NamedTuple):
    """What is selected in a grid: the rows in the order in which they are seen, and the active cell."""

    rows: list[Any]
    row: Any
    column: str


class GridView(anywidget.AnyWidget):
    """The part of a grid that is in the page. Its table is compressed: Jupyter drops what is larger than some MB."""

    _esm = "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in _PARTS)
    _css = (_STATIC / "grid.css").read_text(encoding="utf-8")
    label = Unicode().tag(sync=True)  # for screen readers
    editable = Bool(False).tag(sync=True)
    table = Bytes().tag(sync=True)

    def __init__(self, label: str, *, editable: bool, on_message: OnMessage) -> None:
        self._pack: Callable[[], bytes] | None = None  # makes the table anew, where rows were sent since
        super().__init__(label=label, editable=editable)
        self.on_msg(lambda _, message, __: on_message(message))

    def show(self, pack: Callable[[], bytes]) -> None:
        """Send a whole table."""
        self._pack = None
        self.table = pack()

    def change(self, rows: list[list[Any]], pack: Callable[[], bytes]) -> None:
        """Send rows that have changed; who opens the page later gets the whole table from `pack`."""
        self._pack = pack
        self.send({"kind": "rows", "rows": rows})

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """Return the state for a page that is opened: with the table as it is now."""
        state: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        if self._pack is not None and "table" in state and key is None:
            state["table"] = self._pack()
        return state


class Grid(widgets.VBox):  # type: ignore[misc] # no types
    """A table in a grid that scrolls, sorts, filters and is searched; `on_message` makes its cells editable.

    `on_message` is given what a person does: `kind` is `edit`, `paste`, `undo` or `redo`, with rows and columns as the
    table names them. `on_select` is given the active cell's row and column.
    """

    def __init__(
        self,
        style: str,
        label: str = "",
        *,
        on_message: OnMessage | None = None,
        on_select: Callable[[Any, str], None] | None = None,
    ) -> None:
        super().__init__()
        self.add_class(style)
        self._label, self._on_message, self._on_select = label, on_message, on_select
        self._size = text_area("faint")
        self.view: GridView | None = None  # made with the first table: a grid that nobody opens costs nothing
        self.columns: list[str] = []
        self.cells = np.empty((0, 0), dtype=object)  # as the page has them
        self.rows: list[Any] = []  # the table's index
        self._marks: Marks = {}
        self._row_name = "row"
        self._number = 0  # of the table that is sent: the same one again is news where rows were sent since
        self._ids: list[Any] = []  # by which the page knows the rows: several may have the same header
        self._typed: list[Any] = []  # rows of edits that the page shows already, and that are still to be taken
        self._beyond = 0  # rows that the page does not have
        self.version = 0  # of what the table is of: a page sends it with each edit
        self.selection = Selection([], None, "")

    def show(
        self, table: pd.DataFrame, total: int | None = None, marks: Marks | None = None, *, how: How = "fresh"
    ) -> None:
        """Show a table, its index as row headers; `total` is how many rows there are, if these are not all.

        A `fresh` table is another one: it is shown from its beginning, in its own order. Of the same `table` the
        columns stay sorted and filtered; `keep` keeps the very order and shows what was added after it.
        """
        total = len(table) if total is None else total
        table = table.head(MAX_ROWS)
        self.rows, self.columns = table.index.tolist(), [str(name) for name in table.columns]
        self._ids = self.rows if table.index.is_unique else list(range(len(table)))
        self._typed, self._beyond = [], total - len(table)
        self._row_name, self._marks = str(table.index.name or "row"), marks or {}
        self.cells = _texts(table)
        self.selection = Selection([], None, "")
        if self.view is None:
            self.view = GridView(self._label, editable=self._on_message is not None, on_message=self.receive)
        self.view.show(lambda: self._packed(how))
        show(self._size, f"{len(table):,} of {total:,} rows are shown here.")
        self.children = (self.view, self._size) if total > len(table) else (self.view,)

    def update(self, table: pd.DataFrame, marks: Marks | None = None, settled: Any = None) -> None:
        """Show a table of the same rows: those that have changed, in their places, without scrolling.

        Rows that were added are shown after the others. `settled` is the row of an edit that a person has typed, and
        that was taken or refused: what the page has of it is replaced by what is true.
        """
        marks = marks or {}
        same = table.index.tolist() == self.rows and [str(name) for name in table.columns] == self.columns
        if self.view is None or not same:
            self.show(table, marks=marks, how="keep")
            return
        cells, old_marks = _texts(table), self._marks
        changed = set((cells != self.cells).any(axis=1).nonzero()[0].tolist())
        places = {row: place for place, row in enumerate(self.rows)}
        changed |= {
            places[row]
            for row in marks.keys() | old_marks.keys()
            if row in places and marks.get(row) != old_marks.get(row)
        }
        if settled in places:
            changed.add(places[settled])
        if settled in self._typed:
            self._typed.remove(settled)
        # What was typed since is seen already, and is not to flicker: its own edit settles it.
        waiting = {places[row] for row in self._typed if row in places}
        for place in waiting:
            cells[place] = self.cells[place]
        self.cells, self._marks = cells, marks
        changed -= waiting
        if len(changed) > _MAX_UPDATES:
            self.view.show(lambda: self._packed("table"))
        elif changed:
            rows = [[self._ids[place], cells[place].tolist(), self._marks_at(place)] for place in sorted(changed)]
            self.view.change(rows, lambda: self._packed("table"))

    def select(self, cells: Sequence[tuple[Any, str]], *, block: bool = False, focus: bool = False) -> None:
        """Select these cells, the first 20,000, or the block from the first to the last; the first is active."""
        if self.view is not None:
            named = [list(cell) for cell in cells[:_MAX_SELECTED]]
            self.view.send({"kind": "select", "cells": named, "block": block, "focus": focus})

    def selected(self) -> list[Any]:
        """Return the rows of which something is selected."""
        known = set(self.rows)
        return [row for row in self.selection.rows if row in known]

    def receive(self, message: dict[str, Any]) -> None:
        """Take what a person does in the page. What a page sends is not trusted to be of this table."""
        kind = message.get("kind")
        if kind == "selected":
            rows = dict(zip(self._ids, self.rows, strict=True))
            chosen = [rows[one] for one in message["rows"] if one in rows]
            self.selection = Selection(chosen, rows.get(message["row"]), str(message["column"]))
            if self._on_select is not None and message["row"] in rows and not message.get("quiet"):
                self._on_select(self.selection.row, self.selection.column)
        elif self._on_message is not None:
            if kind == "edit":
                self._note_typed(message)
            self._on_message(message)

    def _note_typed(self, message: dict[str, Any]) -> None:
        """Note what the page shows already: one cell that was typed into, as it was typed."""
        (row, *others), (column, *_) = message["rows"], message["columns"]
        if not others and message.get("words") == "Edit" and row in self.rows and column in self.columns:
            self.cells[self.rows.index(row), self.columns.index(column)] = message["cells"][0][0]
            self._typed.append(row)
            message["typed"] = row

    def _marks_at(self, place: int) -> dict[int, list[str]]:
        here = self._marks.get(self.rows[place], {})
        return {at: _mark(here[name]) for at, name in enumerate(self.columns) if name in here}

    def _packed(self, how: How) -> bytes:
        """Return the table as the page reads it: JSON in gzip."""
        self._number += 1
        columns = [
            {
                "name": name,
                "number": name in _NUMBERS,
                "width": COLUMN_WIDTHS.get(name, _WIDTH),
                "editable": self._on_message is not None and name != FINDING,
            }
            for name in self.columns
        ]
        at = {name: place for place, name in enumerate(self.columns)}
        marks = [
            [row, at[name], *_mark(text)]
            for row, here in self._marks.items()
            for name, text in here.items()
            if name in at
        ]
        about = {"row_name": self._row_name, "labels": self.rows, "beyond": self._beyond}
        about |= {"how": how, "number": self._number, "version": self.version}
        cells = [self.cells[:, place].tolist() for place in range(len(columns))]
        table = {**about, "columns": columns, "rows": self._ids, "cells": cells, "marks": marks}
        return gzip.compress(json.dumps(table).encode(), compresslevel=1)


def _texts(table: pd.DataFrame) -> np.ndarray:
    """Return all cells as text: what has no text is empty."""
    cells = table.astype(object).to_numpy(copy=True)
    for place, (_, column) in enumerate(table.items()):
        cells[:, place] = column.fillna("") if column.dtype == "str" else [cell_text(cell) for cell in column]
    return cells


def marks_of(findings: pd.DataFrame) -> Marks:
    """Return what is wrong with each cell: the worst severity, and all that is to be said."""
    marks: Marks = {}
    cells = (findings[name].tolist() for name in ("row", "column", "severity", "problem", "advice"))
    for row, column, severity, problem, advice in zip(*cells, strict=True):
        here = marks.setdefault(row, {})
        text = f"{severity.capitalize()}: {problem}. {advice}"
        if before := here.get(column):
            is_worse = _RANKS[severity] < _RANKS[_mark(before)[0]]
            text = f"{text}\n{before}" if is_worse else f"{before}\n{text}"
        here[column] = text
    return marks


def _mark(text: str) -> list[str]:
    """Return the severity of a mark and its text, as the page reads them."""
    return [text.partition(":")[0].lower(), text]


def findings_by_row(findings: pd.DataFrame, rows: Iterable[Any]) -> list[str]:
    """Return the findings of each row in one text, such as `error: quantity is empty · …`; "" where there is none."""
    texts: dict[Any, str] = {}
    cells = (findings[name].tolist() for name in ("row", "severity", "column", "problem"))
    for row, severity, column, problem in zip(*cells, strict=True):
        text = f"{severity}: {column} {problem}"
        texts[row] = f"{texts[row]} · {text}" if row in texts else text
    return [texts.get(row, "") for row in rows]
