"""A grid for a table of any size: sorted and filtered by its headers, edited in place, hostile text drawn as text."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.errors import InputError
from itnio_nb.forms.layout import show, text_area
from itnio_nb.orders.export.findings import SEVERITY_COLOURS
from itnio_nb.orders.text_columns import cell_text

OnEdit = Callable[[Any, str, str], None]  # is given the table's own index and column, and what was typed
OnSelect = Callable[[Any, str], None]  # is given the table's own index and column

MAX_ROWS = 20_000  # rows that a page holds; how many there are is said below
FINDING = "finding"  # the column with what is wrong in a row, which colours its cells
_HEIGHT = "330px"
_MAX_UPDATES = 200  # rows that are changed one by one; of more, the whole table is shown anew
_RESERVED = {"row", FINDING, "ipydguuid", "key", "index", "__proto__"}
# On the backgrounds of severities; readable on light and dark pages alike, and the words beside say the same.
_TEXT_COLOUR = "#1a1a1a"
COLUMN_WIDTHS = {"row": 64, "groupName": 190, "phoneName": 160, "quantity": 76, "displayNum": 130, "appId": 110}
COLUMN_WIDTHS |= {"state": 84, "status": 66, "reason": 280, "advice": 420, "action": 84, "why": 420, FINDING: 420}
COLUMN_WIDTHS |= {"column": 110, "value": 160, "problem": 380, "severity": 84, "at": 190, "made": 190}


class Grid(widgets.VBox):  # type: ignore[misc] # no types
    """A table in a grid that scrolls, sorts and filters; `on_edit` makes its cells editable.

    Raises `InputError` where ipydatagrid, which draws it, is not installed.
    """

    def __init__(self, style: str, *, on_edit: OnEdit | None = None, on_select: OnSelect | None = None) -> None:
        super().__init__()
        self.add_class(style)
        self._on_edit, self._on_select = on_edit, on_select or (lambda *_: None)
        self._size = text_area("faint")
        self.data_grid: Any = None  # ipydatagrid's widget: another one for each table
        self._renderers: dict[str, Any] = {}  # by column, for all those widgets
        self._columns: list[str] = []
        self._cells = np.empty((0, 0), dtype=object)  # as the page has them
        self.rows: list[Any] = []  # the table's index, in the order of the widget's data
        if find_spec("ipydatagrid") is None:
            raise InputError('This form needs what JupyterLab brings: pip install "itnio-nb[lab]", then try again.')

    def show(self, table: pd.DataFrame, total: int | None = None) -> None:
        """Show a table, its index as row headers; `total` is how many rows there are, if these are not all."""
        total = len(table) if total is None else total
        table = table.head(MAX_ROWS)
        self.rows, self._columns = table.index.tolist(), [str(name) for name in table.columns]
        shown = table.astype(object).set_axis(_unique_names(self._columns), axis=1)
        self._cells = shown.to_numpy(copy=True)
        old, self.data_grid = self.data_grid, self._new_data_grid(shown)
        show(self._size, f"{len(table):,} of {total:,} rows are shown here.")
        self.children = (self.data_grid, self._size) if total > len(table) else (self.data_grid,)
        if old is not None:
            old.layout.close()
            old.close()

    def update(self, table: pd.DataFrame) -> None:
        """Show a table of the same rows: those that have changed, in their places, without scrolling."""
        if self.data_grid is None or table.index.tolist() != self.rows:
            self.show(table)
            return
        cells = table.astype(object).to_numpy(copy=True)
        changed = (cells != self._cells).any(axis=1).nonzero()[0]
        if len(changed) > _MAX_UPDATES:
            self.show(table)
            return
        self._cells = cells
        for place in changed:
            self.data_grid.set_row_value(self.rows[place], cells[place].tolist())

    def selected(self) -> list[Any]:
        """Return the rows of which something is selected."""
        if self.data_grid is None:
            return []
        places: set[int] = set()  # on the screen
        for area in self.data_grid.selections:
            places.update(range(min(area["r1"], area["r2"]), max(area["r1"], area["r2"]) + 1))
        order = self.data_grid._visible_rows  # noqa: SLF001 - of sorted or filtered rows; its public name copies all data
        found = [order[place] if place < len(order) else place for place in sorted(places)]
        return [self.rows[place] for place in found if place < len(self.rows)]

    def _new_data_grid(self, shown: pd.DataFrame) -> Any:
        """Make a new widget: Jupyter's limits never drop what a widget is made of, unlike what is sent to it later."""
        from ipydatagrid import DataGrid

        # The API's columns alone have findings: no name from a spreadsheet comes into an expression.
        coloured = set(API_COLUMNS).intersection(shown.columns) if FINDING in shown.columns else ()
        grid = DataGrid(
            shown,
            index_name=str(shown.index.name or "row"),
            editable=self._on_edit is not None,
            selection_mode="cell" if self._on_edit else "row",
            renderers={name: self._renderer(name) for name in coloured},
            default_renderer=self._renderer(""),
            column_widths={**dict.fromkeys(shown.columns, 130), **COLUMN_WIDTHS},
            base_row_size=24,
            base_column_header_size=26,
            layout=widgets.Layout(height=_HEIGHT, width="100%"),
        )
        grid.add_class("itnio-grid")
        grid.on_cell_change(self._on_cell_change)
        grid.observe(self._on_selection, "selections")
        return grid

    def _renderer(self, column: str) -> Any:
        if column not in self._renderers:
            self._renderers[column] = _renderer(column)
        return self._renderers[column]

    def close(self) -> None:
        """Close the grid and the renderers of its cells."""
        for renderer in self._renderers.values():
            for part in (renderer.background_color, renderer.text_color, renderer):
                part.close()
        super().close()

    def _on_cell_change(self, cell: dict[str, Any]) -> None:
        """Report what a person has typed. A cell that is gone meanwhile is no cell."""
        row, column, text = cell["row"], cell["column_index"], cell_text(cell["value"])
        if self._on_edit and row < len(self.rows) and column < len(self._columns):
            self._cells[row, column] = text
            self._on_edit(self.rows[row], self._columns[column], text)

    def _on_selection(self, _: object) -> None:
        rows = self.selected()
        if rows:
            place = self.data_grid.selections[-1]["c1"]
            self._on_select(rows[0], self._columns[place] if 0 <= place < len(self._columns) else "")


