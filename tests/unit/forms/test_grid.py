"""A grid: what a person types, selects and sorts arrives as the row and column of the table."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from itnio_nb import InputError
from itnio_nb.api.models import API_COLUMNS
from itnio_nb.forms.grid import FINDING, Grid, findings_by_row
from itnio_nb.orders.check import check_orders
from itnio_nb.orders.read import read_orders
from tests.support.factories import many_orders
from tests.support.forms import HOSTILE, assert_form_harmless, data_of, select_cells, sort_rows, text_of, type_into


class NotedGrid(Grid):
    """A grid whose edits and selections are noted."""

    def __init__(self, table: pd.DataFrame, *, editable: bool = True) -> None:
        self.edits: list[tuple[Any, str, str]] = []
        self.moves: list[tuple[Any, str]] = []
        on_edit = (lambda *edit: self.edits.append(edit)) if editable else None
        super().__init__("itnio-test", on_edit=on_edit, on_select=lambda *move: self.moves.append(move))
        self.show(table)

    @property
    def size(self) -> str:
        """What is said below the rows."""
        data_grid, *below = self.children
        assert data_grid is self.data_grid
        return "".join(text_of(area) for area in below)


TABLE = pd.DataFrame(
    [["sales", "desk", "3"], ["support", "line", "5"], ["office", "room", "7"]],
    columns=["groupName", "phoneName", "quantity"],
    index=pd.Index([2, 3, 7], name="row"),
    dtype=object,
)


def table_of(rows: int, **columns: str) -> pd.DataFrame:
    return TABLE.iloc[[0] * rows].set_axis(pd.RangeIndex(2, rows + 2, name="row")).assign(**columns)


def test_a_table_is_shown_with_its_rows() -> None:
    """The numbers that the spreadsheet shows are the row headers; an empty one has its headers, so nothing jumps.

    Where nothing can be edited, whole rows are selected.
    """
    grid = NotedGrid(TABLE.head(0), editable=False)
    assert (data_of(grid).columns.tolist(), grid.rows) == (TABLE.columns.tolist(), [])
    assert (grid.data_grid.editable, grid.data_grid.selection_mode) == (False, "row")
    grid = NotedGrid(TABLE)
    assert (grid.data_grid.editable, grid.data_grid.selection_mode) == (True, "cell")
    assert data_of(grid).index.tolist() == [2, 3, 7]
    assert data_of(grid).to_numpy().tolist() == TABLE.to_numpy().tolist()
    assert grid.rows == [2, 3, 7]
    assert grid.children == (grid.data_grid,)


def test_what_is_typed_arrives_at_its_row_and_column() -> None:
    """Of the table, wherever it stands in the grid; as text, whatever the page makes of it.

    A message may come late, after rows were deleted or for a column that is not there.
    """
    grid = NotedGrid(TABLE)
    for place, column, value, text in (
        (0, 0, "007", "007"),
        (1, 1, 5, "5"),
        (1, 2, 5.0, "5"),
        (2, 0, None, ""),
        (2, 2, True, "TRUE"),
    ):
        type_into(grid, place, column, value)
        assert grid.edits.pop() == (TABLE.index[place], TABLE.columns[column], text)
        assert data_of(grid).iloc[place, column] == value
    grid.show(TABLE.iloc[:2, :2])
    type_into(grid, 0, 1, "new")
    for row, column in ((99, 2), (0, 99)):
        grid._on_cell_change({"row": row, "column": None, "column_index": column, "value": "x"})
    assert grid.edits == [(2, "phoneName", "new")]


def test_an_update_changes_what_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its place, in the same grid, with one message for each such row: nothing scrolls.

    A row more or less is a new grid, and the old one is closed.
    """
    grid = NotedGrid(TABLE)
    before, messages = grid.data_grid, []
    monkeypatch.setattr(type(grid.comm), "publish_msg", lambda self, *args, **rest: messages.append(rest))
    table = TABLE.copy()
    table.loc[3, "phoneName"] = "other"
    grid.update(table)
    assert grid.data_grid is before
    assert data_of(grid).to_numpy().tolist() == table.to_numpy().tolist()
    assert len(messages) == 1
    grid.update(table)
    assert len(messages) == 1
    assert grid.edits == []  # what was set from here is no news
    grid.update(TABLE.drop(index=3))
    assert grid.data_grid is not before
    assert before.comm is None
    assert grid.rows == [2, 7]


