"""Step 1 of a batch: files, paths and pasted rows are read; what is wrong is shown and can be mended in place."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import ipywidgets as widgets
import pytest

from itnio_nb import BatchForm, make_plan
from tests.support.factories import APP, many_orders, orders_frame
from tests.support.forms import (
    Batch,
    click,
    columns_of,
    data_of,
    downloads_of,
    messages_of,
    send_from_page,
    status,
    tell_grid,
    text_of,
    wait_for_poll,
)


@pytest.fixture(scope="module")
def one_for_all() -> Iterator[BatchForm]:
    """A form that knows no account: orders need none."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ITNIO_API_KEY", "ITNIO_API_SECRET", "ITNIO_SANDBOX"):
            patch.delenv(name, raising=False)
        with closing(BatchForm()) as made:
            yield made


@pytest.fixture
def batch(one_for_all: BatchForm) -> Batch:
    """The form, with no orders."""
    one_for_all.orders.app_id.value = ""
    click(one_for_all, one_for_all.result.new)
    replace_edits(one_for_all)
    return Batch(one_for_all)


def replace_edits(form: BatchForm) -> None:
    """Answer the question whether edited orders may be replaced, where it is asked."""
    if form.orders.question.is_open:
        click(form, form.orders.question.yes)


def counts(batch: Batch) -> str:
    return text_of(batch.form.orders.counts)


def details(batch: Batch) -> str:
    return text_of(batch.form.orders.details)


def is_shown(widget: widgets.Widget, form: BatchForm) -> bool:
    """Whether a widget and all around it are in the page."""

    def path(place: widgets.Widget) -> list[widgets.Widget] | None:
        if place is widget:
            return [place]
        for child in getattr(place, "children", ()):
            if (found := path(child)) is not None:
                return [place, *found]
        return None

    found = path(form.orders.body)
    assert found is not None
    return all(one.layout.display != "none" for one in found)


def filters(batch: Batch) -> list[str]:
    return [one["words"] for one in batch.form.orders.panel.body.state["filters"]]


def lines(batch: Batch) -> list[dict[str, str]]:
    shown: list[dict[str, str]] = batch.form.orders.panel.body.state["lines"]
    return shown


def act(batch: Batch, action: str, about: str, mark: str = "") -> None:
    """Do something in the panel of findings, as the page does."""
    message = {"action": action, "about": about, "mark": mark}
    send_from_page(batch.form.orders.panel.body, method="custom", content=message)
    wait_for_poll(batch.form)


def names(batch: Batch) -> list[str]:
    shown: list[str] = batch.form.orders.orders["groupName"].tolist()
    return shown


def findings(batch: Batch) -> list[str]:
    shown: list[str] = data_of(batch.form.orders.grid)["finding"].tolist()
    return shown


def test_a_file_is_uploaded(batch: Batch) -> None:
    """Its name, kind and size are shown; its contents stay in no widget; mended it can be uploaded again."""
    for name, number in (("orders.xlsx", 3), ("orders.xlsx", 2), ("ORDERS.CSV", 4)):
        frame, data = many_orders(number).assign(Site="Hall"), io.BytesIO()
        if name.endswith("xlsx"):
            frame.to_excel(data, index=False, engine="xlsxwriter")
        else:
            frame.to_csv(data, index=False)
        batch.upload(name, data.getvalue())
        assert names(batch) == [f"group-{at}" for at in range(number)]
        assert batch.form.orders.orders["Site"].tolist() == ["Hall"] * number
        assert text_of(batch.form.orders.source).startswith(f"{name}: ")
        assert counts(batch) == f"{number} orders · 0 rows with errors"
        assert batch.form.orders.upload.value == ()
        assert batch.form.orders.valid == number


