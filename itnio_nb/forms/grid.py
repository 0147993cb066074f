"""Tables of any size in a page: sorted and filtered by their headers, edited in place, hostile text drawn as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.forms.layout import show as say_in
from itnio_nb.forms.layout import text_area
from itnio_nb.orders.export import SEVERITY_COLOURS
from itnio_nb.orders.text_columns import cell_text

MOST = 20_000  # rows that a page holds; the rest is told
MARKS = "finding"  # the column that says what is wrong in a row, and colours its cells
_UPDATES = 200  # rows that are changed one by one; more, and the table is shown anew
_TAKEN = {"row", MARKS, "ipydguuid", "key", "index", "__proto__"}
# Ground and text, told apart on light and dark pages alike; the words beside them say the same.
_COLOURS = {severity: (ground, "#1a1a1a") for severity, ground in SEVERITY_COLOURS.items()}
_WIDTHS = {"row": 64, "groupName": 190, "phoneName": 160, "quantity": 76, "displayNum": 130, "appId": 110}
_WIDTHS |= {"state": 84, "status": 66, "reason": 280, "advice": 420, "action": 84, "why": 420, MARKS: 420}
_WIDTHS |= {"column": 110, "value": 160, "problem": 380, "severity": 84, "at": 190, "made": 190}


class DataTable(widgets.VBox):  # type: ignore[misc] # no types
    """A table in a grid that scrolls, sorts and filters; `on_edit` makes its cells editable.

    `on_edit(row, column, text)` and `on_select(row, column)` are given the frame's own index and column.
    """

    def __init__(
        self,
        style: str,
        *,
        height: str = "330px",
        on_edit: Callable[[Any, str, str], None] | None = None,
        on_select: Callable[[Any, str], None] | None = None,
    ) -> None:
        super().__init__()
        self.add_class(style)
        self._height, self._on_edit, self._on_select = height, on_edit, on_select
        self._more = text_area("faint")
        self.grid: Any = None
        self._renderers: dict[str, Any] = {}  # made once: a grid is made anew with each table
        self._names: list[str] = []
        self._cells = np.empty((0, 0), dtype=object)  # as the page has them
        self.rows: list[Any] = []  # the frame's index, in the order of the grid's data

    def show(self, frame: pd.DataFrame, total: int | None = None) -> None:
        """Show a frame, its index as row headers; `total` is how many rows there are, if these are not all."""
        total = len(frame) if total is None else total
        frame = frame.head(MOST)
        self.rows, self._names = frame.index.tolist(), [str(name) for name in frame.columns]
        shown = frame.astype(object).set_axis(_shown_names(self._names), axis=1)
        self._cells = shown.to_numpy(copy=True)
        old, self.grid = self.grid, self._new_grid(shown)
        rest = f"{len(frame):,} of {total:,} rows are shown here." if total > len(frame) else ""
        say_in(self._more, rest)
        self.children = (self.grid, *([self._more] if rest else []))
        if old is not None:
            old.layout.close()
            old.close()

    def update(self, frame: pd.DataFrame) -> None:
        """Show a frame of the same rows: those that have changed, in their places, without scrolling."""
        if self.grid is None or frame.index.tolist() != self.rows:
            self.show(frame)
            return
        now = frame.astype(object).to_numpy(copy=True)
        changed = (now != self._cells).any(axis=1).nonzero()[0]
        self._cells = now
        if len(changed) > _UPDATES:
            self.show(frame)
            return
        for place in changed:
            self.grid.set_row_value(self.rows[place], now[place].tolist())

    def selected(self) -> list[Any]:
        """Return the rows of which something is selected."""
        places: set[int] = set()
        for area in self.grid.selections if self.grid is not None else ():
            places.update(range(min(area["r1"], area["r2"]), max(area["r1"], area["r2"]) + 1))
        seen = self.grid._visible_rows if self.grid is not None else []  # noqa: SLF001 - it has no public name
        order = [seen[place] if place < len(seen) else place for place in sorted(places)] if seen else sorted(places)
        return [self.rows[place] for place in order if place < len(self.rows)]

    def _new_grid(self, shown: pd.DataFrame) -> Any:
        """Make a new grid: what a grid is made of is never dropped by Jupyter's limits, unlike what is sent later."""
        from ipydatagrid import DataGrid

        editable = self._on_edit is not None
        # The API's columns alone have findings: no name from a spreadsheet comes into an expression.
        plain, coloured = self._renderer(""), {}
        if MARKS in shown.columns:
            coloured = {name: self._renderer(name) for name in API_COLUMNS if name in shown.columns}
        widths = {**_WIDTHS, **{name: 130 for name in shown.columns if name not in _WIDTHS}}
        grid = DataGrid(
            shown,
            index_name=str(shown.index.name or "row"),
            editable=editable,
            selection_mode="cell" if editable else "row",
            renderers=coloured,
            default_renderer=plain,
            column_widths=widths,
            base_row_size=24,
            base_column_header_size=26,
            layout=widgets.Layout(height=self._height, width="100%"),
        )
        grid.add_class("itnio-grid")
        if self._on_edit is not None:
            grid.on_cell_change(self._edited)
        grid.observe(self._moved, "selections")
        return grid

    def _renderer(self, column: str) -> Any:
        if column not in self._renderers:
            self._renderers[column] = _renderer(column)
        return self._renderers[column]

    def close(self) -> None:
        """Close it, with what draws its cells."""
        for renderer in self._renderers.values():
            for part in (renderer.background_color, renderer.text_color, renderer):
                part.close()
        super().close()

    def _edited(self, cell: dict[str, Any]) -> None:
        """Hand over what a person has typed; what was set from here is no news."""
        row, column, text = cell["row"], cell["column_index"], cell_text(cell["value"])
        if self._on_edit is not None and row < len(self.rows) and column < len(self._names):
            self._cells[row, column] = text
            self._on_edit(self.rows[row], self._names[column], text)

    def _moved(self, _: object) -> None:
        if self._on_select is None or not self.grid.selections:
            return
        rows, place = self.selected(), self.grid.selections[-1]["c1"]
        if rows:
            self._on_select(rows[0], self._names[place] if 0 <= place < len(self._names) else "")