def test_an_update_of_very_many_rows_is_one_message() -> None:
    """A new grid, rather than thousands of messages."""
    grid = NotedGrid(table_of(201))
    before = grid.data_grid
    grid.update(table_of(201, phoneName="other"))
    assert grid.data_grid is not before
    assert set(data_of(grid)["phoneName"]) == {"other"}
    grid = NotedGrid(table_of(200))
    before = grid.data_grid
    grid.update(table_of(200, phoneName="other"))
    assert grid.data_grid is before
    assert set(data_of(grid)["phoneName"]) == {"other"}


def test_the_selected_rows_are_those_that_one_sees() -> None:
    """Of all areas, each once, in their order, whichever way they were drawn.

    After sorting or filtering, a place on the screen is another row. A selection that is taken away says nothing.
    """
    grid = Grid("itnio-test")
    assert grid.selected() == []
    grid.update(TABLE)  # before anything was shown: as `show` does
    assert (grid.rows, grid.selected()) == ([2, 3, 7], [])
    grid.data_grid.selections = [{"r1": 2, "r2": 1, "c1": 1, "c2": 0}, {"r1": 2, "r2": 2, "c1": 0, "c2": 0}]
    assert grid.selected() == [3, 7]
    grid = NotedGrid(TABLE)
    sort_rows(grid, [2, 0])
    select_cells(grid, [0])
    assert grid.selected() == [7]
    select_cells(grid, [1], column=2)
    assert grid.selected() == [2]
    select_cells(grid, [])
    assert grid.moves == [(7, "groupName"), (2, "quantity")]


def test_of_a_huge_table_it_says_how_much_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest in words."""
    monkeypatch.setattr("itnio_nb.forms.grid.MAX_ROWS", 3)
    grid = NotedGrid(table_of(5))
    assert len(data_of(grid)) == 3
    assert grid.size == "3 of 5 rows are shown here."
    grid.show(TABLE)
    assert grid.size == ""
    grid.show(TABLE, 9)
    assert grid.size == "3 of 9 rows are shown here."


@pytest.mark.parametrize("name", ["row", "key", "index", "ipydguuid", FINDING, "", "columns", "schema", *HOSTILE])
def test_a_column_may_be_called_anything(name: str) -> None:
    """Also as the grid's own are, or twice; it is shown, and what is typed into it arrives under its own name."""
    grid = NotedGrid(TABLE.assign(a="cell", b="other").set_axis([*TABLE.columns, name, name], axis=1))
    assert data_of(grid).columns.is_unique
    assert data_of(grid).index.tolist() == [2, 3, 7]
    assert data_of(grid).to_numpy()[:, 3].tolist() == ["cell"] * 3
    type_into(grid, 0, 3, "new")
    assert grid.edits == [(2, name, "new")]
    assert_form_harmless(grid)


def test_no_name_of_others_comes_into_an_expression() -> None:
    """Cells are drawn by the grid as text; the colours' expressions have the API's names alone.

    A cell's colour asks for a finding of this very column.
    """
    orders = read_orders(many_orders(2).assign(**{text: text for text in HOSTILE}))
    findings = check_orders(orders)
    table = orders.assign(**{FINDING: findings_by_row(findings, orders.index)}).rename_axis("row")
    grid = NotedGrid(table)
    assert {*API_COLUMNS, "default"} >= set(grid.data_grid.renderers) >= set(API_COLUMNS)
    for name in API_COLUMNS:
        expression = grid.data_grid.renderers[name].background_color.value
        for severity in ("error", "warning", "repaired"):
            assert f"'{severity}: {name} '" in expression
        assert not [other for other in API_COLUMNS if other != name and f": {other} " in expression]
    for renderer in grid.data_grid.renderers.values():
        state = str(renderer.background_color.value) + str(renderer.text_color.value)
        assert not [text for text in HOSTILE if text in state]
    assert HOSTILE[0] in data_of(grid).to_numpy().ravel().tolist()


def test_a_row_has_all_its_findings_in_one_text() -> None:
    """With severity and column; nothing where nothing is wrong."""
    orders = read_orders(many_orders(2).assign(groupName=["abc", "sales"], quantity=["x", "3"]))
    texts = findings_by_row(check_orders(orders), orders.index)
    assert texts.index.tolist() == [2, 3]
    assert texts[2].startswith("error: groupName has 3 characters")
    assert " · error: quantity is not a whole number" in texts[2]
    assert texts[3] == ""
    assert findings_by_row(check_orders(orders[1:]), orders.index[1:]).tolist() == [""]


def test_without_the_grid_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is shown."""
    monkeypatch.setattr("itnio_nb.forms.grid.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "itnio-nb\[lab\]"'):
        Grid("itnio-test")