def test_orders_are_read_from_a_path_or_pasted(batch: Batch) -> None:
    """Blanks around the path do no harm; rows are pasted with their headers, as a spreadsheet gives them.

    The application may be given for all, where the table has no such column; where it has one, that is said.
    """
    many_orders(4).to_csv("orders.csv", index=False)
    batch.read(" orders.csv ")
    assert len(names(batch)) == 4
    assert text_of(batch.form.orders.source).startswith("orders.csv: CSV")

    batch.paste(many_orders(2))
    assert batch.form.orders.grid.rows == [2, 3]
    assert data_of(batch.form.orders.grid)["groupName"].tolist() == ["group-0", "group-1"]
    batch.form.orders.app_id.value = f" {APP} "
    batch.paste(many_orders(2).drop(columns="appId"))
    assert batch.form.orders.orders["appId"].tolist() == [APP, APP]
    assert batch.form.orders.valid == 2
    batch.paste(many_orders(3))
    assert status(batch.form).startswith("Error: ")
    assert "appId" in status(batch.form)
    assert len(names(batch)) == 2


def test_headers_that_are_not_known_are_matched(batch: Batch) -> None:
    """Those that are missing are offered, the likeliest chosen, with its first cells; then the file is read again."""
    frame = many_orders(3).rename(columns={"phoneName": "Handset prefix", "quantity": "Anzahl"})
    batch.upload("phones.csv", frame.to_csv(index=False).encode())
    form = batch.form.orders
    assert "or match it here" in status(batch.form)
    assert {column: one.value for column, one in form.columns.items()} == {
        "phoneName": "Handset prefix",
        "quantity": "Anzahl",
    }
    assert form.columns["phoneName"].tooltip == "Its first cells: phone-0, phone-1, phone-2"
    click(batch.form, form.read_matched)
    assert len(names(batch)) == 3
    assert form.orders["phoneName"].tolist() == ["phone-0", "phone-1", "phone-2"]
    assert form.matching.children == ()
    batch.paste(frame.rename(columns={"Anzahl": "quantity"}))
    form.columns["phoneName"].value = ""
    click(batch.form, form.read_matched)
    assert "no column for phoneName" in status(batch.form)
    batch.paste(many_orders(2))
    assert form.columns == {}


def damaged_plan() -> str:
    path = make_plan(many_orders(3)).save("plan.json")
    path.write_text(path.read_text().replace("group-0", "group-9"))
    return str(path)


def paste_text(batch: Batch, text: str) -> None:
    batch.form.orders.paste.value = text
    click(batch.form, batch.form.orders.read_pasted)


def test_what_cannot_be_read_leaves_the_orders(batch: Batch) -> None:
    """As they were; it is said in words, and the next try works."""
    batch.paste(many_orders(2))
    reads: list[tuple[Callable[[], None], str]] = [
        (lambda: paste_text(batch, "  \n "), "Paste a row of headers"),
        (lambda: paste_text(batch, "groupName\tphoneName"), "at least one order below it"),
        (lambda: paste_text(batch, "a\tb\nc\td"), "no column for groupName, phoneName"),
        (lambda: batch.read(" "), "Write the path of a file first"),
        (lambda: batch.read("missing.xlsx"), "There is no file missing.xlsx"),
        (lambda: batch.read("."), "."),
        (lambda: batch.read(damaged_plan()), "was changed or damaged after it was saved"),
        (lambda: batch.upload("empty.csv", b""), "empty.csv"),
        (lambda: batch.upload("picture.xlsx", b"\x89PNG\r\n\x1a\n" + bytes(range(256))), "picture.xlsx"),
        (lambda: batch.upload("other.json", b"{}"), "is not a saved plan"),
    ]
    for read, words in reads:
        read()
        assert status(batch.form).startswith("Error: ")
        assert words in status(batch.form)
        assert "Traceback" not in status(batch.form)
        assert "This should not have happened" not in status(batch.form)
        assert len(names(batch)) == 2
    batch.paste(many_orders(3))
    assert (status(batch.form), len(names(batch))) == ("", 3)


