"""A grid: what the page is sent, what a person does there and how it arrives, in the table's own rows and columns."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from itnio_nb.forms.grid import FINDING, MAX_ROWS, Grid, findings_by_row, marks_of
from itnio_nb.orders.check import check_orders
from itnio_nb.orders.read import read_orders
from tests.support.factories import many_orders
from tests.support.forms import (
    HOSTILE,
    assert_form_harmless,
    columns_of,
    data_of,
    messages_of,
    select_cells,
    tell_grid,
    text_of,
    type_into,
)


class NotedGrid(Grid):
    """A grid of which is noted what a person does."""

    def __init__(self, table: pd.DataFrame, *, editable: bool = True) -> None:
        self.messages: list[dict[str, Any]] = []
        self.moves: list[tuple[Any, str]] = []
        on_select = lambda *move: self.moves.append(move)  # noqa: E731 - as short as that
        super().__init__(
            "itnio-test", "A test", on_message=self.messages.append if editable else None, on_select=on_select
        )
        self.show(table)

    @property
    def size(self) -> str:
        """What is said below the rows."""
        view, *below = self.children
        assert view is self.view
        return "".join(text_of(area) for area in below)


TABLE = pd.DataFrame(
    [["sales", "desk", "3"], ["support", "line", "5"], ["office", "room", "7"]],
    columns=["groupName", "phoneName", "quantity"],
    index=pd.Index([2, 3, 7], name="row"),
    dtype=object,
)


def table_of(rows: int, **columns: str) -> pd.DataFrame:
    return TABLE.iloc[[0] * rows].set_axis(pd.RangeIndex(2, rows + 2, name="row")).assign(**columns)


def test_a_grid_costs_nothing_before_its_first_table() -> None:
    """A tab that nobody opens sends nothing to the page."""
    grid = Grid("itnio-test")
    assert grid.view is None
    assert not grid.children
    assert grid.selected() == []
    grid.update(TABLE)  # as `show` does
    assert data_of(grid).equals(TABLE.rename_axis(None))


def test_a_table_is_shown_with_its_rows() -> None:
    """The numbers that the spreadsheet shows are the row headers; an empty one has its headers, so nothing jumps.

    Numbers are read from the right; nobody types into what was found, or into a table that is only shown.
    """
    grid = NotedGrid(TABLE.head(0), editable=False)
    assert (data_of(grid).columns.tolist(), grid.rows) == (TABLE.columns.tolist(), [])
    assert not any(column["editable"] for column in columns_of(grid))
    grid = NotedGrid(TABLE.assign(**{FINDING: ""}))
    assert data_of(grid).index.tolist() == grid.rows == [2, 3, 7]
    assert data_of(grid).to_numpy()[:, :3].tolist() == TABLE.to_numpy().tolist()
    assert [column["name"] for column in columns_of(grid) if column["editable"]] == TABLE.columns.tolist()
    assert [column["name"] for column in columns_of(grid) if column["number"]] == ["quantity"]
    assert grid.children == (grid.view,)
    assert grid.view is not None
    assert (grid.view.label, grid.view.editable) == ("A test", True)


def test_cells_are_text_whatever_they_are() -> None:
    """Whole numbers have no point, holes are empty, true is TRUE, as in the files that are read."""
    grid = NotedGrid(pd.DataFrame({"a": [1, 2], "b": [1.0, None], "c": [None, True], "d": ["x", None]}))
    assert data_of(grid).to_numpy().tolist() == [["1", "1", "", "x"], ["2", "", "TRUE", ""]]


def test_what_is_done_arrives_in_the_tables_own_rows_and_columns() -> None:
    """Each step as one message; in a table that is only shown, nothing but what is selected."""
    grid = NotedGrid(TABLE)
    type_into(grid, 3, "phoneName", "007")
    tell_grid(grid, kind="undo")
    tell_grid(grid, kind="paste", text="a\tb", html="", rows=[2], columns=["groupName", "phoneName"], size=[1, 1])
    assert [message["kind"] for message in grid.messages] == ["edit", "undo", "paste"]
    assert grid.messages[0]["cells"] == [["007"]]
    shown = NotedGrid(TABLE, editable=False)
    type_into(shown, 3, "phoneName", "007")
    tell_grid(shown, kind="undo")
    assert shown.messages == []
    assert data_of(shown).equals(TABLE.rename_axis(None))


def test_what_was_typed_is_changed_back_where_it_is_not_taken() -> None:
    """The page shows at once what was typed: where the orders stay as they were, it is sent what is true."""
    grid = NotedGrid(TABLE)
    type_into(grid, 3, "phoneName", "other")
    type_into(grid, 7, "phoneName", "third")
    sent = messages_of(grid)
    assert [message["typed"] for message in grid.messages] == [3, 7]
    grid.update(TABLE, settled=3)
    assert [row for message in sent for row in message["rows"]] == [[3, ["support", "line", "5"], {}]]
    assert data_of(grid)["phoneName"].tolist() == ["desk", "line", "third"]  # its own edit is still to be made
    grid.update(TABLE.assign(phoneName=["desk", "line", "third"]), settled=7)
    assert [row for row, *_ in sent[-1]["rows"]] == [7]  # for whoever else looks at the grid
    for row, column in ((99, "phoneName"), (3, "nothing")):  # a message that comes late
        type_into(grid, row, column, "x")
        assert "typed" not in grid.messages[-1]


def test_an_update_sends_what_has_changed() -> None:
    """In its place, in one message: nothing scrolls. A page that is opened later has it too."""
    grid = NotedGrid(TABLE)
    sent = messages_of(grid)
    table = TABLE.copy()
    table.loc[3, "phoneName"] = "other"
    grid.update(table, {7: {"quantity": "Error: too many"}})
    changed = [[3, ["support", "other", "5"], {}], [7, ["office", "room", "7"], {2: ["error", "Error: too many"]}]]
    assert [message["rows"] for message in sent] == [changed]
    assert data_of(grid).equals(table.rename_axis(None))
    grid.update(table, {7: {"quantity": "Error: too many"}})
    assert len(sent) == 1
    grid.update(table)
    assert sent[1]["rows"] == [[7, ["office", "room", "7"], {}]]
    before = grid.view
    grid.update(TABLE.drop(index=3))
    assert grid.view is before
    assert grid.rows == data_of(grid).index.tolist() == [2, 7]


def test_the_same_table_is_sent_again_where_rows_were_sent_since() -> None:
    """An undo to what the page was first sent: it must not be taken for no news."""
    grid = NotedGrid(TABLE)
    assert grid.view is not None
    first = grid.view.table
    grid.update(TABLE.assign(phoneName="other"))
    grid.show(TABLE)
    assert grid.view.table != first
    assert data_of(grid).equals(TABLE.rename_axis(None))


def test_rows_may_have_the_same_header() -> None:
    """An order that is split has a row for each group: all are shown, and known when they are selected."""
    grid = NotedGrid(TABLE.set_axis([2, 2, 3]), editable=False)
    assert data_of(grid).index.tolist() == grid.rows == [2, 2, 3]
    select_cells(grid, [1], "quantity")
    assert (grid.selected(), grid.moves) == ([2], [(2, "quantity")])


def test_marks_of_rows_that_are_not_shown_are_no_news() -> None:
    """An edit may have made a duplicate of a row that a filter hides."""
    grid = NotedGrid(TABLE)
    sent = messages_of(grid)
    grid.update(TABLE, {99: {"quantity": "Error: is empty"}})
    assert sent == []


def test_an_update_of_very_many_rows_is_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compressed, rather than a message that Jupyter drops for its size."""
    monkeypatch.setattr("itnio_nb.forms.grid._MAX_UPDATES", 20)
    for rows, messages in ((20, 1), (21, 0)):
        grid = NotedGrid(table_of(rows))
        sent = messages_of(grid)
        grid.update(table_of(rows, phoneName="other"))
        assert len(sent) == messages
        assert set(data_of(grid)["phoneName"]) == {"other"}


