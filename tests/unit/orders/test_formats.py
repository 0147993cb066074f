"""Files of every format, encoding and width; an error for what cannot be read."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from itnio_nb import InputError, check_orders, read_orders
from tests.support.factories import COLUMNS, DATA
from tests.support.spreadsheets import HEADER, csv, row, source_of, workbook


def test_csv_cells_are_text_as_they_stand() -> None:
    """Leading zeros, NA, long numbers: as they were typed."""
    orders = read_orders(csv("NA00,null,030,0861000000,007"))
    assert orders.columns.tolist() == COLUMNS
    assert row(orders, 2) == ["NA00", "null", "030", "0861000000", "007"]
    assert source_of(orders).repairs == ()


def test_rows_are_numbered_as_the_spreadsheet_shows() -> None:
    """Blank rows count, and are left out; a cell with a line break is one row."""
    blank = ("", ",,,,", ' , ,"","  ",')
    orders = read_orders(csv("aaaa,aaaa,1,1234567,x", *blank, 'bbbb,"b\nb b",1,1234567,x', "cccc,,,,"))
    assert orders.index.to_list() == [2, 6, 7]
    below = read_orders(b"\n ,,\n" + csv("aaaa,aaaa,1,1234567,x"))
    assert (source_of(below).header_row, below.index.tolist()) == (3, [4])
    assert orders.loc[6, "phoneName"] == "b\nb b"


def test_rows_of_different_widths() -> None:
    """Short rows are filled up, blank ones counted, old line ends read; rows that are too wide are told, each."""
    lines = [HEADER, "sales,desk,3,8610850001,x,,", "", "north,line", "south,phone,3,8610850001,x"]
    for end in ("\n", "\r\n", "\r"):
        orders = read_orders(end.join(lines).encode())
        assert orders.index.tolist() == [2, 4, 5]
        assert row(orders, 4) == ["north", "line", "", "", ""]
    slipped = read_orders("\n".join([*lines, "a,b,c,d,e,f,g", ""]).replace("south", "so,uth").encode())
    errors = check_orders(slipped).query("problem.str.contains('the header has')")
    assert errors[["row", "value", "problem"]].to_numpy().tolist() == [
        [5, "so", "has 6 cells, the header has 5"],
        [6, "a", "has 7 cells, the header has 5"],
    ]
    assert set(errors["severity"]) == {"error"}
    with pytest.raises(InputError, match=r"row 2 has 6 cells, the header has 5 \(and so all 2 rows\)"):
        read_orders(csv("a,b,c,d,e,f", "a,b,c,d,e,f"))


@pytest.mark.parametrize(
    ("encoding", "text", "details"),
    [
        ("utf-8", "北京客服", "utf-8"),
        ("utf-8-sig", "北京客服", "utf-8"),
        ("utf-16", "北京客服", "utf-16, detected"),
        ("utf-16-le", "sales", "utf-16-le, detected"),
        ("utf-16-be", "sales", "utf-16-be, detected"),
        ("utf-32", "北京客服", "utf-32, detected"),
        ("gb18030", "北京客服一部", "gb18030, detected"),
        ("gb18030", "上海销售（华东）", "gb18030, detected"),
        ("cp1252", "Büro Zürich", "cp1252, detected"),
        ("cp1252", "café “Nord” – 5", "cp1252, detected"),
    ],
)
def test_encodings_and_delimiters_are_detected(encoding: str, text: str, details: str) -> None:
    """And shown, so that they can be overruled."""
    for delimiter, name in ((",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "bar")):
        line = delimiter.join([text, "desk", "3", "8610850001", "x"])
        orders = read_orders(f"{HEADER.replace(',', delimiter)}\r\n{line}\r\n".encode(encoding))
        assert row(orders, 2) == [text, "desk", "3", "8610850001", "x"]
        assert f"({details}, {name})" in str(source_of(orders))


def test_an_encoding_can_be_named() -> None:
    """What is detected can be overruled; a wrong name is refused with the row and the way out."""
    data = csv("北京客服,bbbb,1,1234567,x").decode().encode("gb18030")
    with pytest.raises(InputError, match=r"row 2.*save it as XLSX, or as CSV UTF-8"):
        read_orders(data, encoding="utf-8")
    assert read_orders(data, encoding="gb18030").loc[2, "groupName"] == "北京客服"
    for encoding in ("klingon", "undefined"):
        with pytest.raises(InputError, match=f"no encoding '{encoding}'"):
            read_orders(data, encoding=encoding)
    with pytest.raises(InputError, match="one character"):
        read_orders(data, delimiter="||")


def test_a_mark_that_is_there_twice() -> None:
    """Written by two programs one after the other; what follows need not be UTF-8 all the same."""
    line = f"{HEADER}\nsales,desk,3,8610850001,x\n"
    assert row(read_orders(b"\xef\xbb\xbf" * 2 + line.encode()), 2)[0] == "sales"
    assert row(read_orders(b"\xef\xbb\xbf" * 2 + line.replace("sales", "büro 5").encode("cp1252")), 2)[0] == "büro 5"


def test_excel_rows_and_sheets() -> None:
    """Rows above the header count; the sheet that has the headers is read unless another is named."""
    data = workbook(tuple(COLUMNS), ("aaaa", "bbbb", 1, "1234567", "x"), first_row=3)
    assert read_orders(data).index.to_list() == [5]
    two = workbook(tuple(COLUMNS), ("aaaa", "bbbb", 1, "1234567", "x"), second_sheet=True)
    for sheet in ("Orders", 1):
        assert len(read_orders(two, sheet=sheet)) == 1
    with pytest.raises(InputError, match=r"no sheet 'Orderz'\. Its sheets: Notes, Orders"):
        read_orders(two, sheet="Orderz")
    with pytest.raises(InputError, match="no sheet 2"):
        read_orders(two, sheet=2)
    assert str(read_orders(two).attrs["itnio"]).startswith(
        "upload: XLSX (sheet Orders)"
    )  # the one that has the headers


def test_excel_formulas_dates_and_booleans_are_text() -> None:
    """Whatever a cell holds, it arrives as text, for the checks to find."""
    orders = read_orders(workbook(tuple(COLUMNS), (True, datetime(2025, 3, 5), 1.5, 8.61e12, "=1+1")))
    assert list(orders.loc[2]) == ["TRUE", "2025-03-05", "1.5", "8610000000000", "=1+1"]
    assert check_orders(orders).query("severity == 'warning' and column == 'displayNum'")["problem"].tolist() == [
        "is a number where text belongs: a 0 at its beginning would be lost"
    ]


def test_an_old_workbook() -> None:
    """XLS, as it came before 2007: numbers keep their digits, text its zeros."""
    orders = read_orders(DATA / "phones.xls")
    assert row(orders, 2) == ["北京客服", "bjkf", "30", "8610850001", "4luaKsL2"]
    assert row(orders, 3) == ["sales", "desk", "12", "0755820001", "4luaKsL2"]
    assert str(orders.attrs["itnio"]).startswith(
        "phones.xls: XLS (sheet Phones, hidden rows cannot be told), headers in row 1, 2"
    )


def test_a_path_an_open_file_and_an_upload(tmp_path: Path) -> None:
    """Each is named as the operator knows it, without its folder."""
    path = tmp_path / "phones.csv"
    path.write_bytes(csv("aaaa,bbbb,1,1234567,x"))
    assert source_of(read_orders(path)).name == source_of(read_orders(str(path))).name == "phones.csv"
    with path.open("rb") as file:
        assert source_of(read_orders(file)).name == "phones.csv"
    assert source_of(read_orders(path.read_bytes())).name == "upload"
    with path.open() as text, pytest.raises(InputError, match="open it in binary"):
        read_orders(text)  # type: ignore[arg-type] # what a user may do


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that was searched is named; a folder is no file; what is too large is refused before it is read."""
    with pytest.raises(InputError, match=r"no file phonez\.xlsx.*" + tmp_path.name):
        read_orders("phonez.xlsx")
    for path in (tmp_path, "nul\0byte"):
        with pytest.raises(InputError, match="cannot be read"):
            read_orders(path)
    monkeypatch.setattr("itnio_nb.orders.formats.source._MAX_BYTES", 10)
    with pytest.raises(InputError, match="split it into several files"):
        read_orders(b"x" * 11)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\n \n,,\n", "is empty"),
        (b"PK\x03\x04 but no workbook", "save it again as XLSX"),
        (b"\xd0\xcf\x11\xe0 but no workbook", "save it again as XLSX"),
        (b"\x00\x01\x02binary", "neither a spreadsheet nor CSV"),
        (b"just one line of words\n", "no column for groupName, phoneName, quantity, displayNum, appId"),
        (csv("aaaa,bbbb,1,1234567,x", 'aaaa,"bbbb,1'), "row 3 cannot be read"),
        (workbook(), "is empty"),
    ],
    ids=range(7),  # a workbook's bytes hold the time
)
def test_what_cannot_be_read_is_an_error_with_advice(data: bytes, message: str) -> None:
    """Where, what, and what to do next; never a traceback of a library."""
    with pytest.raises(InputError) as refused:
        read_orders(data)
    assert message in str(refused.value)
