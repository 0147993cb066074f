"""Tables in a grid: what a person types, selects and sorts arrives as the row and column that it is."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.forms.grid import MARKS, DataTable, marks_of
from itnio_nb.orders.check import check_orders
from itnio_nb.orders.read import read_orders
from tests.support.factories import many_orders
from tests.unit.forms.test_base import HOSTILE, assert_harmless_below, text_of


class Typed:
    """A table whose edits and selections are noted."""

    def __init__(self, frame: pd.DataFrame, *, editable: bool = True) -> None:
        self.edits: list[tuple[Any, str, str]] = []
        self.moves: list[tuple[Any, str]] = []
        on_edit = (lambda *edit: self.edits.append(edit)) if editable else None
        self.table = DataTable("itnio-test", on_edit=on_edit, on_select=lambda *move: self.moves.append(move))
        self.table.show(frame)

    @property
    def more(self) -> str:
        """What is said below the grid."""
        grid, *below = self.table.children
        assert grid is self.table.grid
        return "".join(text_of(place) for place in below)

    @property
    def data(self) -> pd.DataFrame:
        shown: pd.DataFrame = self.table.grid.data
        return shown

    def send(self, place: int, column: int, value: object) -> None:
        """What the page sends when a cell was typed into: its place in the data, columns counted without the index.

        Looked up in a real browser with ipydatagrid 1.4: the first column beside the row header is 0.
        """
        message = {"event_type": "cell-changed", "region": "body", "row": place, "column_index": column, "value": value}
        self.table.grid._handle_custom_msg(message, [])


FRAME = pd.DataFrame(
    [["sales", "desk", "3"], ["support", "line", "5"], ["office", "room", "7"]],
    columns=["groupName", "phoneName", "quantity"],
    index=pd.Index([2, 3, 7], name="row"),
    dtype=object,
)


def frame_of(rows: int, **columns: str) -> pd.DataFrame:
    return FRAME.iloc[[0] * rows].set_axis(pd.RangeIndex(2, rows + 2, name="row")).assign(**columns)


def test_a_frame_is_shown_with_its_rows() -> None:
    """The numbers that the spreadsheet shows are the row headers."""
    typed = Typed(FRAME)
    assert typed.data.index.tolist() == [2, 3, 7]
    assert typed.data.to_numpy().tolist() == FRAME.to_numpy().tolist()
    assert typed.table.rows == [2, 3, 7]
    assert typed.table.children == (typed.table.grid,)


@pytest.mark.parametrize(("place", "column"), [(0, 0), (1, 1), (2, 2)])
def test_what_is_typed_arrives_at_its_row_and_column(place: int, column: int) -> None:
    """Of the frame, wherever it stands in the grid."""
    typed = Typed(FRAME)
    typed.send(place, column, "new")
    assert typed.edits == [(FRAME.index[place], FRAME.columns[column], "new")]
    assert typed.data.iloc[place, column] == "new"


@pytest.mark.parametrize(("value", "text"), [("007", "007"), (5, "5"), (5.0, "5"), (None, ""), (True, "TRUE")])
def test_what_is_typed_is_text(value: object, text: str) -> None:
    """Whatever the page makes of it."""
    typed = Typed(FRAME)
    typed.send(0, 1, value)
    assert [edit[2] for edit in typed.edits] == [text]


def test_a_place_that_is_no_more_is_left() -> None:
    """A message may come late, after rows were deleted or for a column that is not there."""
    typed = Typed(FRAME)
    typed.table._edited({"row": 99, "column": "quantity", "column_index": 2, "value": "x"})
    typed.table._edited({"row": 0, "column": None, "column_index": 99, "value": "x"})
    assert typed.edits == []


def test_what_is_only_shown_cannot_be_edited() -> None:
    """And whole rows are selected."""
    typed = Typed(FRAME, editable=False)
    assert (typed.table.grid.editable, typed.table.grid.selection_mode) == (False, "row")
    assert (Typed(FRAME).table.grid.editable, Typed(FRAME).table.grid.selection_mode) == (True, "cell")


def test_an_update_changes_what_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its place, in the same grid, with one message for each such row: nothing scrolls."""
    typed = Typed(FRAME)
    grid, messages = typed.table.grid, []
    monkeypatch.setattr(type(grid.comm), "publish_msg", lambda self, *args, **rest: messages.append(rest))
    frame = FRAME.copy()
    frame.loc[3, "phoneName"] = "other"
    typed.table.update(frame)
    assert typed.table.grid is grid
    assert typed.data.to_numpy().tolist() == frame.to_numpy().tolist()
    assert len(messages) == 1
    typed.table.update(frame)
    assert len(messages) == 1
    assert typed.edits == []  # what was set from here is no news


def test_an_update_of_other_rows_shows_them() -> None:
    """A row more or less is a new grid, and the old one is closed."""
    typed = Typed(FRAME)
    before = typed.table.grid
    typed.table.update(FRAME.drop(index=3))
    assert typed.table.grid is not before
    assert before.comm is None
    assert typed.table.rows == [2, 7]


def test_an_update_of_very_many_rows_is_one_message() -> None:
    """A new grid, rather than thousands of messages."""
    typed = Typed(frame_of(201))
    before = typed.table.grid
    typed.table.update(frame_of(201, phoneName="other"))
    assert typed.table.grid is not before
    assert set(typed.data["phoneName"]) == {"other"}
    typed = Typed(frame_of(200))
    before = typed.table.grid
    typed.table.update(frame_of(200, phoneName="other"))
    assert typed.table.grid is before
    assert set(typed.data["phoneName"]) == {"other"}


