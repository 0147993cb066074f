"""Reading orders: nothing lost, row numbers as the spreadsheet shows them, clear errors."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xlsxwriter

from itnio_nb import InputError, read_orders
from itnio_nb.orders.models import Source
from tests.support.factories import COLUMNS, orders_frame

HEADER = "groupName,phoneName,quantity,displayNum,appId"


def csv(*lines: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def workbook(*rows: tuple[Any, ...], first_row: int = 0, second_sheet: bool = False) -> bytes:
    data = io.BytesIO()
    with xlsxwriter.Workbook(data, {"in_memory": True, "strings_to_formulas": False}) as book:
        if second_sheet:
            book.add_worksheet("Notes").write_string(0, 0, "nothing here")
        sheet = book.add_worksheet("Orders")
        for at, row in enumerate(rows, start=first_row):
            for column, cell in enumerate(row):
                if isinstance(cell, datetime):
                    sheet.write_datetime(at, column, cell, book.add_format({"num_format": "yyyy-mm-dd"}))
                else:
                    sheet.write(at, column, cell)
    return data.getvalue()


def about(orders: pd.DataFrame) -> Source:
    source = orders.attrs["itnio"]
    assert isinstance(source, Source)
    return source


def test_csv_cells_are_text_as_they_stand() -> None:
    """Leading zeros, NA, long numbers: as they were typed."""
    orders = read_orders(csv("NA00,null,030,0861000000,007"))
    assert orders.columns.tolist() == COLUMNS
    assert list(orders.loc[2]) == ["NA00", "null", "030", "0861000000", "007"]
    assert about(orders).repairs == ()


def test_rows_are_numbered_as_the_spreadsheet_shows() -> None:
    """Blank rows count, and are left out; a cell with a line break is one row."""
    blank = ("", ",,,,", ' , ,"","  ",')
    orders = read_orders(csv("aaaa,aaaa,1,1234567,x", *blank, 'bbbb,"b\nb b",1,1234567,x', "cccc,,,,"))
    assert orders.index.to_list() == [2, 6, 7]
    below = read_orders(b"\n ,,\n" + csv("aaaa,aaaa,1,1234567,x"))
    assert (about(below).header_row, below.index.tolist()) == (3, [4])
    assert orders.loc[6, "phoneName"] == "b\nb b"


@pytest.mark.parametrize(
    "header",
    [
        "group_name,phone_name,QUANTITY,display_num,app_id",
        "Group Name,Phone Name,Quantity,Display Num,App ID",
        " GROUPNAME ,phone-name,quantity,DisplayNum,appid",
    ],
)
def test_headers_in_any_spelling(header: str) -> None:
    """Case, blanks, underscores and hyphens make no difference."""
    orders = read_orders(csv("aaaa,bbbb,1,1234567,x", header=header))
    assert orders.columns.tolist() == COLUMNS
    assert about(orders).headers == tuple(header.split(","))


def test_extra_columns_follow_in_their_order() -> None:
    """The API's five first, then the others, unrepaired; the original order is remembered."""
    headers = ("Site", "appId", "groupName", "quantity", "Note", "displayNum", "phoneName", "Note")
    orders = read_orders(csv(" Hall 2,x,aaaa,1, y ,1234567,bbbb,z", header=",".join(headers)))
    assert orders.columns.tolist() == [*COLUMNS, "Site", "Note", "Note (2)"]
    assert list(orders.loc[2, ["Site", "Note", "Note (2)"]]) == [" Hall 2", " y ", "z"]
    assert about(orders).headers == headers
    assert about(orders).columns == (*headers[:-1], "Note (2)")


def test_columns_without_a_header() -> None:
    """One with cells in it is kept under its number; one without is an artefact of the spreadsheet."""
    orders = read_orders(csv("aaaa,bbbb,1,1234567,x,,note", header=HEADER + ",,"))
    assert orders.columns.tolist() == [*COLUMNS, "column 7"]
    assert about(orders).headers == (*COLUMNS, "")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_delimiters_and_byte_order_mark(delimiter: str, mark: str) -> None:
    """The most frequent of the three delimits; what was detected is told."""
    text = mark + HEADER.replace(",", delimiter) + "\r\n" + delimiter.join(["北京客服", "bbbb", "1", "1234567", "x"])
    orders = read_orders(text.encode())
    assert orders.loc[2, "groupName"] == "北京客服"
    assert {",": "comma", ";": "semicolon", "\t": "tab"}[delimiter] in str(about(orders))


