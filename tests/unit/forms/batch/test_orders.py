"""Step 1 of a batch: files, paths and pasted rows are read; what is wrong is shown and can be mended in place."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import BatchForm, make_plan
from tests.support.factories import APP, many_orders, orders_frame
from tests.support.forms import Batch, click, data_of, downloads_of, status, text_of, wait_for_poll


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
    return Batch(one_for_all)


def counts(batch: Batch) -> str:
    return text_of(batch.form.orders.counts)


def details(batch: Batch) -> str:
    return text_of(batch.form.orders.details)


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
        assert counts(batch) == f"{number} orders · 0 rows with errors · 0 warnings · 0 repaired"
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


def test_a_sheet_is_chosen(batch: Batch) -> None:
    """Of an upload too: the sheets are offered, a choice reads the same file again; advice names fields of the form."""
    data = io.BytesIO()
    with pd.ExcelWriter(data, engine="xlsxwriter") as book:
        for number, sheet in ((2, "June"), (3, "July")):
            many_orders(number).to_excel(book, sheet_name=sheet, index=False)
        many_orders(4).drop(columns="appId").to_excel(book, sheet_name="August", index=False)
    field = batch.form.orders.sheet
    batch.upload("phones.xlsx", data.getvalue())
    assert len(names(batch)) == 2
    assert field.options == ("June", "July", "August")
    assert 'Otherwise give the name of the other one in the field "Sheet".' in batch.form.orders.findings["advice"][0]
    field.value = "July"
    wait_for_poll(batch.form)
    assert (len(names(batch)), counts(batch)) == (3, "3 orders · 0 rows with errors · 0 warnings · 0 repaired")
    field.value = "August"
    wait_for_poll(batch.form)
    assert len(names(batch)) == 3
    advice = 'one value for all rows can be given in the field "Application for all rows".'
    assert status(batch.form).endswith(advice)
    batch.form.orders.app_id.value = APP
    field.value = "Augustus"
    wait_for_poll(batch.form)
    assert "no sheet 'Augustus'. Its sheets: June, July, August." in status(batch.form)
    field.value = " august "
    wait_for_poll(batch.form)
    assert len(names(batch)) == 4
    batch.form.orders.app_id.value = ""
    field.value = ""
    wait_for_poll(batch.form)
    assert len(names(batch)) == 2
    batch.paste(many_orders(2))
    assert field.options == ()


def test_headers_that_are_not_known_are_matched(batch: Batch) -> None:
    """Those that are missing are offered, the likeliest chosen, with its first cells; then the file is read again."""
    frame = many_orders(3).rename(columns={"phoneName": "Handset prefix", "quantity": "Anzahl"})
    batch.upload("phones.csv", frame.to_csv(index=False).encode())
    form = batch.form.orders
    assert "or match it below" in status(batch.form)
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
    """In the counts, in a list, in the grid's column of findings, and for a selected cell in full."""
    batch.paste(orders_frame(("abc", "desk", "x"), ("sales", "line", "3", "+861000000")))
    assert counts(batch) == "2 orders · 1 row with errors · 0 warnings · 1 repaired"
    assert "class='error'" in batch.form.orders.counts.value
    assert "3 findings as a list" in batch.form.orders.list.value
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
    data_grid = batch.form.orders.grid.data_grid
    batch.type(290, "quantity", "x")
    assert batch.form.orders.grid.data_grid is data_grid
    assert "1 row with errors" in counts(batch)
    batch.paste(orders_frame(("abc", "desk"), ("sales", "line")).assign(Site="Hall"))
    data_grid = batch.form.orders.grid.data_grid
    batch.type(2, "groupName", "support")
    assert batch.form.orders.grid.data_grid is data_grid
    assert names(batch) == ["support", "sales"]
    assert counts(batch) == "2 orders · 0 rows with errors · 0 warnings · 0 repaired"
    assert details(batch) == "Row 2: nothing is wrong."
    assert (findings(batch), batch.form.orders.list.value) == (["", ""], "")
    batch.type(3, "displayNum", "123")
    assert "1 row with errors" in counts(batch)
    assert details(batch).startswith("Row 3, displayNum: error: '123' has 3 digits")
    assert findings(batch)[1].startswith("error: displayNum has 3 digits")
    batch.type(3, "displayNum", "+86 100-0000")  # repaired as a file's cells are
    assert batch.form.orders.orders["displayNum"].tolist()[1] == "861000000"
    assert data_of(batch.form.orders.grid)["displayNum"].tolist()[1] == "861000000"
    assert "1 repaired" in counts(batch)
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
    assert details(batch) == "2 rows deleted."
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


def test_only_rows_with_findings_are_shown(batch: Batch) -> None:
    """An edit there reaches its row; back, all are shown."""
    batch.paste(orders_frame(("sales",), ("abc", "line"), ("other", "room"), ("xyz", "hall")))
    batch.form.orders.only.value = True
    wait_for_poll(batch.form)
    assert batch.form.orders.grid.rows == [3, 5]
    batch.type(5, "groupName", "support")
    assert names(batch) == ["sales", "abc", "other", "support"]
    batch.select(3)
    click(batch.form, batch.form.orders.delete)
    assert names(batch) == ["sales", "other", "support"]
    batch.form.orders.only.value = False
    wait_for_poll(batch.form)
    assert batch.form.orders.grid.rows == [2, 4, 5]


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