def test_an_update_before_anything_was_shown_shows_it() -> None:
    """As `show` does."""
    table = DataTable("itnio-test")
    assert table.selected() == []
    table.update(FRAME)
    assert table.rows == [2, 3, 7]


def test_the_selected_rows_are_those_of_the_frame() -> None:
    """Of all areas, each once, in their order, whichever way they were drawn."""
    typed = Typed(FRAME)
    assert typed.table.selected() == []
    typed.table.grid.selections = [{"r1": 2, "r2": 1, "c1": 1, "c2": 0}, {"r1": 2, "r2": 2, "c1": 0, "c2": 0}]
    assert typed.table.selected() == [3, 7]


def test_the_selected_rows_are_those_that_one_sees() -> None:
    """After sorting or filtering, a place on the screen is another row."""
    typed = Typed(FRAME)
    typed.table.grid._visible_rows = [2, 0]
    typed.table.grid.selections = [{"r1": 0, "r2": 0, "c1": 0, "c2": 0}]
    assert typed.table.selected() == [7]
    typed.table.grid.selections = [{"r1": 1, "r2": 1, "c1": 2, "c2": 2}]
    assert typed.table.selected() == [2]
    assert typed.moves == [(7, "groupName"), (2, "quantity")]


def test_a_selection_that_is_taken_away_says_nothing() -> None:
    """Only where something is selected there is something to tell."""
    typed = Typed(FRAME)
    typed.table.grid.selections = [{"r1": 1, "r2": 1, "c1": 1, "c2": 1}]
    typed.table.grid.selections = []
    assert typed.moves == [(3, "phoneName")]


def test_of_a_huge_table_it_says_how_much_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is told in words."""
    monkeypatch.setattr("itnio_nb.forms.grid.MOST", 3)
    typed = Typed(frame_of(5))
    assert len(typed.data) == 3
    assert typed.more == "3 of 5 rows are shown here."
    typed.table.show(FRAME)
    assert typed.more == ""
    typed.table.show(FRAME, 9)
    assert typed.more == "3 of 9 rows are shown here."


def test_an_empty_table_has_its_headers() -> None:
    """The layout does not jump."""
    typed = Typed(FRAME.head(0))
    assert typed.data.columns.tolist() == FRAME.columns.tolist()
    assert typed.table.rows == []


@pytest.mark.parametrize("name", ["row", "key", "index", "ipydguuid", MARKS, "", "columns", "schema", *HOSTILE])
def test_a_column_may_be_called_anything(name: str) -> None:
    """Also as the grid's own are; it is shown, and what is typed into it arrives under its own name."""
    typed = Typed(FRAME.assign(**{name: "cell"}))
    assert typed.data.index.tolist() == [2, 3, 7]
    assert typed.data.to_numpy()[:, 3].tolist() == ["cell"] * 3
    typed.send(0, typed.table.grid._column_name_to_index(typed.data.columns[3]), "new")
    assert typed.edits == [(2, name, "new")]
    assert_harmless_below(typed.table)


def test_two_columns_of_one_name_are_told_apart() -> None:
    """The grid would refuse them."""
    frame = FRAME.assign(a="1", b="2").set_axis([*FRAME.columns, "Site", "Site"], axis=1)
    typed = Typed(frame)
    assert typed.data.columns.tolist()[3:] == ["Site", "Site (5)"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_of_others_comes_into_an_expression(text: str) -> None:
    """Cells are drawn by the grid as text; the colours' expressions have the API's names alone."""
    orders = read_orders(many_orders(2).assign(**{text: text}))
    findings = check_orders(orders)
    frame = orders.assign(**{MARKS: marks_of(findings, orders.index)}).rename_axis("row")
    typed = Typed(frame)
    assert set(typed.table.grid.renderers) <= {*API_COLUMNS, "default"}
    for renderer in typed.table.grid.renderers.values():
        state = str(renderer.background_color.value) + str(renderer.text_color.value)
        assert text not in state
    assert text in typed.data.to_numpy().ravel().tolist()


def test_the_marks_of_a_row_are_all_its_findings() -> None:
    """In one text, with severity and column; nothing where nothing is wrong."""
    orders = read_orders(many_orders(2).assign(groupName=["abc", "sales"], quantity=["x", "3"]))
    marks = marks_of(check_orders(orders), orders.index)
    assert marks.index.tolist() == [2, 3]
    assert marks[2].startswith("error: groupName has 3 characters")
    assert " · error: quantity is not a whole number" in marks[2]
    assert marks[3] == ""
    assert marks_of(check_orders(orders[1:]), orders.index[1:]).tolist() == [""]


def test_wrong_cells_are_coloured_by_their_own_column() -> None:
    """A cell's colour asks for a finding of this very column."""
    orders = read_orders(many_orders(1))
    typed = Typed(orders.assign(**{MARKS: ""}).rename_axis("row"))
    assert set(typed.table.grid.renderers) >= set(API_COLUMNS)
    for name in API_COLUMNS:
        expression = typed.table.grid.renderers[name].background_color.value
        for severity in ("error", "warning", "repaired"):
            assert f"'{severity}: {name} '" in expression
        assert not [other for other in API_COLUMNS if other != name and f": {other} " in expression]
