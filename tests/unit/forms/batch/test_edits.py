"""Blocks of cells put into orders, and the steps of before: pure functions, no form."""

from __future__ import annotations

import pandas as pd
import pytest

from itnio_nb import InputError
from itnio_nb.forms.batch.edits import STEPS, Edit, History, State, apply_edit, edit_of_paste
from itnio_nb.orders.read import read_orders
from tests.support.factories import APP, many_orders

NAMES = ["groupName", "phoneName", "quantity", "displayNum", "appId"]
SITES = [(row, "Site") for row in range(2, 6)]
NEW = {(6, "appId"): APP, (7, "appId"): APP}
ORDERS = read_orders(many_orders(4).assign(Site="Hall"))


def paste(lines: list[list[str]], rows: list[int], column: str, size: tuple[int, int] = (1, 1)) -> pd.DataFrame:
    """Paste into the orders, with the cell of the first row selected, `size` rows and columns from it on."""
    columns = [*NAMES, "Site"]
    edit = edit_of_paste(lines, rows, columns[columns.index(column) :] if column else [], size, columns)
    edited, _ = apply_edit(ORDERS, edit)
    return edited


def changed(edited: pd.DataFrame) -> dict[tuple[int, str], str]:
    """The cells that are others than before, and those of rows that were added."""
    before = ORDERS.reindex(edited.index).fillna("")
    return {
        (row, name): edited.loc[row, name]
        for row in edited.index
        for name in edited.columns
        if edited.loc[row, name] != before.loc[row, name]
    }


@pytest.mark.parametrize(
    ("lines", "rows", "column", "size", "cells"),
    [
        ([["a"]], [3], "groupName", (1, 1), {(3, "groupName"): "a"}),
        ([["a", "b"]], [3], "phoneName", (1, 1), {(3, "phoneName"): "a", (3, "quantity"): "b"}),
        ([["a"], ["b"]], [5, 3], "Site", (1, 1), {(5, "Site"): "a", (3, "Site"): "b"}),  # sorted: as it is seen
        ([["a"]], [2, 3], "Site", (2, 1), {(2, "Site"): "a", (3, "Site"): "a"}),  # one cell fills what is selected
        ([["a"], ["b"]], [2, 3, 4, 5], "Site", (4, 1), dict(zip(SITES, "abab", strict=True))),
        (
            [["a"], ["b"]],
            [2, 3, 4],
            "Site",
            (3, 1),
            {(2, "Site"): "a", (3, "Site"): "b"},
        ),  # it fits one and a half times
        ([["a"]], [2], "appId", (1, 2), {(2, "appId"): "a", (2, "Site"): "a"}),
        ([["a", "b"], ["c"]], [2, 3], "appId", (1, 1), {(2, "appId"): "a", (2, "Site"): "b", (3, "appId"): "c"}),
        ([["a", ""]], [2], "appId", (1, 1), {(2, "appId"): "a", (2, "Site"): ""}),
        ([["Site"], ["a"]], [2, 3], "groupName", (1, 1), {(2, "Site"): "a"}),
        ([["Qty", "site"], ["9", "a"]], [2, 3], "groupName", (1, 1), {(2, "quantity"): "9", (2, "Site"): "a"}),
        ([["a"], [""], [""]], [5], "Site", (1, 1), {(5, "Site"): "a"}),  # a column that was copied as a whole
        ([["a"], ["b"]], [5], "groupName", (1, 1), {(5, "groupName"): "a", (6, "groupName"): "b", (6, "appId"): APP}),
        ([["a"], ["", " "], ["c"]], [5], "Site", (1, 1), {(5, "Site"): "a", (7, "Site"): "c", **NEW}),
        ([["a"], ["b"]], [], "Site", (0, 0), {(6, "Site"): "a", (7, "Site"): "b", **NEW}),  # into a table without rows
        ([["a"]], [99], "Site", (1, 1), {}),  # a row that is gone meanwhile
    ],
)
def test_a_block_goes_from_the_selected_cell_on(
    lines: list[list[str]], rows: list[int], column: str, size: tuple[int, int], cells: dict[tuple[int, str], str]
) -> None:
    """Row by row as they are seen; nothing else is changed."""
    assert changed(paste(lines, rows, column, size)) == cells


@pytest.mark.parametrize(
    ("lines", "column", "words"),
    [
        ([["a", "b"]], "Site", "The block has 2 columns, and from Site on there is 1: select a cell further left."),
        ([["a"] * 9], "phoneName", "The block has 9 columns, and from phoneName on there are 5"),
        ([["a", "b", " ", "c"]], "appId", "The block has 4 columns, and from appId on there are 2"),
        ([], "Site", "There are no cells on the clipboard"),
        ([["a"]], "", "Nobody types into this column: select a cell of another one. Nothing was pasted."),
        ([[]], "Site", "There are no cells on the clipboard"),
    ],
)
def test_what_does_not_fit_is_refused(lines: list[list[str]], column: str, words: str) -> None:
    """With what to do; nothing is lost at the edge."""
    with pytest.raises(InputError, match=words):
        paste(lines, [2], column)


def test_rows_end_where_a_spreadsheet_ends() -> None:
    """Said before anything is changed."""
    orders = ORDERS.set_axis([2, 3, 4, 1_048_576])
    with pytest.raises(InputError, match="A spreadsheet has 1,048,576 rows: there is no room for 1 row more"):
        apply_edit(orders, Edit("Paste", [], ["Site"], [["a"]]))


def test_an_edit_leaves_the_orders_of_before_alone() -> None:
    """Undo gives them back; what was detected in the file stays with both."""
    before = ORDERS.copy()
    edited, rows = apply_edit(ORDERS, Edit("Edit", [3], ["groupName", "nothing"], [["x", "y"]]))
    assert rows == [3]
    assert ORDERS.equals(before)
    assert edited.attrs == ORDERS.attrs
    assert edited.dtypes.equals(ORDERS.dtypes)


def test_twenty_steps_can_be_undone_and_done_again() -> None:
    """In their order, each with its words; a new step forgets what was undone. Nothing to undo is said."""
    history, now = History(), State(ORDERS, pd.DataFrame())
    for number in range(STEPS + 5):
        history.keep(now._replace(words=f"step {number}"))
        now = now._replace(orders=ORDERS.assign(Site=str(number)))
    undone = []
    while history.undo_words:
        undone.append(history.undo_words)
        now = history.undo(now)
    assert undone == [f"step {number}" for number in range(STEPS + 4, 4, -1)]
    assert set(now.orders["Site"]) == {"4"}
    with pytest.raises(InputError, match="nothing to undo"):
        history.undo(now)
    for number in range(3):
        assert history.redo_words == f"step {number + 5}"
        now = history.redo(now)
    assert set(now.orders["Site"]) == {"7"}
    history.keep(now._replace(words="other"))
    assert (history.undo_words, history.redo_words) == ("other", "")
    with pytest.raises(InputError, match="nothing to do again"):
        history.redo(now)