def test_what_is_wrong_is_shown(batch: Batch) -> None:
    """In the counts, by kind, in the grid's column of findings, and for a selected cell in full."""
    batch.paste(orders_frame(("abc", "desk", "x"), ("sales", "line", "3", "+861000000")))
    assert counts(batch) == "2 orders · 1 row with errors"
    assert "class='error'" in batch.form.orders.counts.value
    assert filters(batch) == ["Errors 2", "Warnings 0", "Repaired 1"]
    assert findings(batch)[0].startswith("error: groupName has 3 characters")
    assert findings(batch)[1] == "repaired: displayNum had a + before it"
    batch.select(2, column="quantity")
    assert details(batch).startswith("Row 2, quantity: error: 'x' is not a whole number.")
    assert "groupName" not in details(batch)
    batch.select(2, column="appId")
    assert len(details(batch).splitlines()) == 2


def test_a_cell_is_mended_and_spoilt_by_typing(batch: Batch) -> None:
    """Checked at once, in the same grid however many they are, another row's duplicate too.

    Other columns can be edited; what the form says itself is put back.
    """
    batch.upload("many.csv", many_orders(300).to_csv(index=False).encode())
    sent = messages_of(batch.form.orders.grid)
    batch.type(290, "quantity", "x")
    assert [row for message in sent for row, *_ in message["rows"]] == [290]
    assert "1 row with errors" in counts(batch)
    batch.paste(orders_frame(("abc", "desk"), ("sales", "line")).assign(Site="Hall"))
    replace_edits(batch.form)
    batch.type(2, "groupName", "support")
    assert names(batch) == ["support", "sales"]
    assert counts(batch) == "2 orders · 0 rows with errors"
    assert details(batch) == "Row 2: nothing is wrong."
    assert findings(batch) == ["", ""]
    batch.type(3, "displayNum", "123")
    assert "1 row with errors" in counts(batch)
    assert details(batch).startswith("Row 3, displayNum: error: '123' has 3 digits")
    assert findings(batch)[1].startswith("error: displayNum has 3 digits")
    batch.type(3, "displayNum", "+86 100-0000")  # repaired as a file's cells are
    assert batch.form.orders.orders["displayNum"].tolist()[1] == "861000000"
    assert data_of(batch.form.orders.grid)["displayNum"].tolist()[1] == "861000000"
    assert filters(batch)[2] == "Repaired 1"
    batch.type(2, "groupName", "sales")
    assert findings(batch)[0] == ""
    assert findings(batch)[1].startswith("error: groupName")
    batch.type(2, "Site", "Roof")
    assert batch.form.orders.orders["Site"].tolist() == ["Roof", "Hall"]
    batch.type(2, "finding", "all is well")
    assert findings(batch)[0] == ""
    assert "finding" not in batch.form.orders.orders.columns


def test_rows_are_added(batch: Batch) -> None:
    """To nothing, typed cell by cell; at the end, with the most used application and a number of its own."""
    batch.form.orders.app_id.value = APP
    click(batch.form, batch.form.orders.add)
    (row,) = batch.form.orders.grid.rows
    good = {"groupName": "sales", "phoneName": "desk", "quantity": "3", "displayNum": "861000000"}
    for column, value in good.items():
        batch.type(row, column, value)
    assert batch.form.orders.valid == 1
    assert batch.form.orders.orders["appId"].tolist() == [APP]
    batch.form.orders.app_id.value = ""
    batch.paste(many_orders(3))
    replace_edits(batch.form)
    click(batch.form, batch.form.orders.add)
    assert batch.form.orders.grid.rows == [2, 3, 4, 5]
    assert batch.form.orders.orders.to_numpy()[3].tolist() == ["", "", "", "", APP]
    assert details(batch) == "Row 5 was added at the end: type into its cells."
    assert "1 row with errors" in counts(batch)