def test_an_encoding_can_be_named() -> None:
    """What is detected can be overruled; a wrong name is refused with the row and the way out."""
    data = csv("北京客服,bbbb,1,1234567,x").decode().encode("gb18030")
    with pytest.raises(InputError, match=r"row 2.*encoding='cp1252'.*'gb18030'"):
        read_orders(data, encoding="utf-8")
    assert read_orders(data, encoding="gb18030").loc[2, "groupName"] == "北京客服"
    for encoding in ("klingon", "undefined"):
        with pytest.raises(InputError, match=f"no encoding '{encoding}'"):
            read_orders(data, encoding=encoding)
    with pytest.raises(InputError, match="one character"):
        read_orders(data, delimiter="||")


def test_excel_cells() -> None:
    """Numbers keep all their digits; what was a number where text belongs is told."""
    as_number, as_text = ("sales", 2024, 30, 861000000, "x"), ("support", "desk", "30", "0861000000", "x")
    orders = read_orders(workbook(tuple(COLUMNS), as_number, as_text))
    assert list(orders.loc[2]) == ["sales", "2024", "30", "861000000", "x"]
    assert orders.loc[3, "displayNum"] == "0861000000"
    assert [(repair.row, repair.column, repair.after) for repair in about(orders).repairs] == [
        (2, "phoneName", "2024"),
        (2, "displayNum", "861000000"),
    ]


def test_excel_rows_and_sheets() -> None:
    """Rows above the header count; the first sheet is read unless another is named."""
    data = workbook(tuple(COLUMNS), ("aaaa", "bbbb", 1, "1234567", "x"), first_row=3)
    assert read_orders(data).index.to_list() == [5]
    two = workbook(tuple(COLUMNS), ("aaaa", "bbbb", 1, "1234567", "x"), second_sheet=True)
    for sheet in ("Orders", 1):
        assert len(read_orders(two, sheet=sheet)) == 1
    with pytest.raises(InputError, match=r"no sheet 'Orderz'\. Its sheets: Notes, Orders"):
        read_orders(two, sheet="Orderz")
    with pytest.raises(InputError, match="no sheet 2"):
        read_orders(two, sheet=2)
    with pytest.raises(InputError, match="no column for groupName, phoneName"):
        read_orders(two)


def test_excel_formulas_dates_and_booleans_are_text() -> None:
    """Whatever a cell holds, it arrives as text, and the checks have the say."""
    orders = read_orders(workbook(tuple(COLUMNS), (True, datetime(2025, 3, 5), 1.5, 8.61e12, "=1+1")))
    assert list(orders.loc[2]) == ["TRUE", "2025-03-05", "1.5", "8610000000000", "=1+1"]
    assert [repair.how.split(":")[0] for repair in about(orders).repairs] == ["is a number where text belongs"]


def test_repairs_are_lossless_and_listed() -> None:
    """Outer blanks and the + before a number: before, after, how."""
    orders = read_orders(csv(" aaaa\u3000,bb bb, 30 ,+8613800001, x"))
    assert list(orders.loc[2]) == ["aaaa", "bb bb", "30", "8613800001", "x"]
    repairs = {repair.column: repair for repair in about(orders).repairs}
    assert set(repairs) == {"groupName", "quantity", "displayNum", "appId"}
    assert (repairs["groupName"].before, repairs["groupName"].after) == (" aaaa\u3000", "aaaa")
    assert repairs["displayNum"].how == "had a + before it"
    assert "4 cells repaired" in str(about(orders))


def test_a_plus_before_anything_else_stays() -> None:
    """Only what is certain is mended."""
    assert read_orders(csv("aaaa,bbbb,1,+86 x138,x")).loc[2, "displayNum"] == "+86 x138"


def test_frames_of_any_kind() -> None:
    """Numbers, holes and None become text; a default index is numbered like a spreadsheet."""
    frame = pd.DataFrame(
        {
            "groupName": ["aaaa", None],
            "phoneName": ["bbbb", np.nan],
            "quantity": [30, 51],
            "displayNum": [861000000.0, np.nan],
            "appId": pd.array(["x", pd.NA], dtype="string"),
        }
    )
    orders = read_orders(frame)
    assert orders.index.to_list() == [2, 3]
    assert list(orders.loc[2]) == ["aaaa", "bbbb", "30", "861000000", "x"]
    assert list(orders.loc[3]) == ["", "", "51", "", ""]


def test_frames_keep_their_own_row_numbers() -> None:
    """A selection of orders still speaks of the spreadsheet's rows; duplicate or odd indexes are numbered anew."""
    orders = read_orders(csv("aaaa,a1aa,1,1234567,x", "bbbb,b1bb,1,1234567,x", "cccc,c1cc,1,1234567,x"))
    assert read_orders(orders[orders["groupName"] != "bbbb"]).index.to_list() == [2, 4]
    assert read_orders(pd.concat([orders, orders])).index.to_list() == [2, 3, 4, 5, 6, 7]
    assert read_orders(orders.set_axis(["i", "j", "k"])).index.to_list() == [2, 3, 4]