def _unique_names(names: list[str]) -> list[str]:
    """Return column names that the widget can tell apart from its own: a spreadsheet's may be anything."""
    shown: list[str] = []
    for at, name in enumerate(names):
        ours = name == FINDING and FINDING not in names[:at] and name not in shown
        candidate = name
        while not ours and (candidate in _RESERVED or candidate in shown or (candidate != name and candidate in names)):
            candidate += f" ({at + 1})"
        shown.append(candidate)
    return shown


def _renderer(column: str) -> Any:
    """Return a renderer that colours a cell where the row has a finding of this column; "" colours nothing."""
    from ipydatagrid import TextRenderer, VegaExpr

    background = text = "default_value"
    for severity, colour in reversed(SEVERITY_COLOURS.items() if column else ()):
        here = f"indexof(cell.metadata.data['{FINDING}'], {f'{severity}: {column} '!r}) >= 0"
        background, text = f"{here} ? '{colour}' : ({background})", f"{here} ? '{_TEXT_COLOUR}' : ({text})"
    return TextRenderer(background_color=VegaExpr(background), text_color=VegaExpr(text))


def findings_by_row(findings: pd.DataFrame, rows: pd.Index[Any]) -> pd.Series[str]:
    """Return the findings of each row in one text, such as `error: quantity is empty · …`; "" where there is none."""
    if findings.empty:
        return pd.Series("", index=rows, dtype=object)
    words = findings["severity"] + ": " + findings["column"] + " " + findings["problem"]
    return words.groupby(findings["row"], sort=False).agg(" · ".join).reindex(rows).fillna("").astype(object)