def test_selected_rows_are_deleted(batch: Batch) -> None:
    """Those alone; the others keep the numbers that the spreadsheet shows, and all may go."""
    batch.paste(many_orders(5))
    batch.select(3, 5)
    click(batch.form, batch.form.orders.delete)
    assert batch.form.orders.grid.rows == [2, 4, 6]
    assert names(batch) == ["group-0", "group-2", "group-4"]
    assert status(batch.form) == "2 rows deleted. Undo brings them back."
    batch.type(6, "quantity", "7")
    assert batch.form.orders.orders["quantity"].tolist() == ["3", "3", "7"]
    batch.select(4, 6)
    click(batch.form, batch.form.orders.delete)
    assert batch.form.orders.orders.index.tolist() == batch.form.orders.grid.rows == [2]
    click(batch.form, batch.form.orders.delete)
    assert status(batch.form) == "Error: Select cells of the rows that are to be deleted first."
    batch.select(2)
    click(batch.form, batch.form.orders.delete)
    assert batch.form.orders.orders.empty
    assert batch.form.plan_it.disabled
    assert counts(batch).startswith("No orders yet")


def test_a_filter_shows_the_rows_of_a_severity(batch: Batch) -> None:
    """An edit there reaches its row, which stays; when nothing of the severity is left, all rows are shown."""
    batch.paste(orders_frame(("sales",), ("abc", "line"), ("other", "room"), ("xyz", "hall"), ("last", "attic")))
    act(batch, "filter", "error")
    assert batch.form.orders.grid.rows == [3, 5]
    batch.type(5, "groupName", "support")
    assert batch.form.orders.grid.rows == [3, 5]
    assert names(batch) == ["sales", "abc", "other", "support", "last"]
    batch.select(3)
    click(batch.form, batch.form.orders.delete)
    assert names(batch) == ["sales", "other", "support", "last"]
    assert batch.form.orders.grid.rows == [2, 4, 5, 6]
    batch.paste(orders_frame(("sales",), ("abc", "line"), ("xyz", "hall")))
    replace_edits(batch.form)
    act(batch, "filter", "error")
    batch.type(3, "groupName", "support")
    assert batch.form.orders.grid.rows == [3, 4]
    batch.type(4, "groupName", "another")
    assert batch.form.orders.grid.rows == [2, 3, 4]
    assert batch.form.orders.panel.severity is None


def test_the_cells_of_a_kind_are_selected(batch: Batch) -> None:
    """A click on its line: the first is shown and active."""
    batch.paste(orders_frame(("sales",), ("abc", "line"), ("other", "room"), ("xyz", "hall")))
    sent = messages_of(batch.form.orders.grid)
    act(batch, "pick", lines(batch)[0]["id"])
    cells = [[3, "groupName"], [5, "groupName"]]
    assert sent == [{"kind": "select", "cells": cells, "block": False, "focus": True}]


def test_warnings_are_accepted(batch: Batch) -> None:
    """They are coloured no more and counted as accepted; other orders of that kind are open again."""
    table = orders_frame(*((f"group-{at}", f"desk-{at}", "3", "0015551234") for at in range(3)))
    batch.paste(table)
    warning = lines(batch)[0]
    assert warning["severity"] == "warning"
    assert findings(batch) != [""] * 3
    act(batch, "accept", warning["id"], warning["mark"])
    assert findings(batch) == [""] * 3
    assert filters(batch)[1].startswith("Warnings 0 (")
    accepted = lines(batch)[-1]
    batch.type(3, "displayNum", "0015551299")
    assert filters(batch)[1].startswith("Warnings 1 (")
    act(batch, "take back", accepted["id"], lines(batch)[-1]["mark"])
    assert "accepted" not in filters(batch)[1]
    batch.paste(table)
    replace_edits(batch.form)
    assert filters(batch)[1] == f"Warnings {len(batch.form.orders.findings)}"