def test_reading_orders_again_changes_nothing() -> None:
    """Cells, headers and repairs stay; a cell that was mended by hand is read as it is now."""
    header = "Group Name,phoneName,quantity,displayNum,appId,Site"
    orders = read_orders(csv(" aaaa,bbbb,1,+1234567,x,note", header=header))
    again = read_orders(orders)
    pd.testing.assert_frame_equal(orders, again)
    assert about(again).headers == about(orders).headers
    assert about(again).repairs == about(orders).repairs
    orders.loc[2, "quantity"] = "7"
    assert read_orders(orders).loc[2, "quantity"] == "7"


def test_orders_that_were_changed_keep_where_they_came_from() -> None:
    """A column added, one dropped: repairs, name and the other original headers stay."""
    header = "Group Name,phoneName,quantity,displayNum,appId,Site"
    orders = read_orders(csv(" aaaa,bbbb,1,+1234567,x,note", header=header))
    changed = read_orders(orders.drop(columns="Site").assign(owner="me"))
    assert changed.columns.tolist() == [*COLUMNS, "owner"]
    assert about(changed).headers == ("Group Name", *COLUMNS[1:], "owner")
    assert about(changed).repairs == about(orders).repairs
    assert about(changed).name == "upload"
    with pytest.raises(InputError, match="more than one column for appId"):
        read_orders(pd.concat([orders, orders[["appId"]]], axis=1))


def test_frames_of_any_type_of_cell() -> None:
    """Categories, nullable integers, bytes, huge numbers: text, and holes are empty."""
    frame = pd.DataFrame(
        {
            "groupName": pd.Categorical(["aaaa", None]),
            "phoneName": [b"bbbb", "cccc"],
            "quantity": pd.array([30, None], dtype="Int64"),
            "displayNum": [8610000000000, 8.0e15],
            "appId": ["x", pd.NaT],
        }
    )
    orders = read_orders(frame)
    assert list(orders.loc[2]) == ["aaaa", "bbbb", "30", "8610000000000", "x"]
    assert list(orders.loc[3]) == ["", "cccc", "", "8000000000000000", ""]


def test_headers_without_orders_are_no_orders() -> None:
    """A file with a header only is an empty table, which plans to nothing."""
    orders = read_orders(csv())
    assert orders.empty
    assert orders.columns.tolist() == COLUMNS
    assert read_orders(orders_frame()).empty


def test_a_path_an_open_file_and_an_upload(tmp_path: Path) -> None:
    """Each is named as the operator knows it, without its folder."""
    path = tmp_path / "phones.csv"
    path.write_bytes(csv("aaaa,bbbb,1,1234567,x"))
    assert about(read_orders(path)).name == about(read_orders(str(path))).name == "phones.csv"
    with path.open("rb") as file:
        assert about(read_orders(file)).name == "phones.csv"
    assert about(read_orders(path.read_bytes())).name == "upload"
    with path.open() as text, pytest.raises(InputError, match="open it in binary"):
        read_orders(text)  # type: ignore[arg-type] # what a user may do


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\n \n,,\n", "is empty"),
        (b"PK\x03\x04 but no workbook", "save it again as XLSX"),
        (b"\xd0\xcf\x11\xe0 but no workbook", "save it again as XLSX"),
        (b"\x00\x01\x02binary", "neither a spreadsheet nor CSV"),
        (b"just one line of words\n", "no column for groupName, phoneName, quantity, displayNum, appId"),
        (csv("aaaa,bbbb,1,1234567,x,y"), "row 2 has 6 cells, the header has 5"),
        (csv("aaaa,bbbb,1,1234567,x", 'aaaa,"bbbb,1'), "row 3 cannot be read"),
        (csv("a,b,c,d,e,f", header=HEADER + ",Group Name"), "more than one column for groupName"),
        (workbook(), "is empty"),
    ],
    ids=range(10),  # a workbook's bytes hold the time
)
def test_what_cannot_be_read_says_what_to_do(data: bytes, words: str) -> None:
    """Where, what, and what to do next; never a traceback of a library."""
    with pytest.raises(InputError) as refused:
        read_orders(data)
    assert words in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The folder it was looked for in is named; a folder is no file."""
    with pytest.raises(InputError, match=r"no file phonez\.xlsx.*" + tmp_path.name):
        read_orders("phonez.xlsx")
    with pytest.raises(InputError, match="cannot be read"):
        read_orders(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_orders("nul\0byte")