def _shown_names(names: list[str]) -> list[str]:
    """Return names that the grid can tell apart from its own: a spreadsheet's columns may be called anything."""
    shown: list[str] = []
    for at, name in enumerate(names):
        ours = name == MARKS and MARKS not in names[:at] and name not in shown
        candidate = name
        while not ours and (candidate in _TAKEN or candidate in shown or (candidate != name and candidate in names)):
            candidate += f" ({at + 1})"
        shown.append(candidate)
    return shown


def _renderer(column: str) -> Any:
    """Return what draws the cells of a column: coloured where the row's finding is of this column; "" for any other."""
    from ipydatagrid import TextRenderer, VegaExpr

    ground, text = "default_value", "default_value"
    for severity, (its_ground, its_text) in reversed(_COLOURS.items() if column else ()):
        here = f"indexof(cell.metadata.data['{MARKS}'], {_mark(severity, column)!r}) >= 0"
        ground, text = f"{here} ? '{its_ground}' : ({ground})", f"{here} ? '{its_text}' : ({text})"
    return TextRenderer(background_color=VegaExpr(ground), text_color=VegaExpr(text))


def _mark(severity: str, column: str) -> str:
    """Return how a finding of a cell begins."""
    return f"{severity}: {column} "


def marks_of(findings: pd.DataFrame, rows: pd.Index[Any]) -> pd.Series[str]:
    """Return what is to be said of each row: its findings in one text, "" where there is nothing."""
    if findings.empty:
        return pd.Series("", index=rows, dtype=object)
    told = findings["severity"] + ": " + findings["column"] + " " + findings["problem"]
    joined = told.groupby(findings["row"], sort=False).agg(" · ".join)
    return joined.reindex(rows).fillna("").astype(object)