def test_steps_are_undone_and_done_again(batch: Batch) -> None:
    """Edits, pastes, rows that were added or deleted, and other orders in their place; each is said."""
    batch.paste(many_orders(3))
    step = batch.form.orders
    batch.type(3, "groupName", "other")
    batch.paste_cells(4, "groupName", "a-name\tb\nc-name\td")
    assert names(batch) == ["group-0", "other", "a-name", "c-name"]
    assert step.grid.rows == [2, 3, 4, 5]
    click(batch.form, step.add)
    batch.select(2, 3)
    click(batch.form, step.delete)
    batch.paste(many_orders(2))
    replace_edits(batch.form)
    seen = []
    for _ in range(4):
        click(batch.form, step.undo)
        seen.append((status(batch.form), step.grid.rows))
    assert seen == [
        ("Undone: Replace.", [4, 5, 6]),
        ("Undone: Delete.", [2, 3, 4, 5, 6]),
        ("Undone: Add a row.", [2, 3, 4, 5]),
        ("Undone: Paste.", [2, 3, 4]),
    ]
    tell_grid(step.grid, kind="undo")
    wait_for_poll(batch.form)
    assert names(batch) == ["group-0", "group-1", "group-2"]
    for _ in range(5):
        tell_grid(step.grid, kind="redo")
        wait_for_poll(batch.form)
    assert (names(batch), step.redo.disabled) == (["group-0", "group-1"], True)
    assert data_of(step.grid)["groupName"].tolist() == names(batch)
    tell_grid(step.grid, kind="redo")
    wait_for_poll(batch.form)
    assert status(batch.form) == "Error: There is nothing to do again."


def test_all_rows_may_be_deleted_and_come_back(batch: Batch) -> None:
    """Undo can be pressed where nothing is left to be seen."""
    batch.paste(many_orders(2))
    step = batch.form.orders
    batch.select(2, 3)
    click(batch.form, step.delete)
    assert status(batch.form) == "2 rows deleted. Undo brings them back."
    assert is_shown(step.undo, batch.form)
    assert not is_shown(step.grid, batch.form)
    click(batch.form, step.undo)
    assert names(batch) == ["group-0", "group-1"]
    assert is_shown(step.grid, batch.form)


def test_undo_goes_back_step_by_step_over_other_orders(batch: Batch) -> None:
    """Also where nothing was there between; what is undone is never done again over other orders."""
    batch.paste(many_orders(2))
    step = batch.form.orders
    batch.select(2, 3)
    click(batch.form, step.delete)
    batch.paste(many_orders(3))
    click(batch.form, step.undo)
    assert (names(batch), status(batch.form)) == ([], "Undone: Replace.")
    click(batch.form, step.undo)
    assert (names(batch), status(batch.form)) == (["group-0", "group-1"], "Undone: Delete.")
    click(batch.form, step.undo)
    batch.paste(many_orders(4))
    assert step.redo.disabled


def test_an_edit_of_other_orders_is_none_of_these(batch: Batch) -> None:
    """A page says which orders it showed when something was typed; it is shown what is true."""
    batch.paste(many_orders(2))
    step = batch.form.orders
    first = step.grid.version
    batch.paste(many_orders(2).assign(quantity="9"))
    second = step.grid.version
    click(batch.form, step.undo)
    assert step.grid.version == first != second
    for version, quantity in ((second, "3"), (first, "77")):
        message = {"kind": "edit", "words": "Edit", "rows": [2], "columns": ["quantity"], "cells": [["77"]]}
        tell_grid(step.grid, **message, version=version)
        wait_for_poll(batch.form)
        assert step.orders["quantity"].tolist()[0] == data_of(step.grid)["quantity"].tolist()[0] == quantity