def test_what_is_selected_is_known() -> None:
    """The rows as they are seen, sorted or not; a row that is gone meanwhile is none. No selection says nothing."""
    grid = NotedGrid(TABLE)
    assert grid.selected() == []
    select_cells(grid, [7, 2], "quantity")
    assert grid.selected() == [7, 2]
    assert grid.moves == [(7, "quantity")]
    select_cells(grid, [])
    assert (grid.selected(), len(grid.moves)) == ([], 1)
    select_cells(grid, [99, 3])
    assert (grid.selected(), len(grid.moves)) == ([3], 1)
    grid.update(TABLE.drop(index=3))
    assert grid.selected() == []


def test_of_a_huge_table_it_says_how_much_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest in words."""
    assert MAX_ROWS >= 100_000
    monkeypatch.setattr("itnio_nb.forms.grid.MAX_ROWS", 3)
    grid = NotedGrid(table_of(5))
    assert len(data_of(grid)) == 3
    assert grid.size == "3 of 5 rows are shown here."
    grid.show(TABLE)
    assert grid.size == ""
    grid.show(TABLE, 9)
    assert grid.size == "3 of 9 rows are shown here."


@pytest.mark.parametrize("name", ["row", "key", "index", "__proto__", "constructor", "", "columns", *HOSTILE])
def test_a_column_may_be_called_anything(name: str) -> None:
    """It is shown, and what is typed into it arrives under its own name."""
    grid = NotedGrid(TABLE.assign(a="cell").set_axis([*TABLE.columns, name], axis=1))
    assert data_of(grid).to_numpy()[:, 3].tolist() == ["cell"] * 3
    assert columns_of(grid)[3]["name"] == name
    type_into(grid, 2, name, "new")
    assert (grid.messages[0]["columns"], grid.cells[0, 3]) == ([name], "new")
    assert_form_harmless(grid)


def test_a_cell_has_the_worst_of_its_findings() -> None:
    """And the text of all, the worst first, whatever the order of their names."""
    columns = ["row", "column", "value", "problem", "advice", "severity"]
    lines = [
        [2, "a", "", "was odd", "", "repaired"],
        [2, "a", "", "may be wrong", "Look.", "warning"],
        [2, "a", "", "is wrong", "Mend it.", "error"],
        [2, "b", "", "was odd", "", "repaired"],
    ]
    marks = marks_of(pd.DataFrame(lines, columns=columns))
    assert marks[2]["b"] == "Repaired: was odd. "
    assert marks[2]["a"].splitlines() == [
        "Error: is wrong. Mend it.",
        "Warning: may be wrong. Look.",
        "Repaired: was odd. ",
    ]


def test_a_row_has_all_its_findings_in_one_text() -> None:
    """With severity and column; nothing where nothing is wrong."""
    orders = read_orders(many_orders(2).assign(groupName=["abc", "sales"], quantity=["x", "3"]))
    first, second = findings_by_row(check_orders(orders), orders.index)
    assert first.startswith("error: groupName has 3 characters")
    assert " · error: quantity is not a whole number" in first
    assert second == ""
    assert findings_by_row(check_orders(orders[1:]), orders.index[1:]) == [""]