def test_a_file_with_two_words_for_one_column_can_be_edited(batch: Batch) -> None:
    """One of them was chosen; the other is an extra column, and stays one."""
    table = many_orders(2).rename(columns={"groupName": "Team"}).assign(**{"Group Name": "other"})
    batch.upload("two.csv", table.to_csv(index=False).encode())
    click(batch.form, batch.form.orders.file.ways.columns)
    batch.form.orders.file.matcher.recognised["groupName"].header.value = "Team"
    click(batch.form, batch.form.orders.read_matched)
    assert names(batch) == ["group-0", "group-1"]
    batch.type(2, "quantity", "5")
    assert batch.form.orders.orders["quantity"].tolist() == ["5", "3"]
    assert batch.form.orders.orders["Group Name"].tolist() == ["other"] * 2


def test_an_edit_under_a_filter_may_change_hidden_rows(batch: Batch) -> None:
    """One that becomes a duplicate, for instance: what is shown is true, and so is the next edit."""
    batch.paste(orders_frame(("sales",), ("abc", "line"), ("other", "room")))
    act(batch, "filter", "error")
    batch.type(3, "groupName", "other")
    assert filters(batch)[0] == "Errors 1"
    assert status(batch.form) == ""
    batch.type(3, "groupName", "another")
    assert filters(batch)[0] == "Errors 0"
    assert batch.form.orders.grid.rows == [2, 3, 4]


def test_a_row_that_is_added_is_seen_under_a_filter(batch: Batch) -> None:
    """The filter is off then."""
    batch.paste(orders_frame(("sales",), ("abc", "line")))
    act(batch, "filter", "error")
    click(batch.form, batch.form.orders.add)
    assert batch.form.orders.grid.rows == [2, 3, 4]
    assert batch.form.orders.panel.severity is None


def test_an_edit_that_changes_nothing_is_no_step(batch: Batch) -> None:
    """Nor is one of orders that were replaced meanwhile; the page is told what is true."""
    batch.paste(many_orders(2))
    step = batch.form.orders
    before = step.worksheet.history.undo_words
    batch.type(3, "groupName", "group-1")
    assert (step.worksheet.history.undo_words, step.edited) == (before, False)
    batch.type(99, "groupName", "gone")
    assert (step.worksheet.history.undo_words, step.edited) == (before, False)
    batch.type(3, "displayNum", "+861000001")  # repaired to what stands there already
    assert data_of(step.grid)["displayNum"].tolist()[1] == step.orders["displayNum"].tolist()[1]


def test_a_paste_that_does_not_fit_changes_nothing(batch: Batch) -> None:
    """It is said in words."""
    batch.paste(many_orders(2))
    batch.paste_cells(2, "appId", "a\tb\tc")
    assert status(batch.form).startswith("Error: The block has 3 columns, and from appId on there is 1")
    assert names(batch) == ["group-0", "group-1"]
    batch.paste_cells(3, "phoneName", '"a\nb"\t"7\t"')
    assert data_of(batch.form.orders.grid).to_numpy()[1, 1:3].tolist() == ["a b", "7"]


def test_a_column_of_the_file_may_be_called_finding(batch: Batch) -> None:
    """It stands beside ours, and can be edited."""
    batch.paste(many_orders(2).assign(finding="theirs"))
    assert [one["name"] for one in columns_of(batch.form.orders.grid)][5:] == ["finding", "finding (of the file)"]
    batch.type(3, "finding (of the file)", "mine")
    assert batch.form.orders.orders["finding"].tolist() == ["theirs", "mine"]


def test_the_orders_are_downloaded_to_be_mended(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spreadsheet for the page that can be uploaded again; nothing is left in any folder."""
    files = downloads_of(batch.form, monkeypatch)
    batch.paste(orders_frame(("abc", "desk"), ("sales", "line")))
    click(batch.form, batch.form.orders.download)
    assert list(files) == ["to-mend.xlsx"]
    assert files["to-mend.xlsx"].startswith(b"PK")
    batch.upload("to-mend.xlsx", files["to-mend.xlsx"])
    assert names(batch) == ["abc", "sales"]
    assert not list(Path().glob("*mend*"))
