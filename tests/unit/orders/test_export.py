"""Findings for the colleague who made the file: the own cells, coloured and commented, and readable again."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import openpyxl
import pandas as pd
import pytest

from itnio_nb import InputError, check_orders, read_orders, write_findings
from itnio_nb.api.text import html_block
from itnio_nb.orders.export.files import WrittenFiles, next_free_path, write_atomically
from itnio_nb.orders.export.tables import table_as_html
from tests.support.factories import COLUMNS, orders_frame
from tests.support.spreadsheets import HEADER, csv, workbook

MESS = (
    b"Phones for the new year;;;;;\n\nSite;Group Name;phoneName;quantity;displayNum;appId\n"
    b"Hall 2; sales;desk;30;+86 10 8500;x\n=1+1;abc;line;many;8.61E+09;x\n;fine1;fine1;1;8610000;x\n"
)


def written(data: bytes, path: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    orders = read_orders(data)
    findings = check_orders(orders)
    assert write_findings(orders, findings, path) == path
    with zipfile.ZipFile(path) as parts:
        return orders, findings, {name: parts.read(name).decode() for name in parts.namelist()}


def test_every_cell_stands_where_it_stood(tmp_path: Path) -> None:
    """Same rows, headers and columns; repaired cells as they were; read again it gives the very same."""
    orders, findings, _ = written(MESS, tmp_path / "fix.xlsx")
    again = read_orders(tmp_path / "fix.xlsx")
    assert again.index.tolist() == orders.index.tolist() == [4, 5, 6]
    assert again.attrs["itnio"].headers == orders.attrs["itnio"].headers
    pd.testing.assert_frame_equal(again, orders)
    pd.testing.assert_frame_equal(check_orders(again), findings)


def test_each_finding_is_a_colour_and_a_comment(tmp_path: Path) -> None:
    """What it is, how bad, what to do; nothing is a formula or a link."""
    _, findings, parts = written(MESS, tmp_path / "fix.xlsx")
    comments = parts["xl/comments1.xml"]
    places = re.findall(r'<comment ref="([A-Z]+\d+)"', comments)
    assert places == ["B4", "E4", "B5", "D5", "E5"]
    assert "error: keeps 3 of its 10 digits." in comments
    assert "repaired: had blanks around it. Nothing to do: read as sales." in comments
    assert set(findings["severity"]) == {"error", "repaired"}
    sheet = parts["xl/worksheets/sheet1.xml"]
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    for colour in ("F8B4B4", "C6E0B4"):
        assert colour in parts["xl/styles.xml"]


def test_only_such_a_file_is_replaced(tmp_path: Path) -> None:
    """Not the original, nor anything else; the same again is."""
    orders = read_orders(MESS)
    for name in ("orders.csv", "notes.xlsx"):
        (tmp_path / name).write_bytes(b"mine")
        with pytest.raises(InputError, match="exists and holds something else"):
            write_findings(orders, check_orders(orders), tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"mine"
    for _ in range(2):
        write_findings(orders, check_orders(orders), tmp_path / "fix.xlsx")
    assert write_findings(orders, check_orders(orders), tmp_path / "new" / "fix.xlsx").exists()
    with pytest.raises(InputError, match="choose another path"):
        write_findings(orders, check_orders(orders), tmp_path / "fix.xlsx" / "no-folder.xlsx")
    with pytest.raises(InputError, match=r"those of check_orders"):
        write_findings(orders, orders, tmp_path / "fix.xlsx")


def test_odd_cells_are_written(tmp_path: Path) -> None:
    """Control characters, half a surrogate pair, very long texts, names that look like formulas; no orders at all."""
    frame = orders_frame(("=1+1", "a\x00b\ud800", "x" * 40000, "'861000000"), ("https://a.b", "desk"))
    for rows in (frame, frame[:0]):
        orders = read_orders(rows)
        write_findings(orders, check_orders(orders), tmp_path / "fix.xlsx")
        assert len(read_orders(tmp_path / "fix.xlsx")) == len(rows)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New, and again; nothing else stays in the folder. A full disk or Ctrl-C in the middle leaves the old one."""
    for contents in (b"first", b"second"):
        write_atomically(tmp_path / "file", contents)
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [contents]
    for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):
        monkeypatch.setattr(Path, "replace", Mock(side_effect=error))
        with pytest.raises(type(error)):
            write_atomically(tmp_path / "file", b"third")
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"second"]


def test_the_next_free_name(tmp_path: Path) -> None:
    """The name itself, then with a number."""
    names = [tmp_path / name for name in ("phones.xlsx", "phones-2.xlsx", "phones-3.xlsx")]
    for name in names:
        assert next_free_path(names[0]) == name
        name.touch()


def cells(html: str) -> list[tuple[str, str]]:
    """Side and text of each cell, headers first."""
    return re.findall(r'<t[hd][^>]* style="text-align:(\w+)">(.*?)</t[hd]>', html)


def test_text_stands_left_and_numbers_right() -> None:
    """Sentences whole, everything escaped; the numbers of an unnamed index are left out."""
    sentence = "<b>a sentence</b> " * 20
    html = table_as_html(pd.DataFrame({"advice": [sentence], "found": [3], "good": [True]}, index=[7]))
    escaped = sentence.replace("<", "&lt;").replace(">", "&gt;")
    headers = [("left", "advice"), ("right", "found"), ("left", "good")]
    assert cells(html) == [*headers, ("left", escaped), ("right", "3"), ("left", "yes")]


def test_a_named_index_is_its_first_columns() -> None:
    """Rows of orders, what a table was grouped by, and labels without a name."""
    orders = read_orders(MESS)
    html = table_as_html(orders.head(1))
    assert f"<p>{orders.attrs['itnio']}</p>" in html
    assert cells(html)[0] == ("right", "row")
    assert ("right", "quantity") in cells(html)
    grouped = pd.DataFrame({"app": ["b", "a"], "n": [1, 2]}).groupby("app").agg(n=("n", "sum"))
    assert [text for _, text in cells(table_as_html(grouped))] == ["app", "n", "a", "2", "b", "1"]
    assert [text for _, text in cells(table_as_html(pd.Series({"x": 1}).to_frame("n")))] == ["", "n", "x", "1"]
    twice = pd.DataFrame({"row": [1]}, index=pd.Index([5], name="row"))
    assert [text for _, text in cells(table_as_html(twice))] == ["row", "row", "5", "1"]
    deep = pd.concat({"a": orders, "b": orders}, axis=1)
    assert "<table" in table_as_html(deep)


def test_a_long_table_shows_its_ends() -> None:
    """And how many rows are between them; no rows are said, in place of a row of headers."""
    for rows, shown in ((60, 60), (61, 21), (100_000, 21)):
        html = table_as_html(pd.DataFrame({"n": range(rows)}))
        assert html.count("<tr>") == 1 + shown
        assert (f"{rows - 20:,} more rows" in html) == (rows > 60)
    assert table_as_html(pd.DataFrame(columns=["advice"])) == html_block("<p>No rows.</p>")
    assert "<p>No orders.</p>" in table_as_html(read_orders(MESS).head(0))


def test_written_files_show_how_many_rows_each_has() -> None:
    """A dict of paths by kind; the sum is said, and a hostile kind is text."""
    paths = {"created": Path("results/a.csv"), "<b>": Path("results/b.csv")}
    files = WrittenFiles(paths, {"created": 1200, "<b>": 1}, "order")
    assert files == paths
    assert repr(files) == "2 files in results/ with 1,201 orders: created 1,200, <b> 1."
    assert "<b>" not in files._repr_html_()
    assert ("right", "1200") in cells(files._repr_html_())
    nothing = WrittenFiles({}, {}, "order")
    assert repr(nothing) == "No files were written."
    assert nothing._repr_html_() == html_block("<p>No files were written.</p>")


def sheet_of(**cells: Any) -> bytes:
    """A workbook of five good orders, one of whose columns has these cells."""
    good = [[f"group{at}", f"phone{at}", 3, f"86108500{at:02}", "4luaKsL2", "a note"] for at in range(5)]
    for name, values in cells.items():
        for order, value in zip(good, values, strict=True):
            order[COLUMNS.index(name)] = value
    return workbook((*COLUMNS, "remark"), *map(tuple, good))


TRUE = "8610850001"
NUMBERS = [8610850001, 8610850002, 8610850003, 8610850004, 8610850005]
# Files with something to be found, and the cell that the colleague mends: row, column, value.
TO_MEND: dict[str, tuple[bytes, tuple[int, str, str]]] = {
    "short name": (sheet_of(groupName=["abc", "south", "de", "west", "east"]), (2, "groupName", "abcd")),
    "long name": (sheet_of(phoneName=["x" * 33, "y" * 40, "desk", "line", "fone"]), (2, "phoneName", "x" * 32)),
    "duplicates": (sheet_of(groupName=["same", "same", "same", "west", "east"]), (3, "groupName", "other")),
    "dates": (sheet_of(groupName=["Mar-05", "5-Mar", "2025-03-05", "west", "east"]), (2, "groupName", "mar5")),
    "exponents": (sheet_of(groupName=["1E+05", "1.20E+04", "north", "west", "east"]), (3, "groupName", "12e03")),
    "truth": (sheet_of(groupName=[True, "WAHR", "north", "west", "east"]), (2, "groupName", "True North")),
    "errors": (sheet_of(groupName=["#REF!", "#WERT!", "north", "west", "east"]), (2, "groupName", "south")),
    "fractions": (sheet_of(groupName=[12.1, "12.10", "north", "west", "east"]), (2, "groupName", "12.10 b")),
    "point zero": (sheet_of(groupName=["1001.0", "1002.0", "north", "west", "east"]), (2, "groupName", "1001")),
    "quotes": (sheet_of(groupName=['"sales"', "'sales2'", "north", "west", "east"]), (2, "groupName", "sales")),
    "no value": (sheet_of(groupName=["NULL", "none", "north", "west", "east"]), (3, "groupName", "south")),
    "comments": (sheet_of(groupName=["#no", "# was", "//old", "west", "east"]), (2, "groupName", "no. 5")),
    "lost letters": (sheet_of(groupName=["????", "B\ufffdro", "north", "west", "east"]), (3, "groupName", "Büro")),
    "misread letters": (sheet_of(groupName=["BÃ¼ro", "ZÃ¼rich", "north", "west", "east"]), (2, "groupName", "Büro")),
    "blanks": (sheet_of(groupName=[" sales", "north\u00a0", "south", "west", "east"]), (2, "groupName", "sales")),
    "unseen": (sheet_of(groupName=["sa\u200dles", "no\u200brth", "south", "west", "east"]), (2, "groupName", "sales")),
    "alike": (sheet_of(groupName=["Sales", "sales", "sаles", "west", "east"]), (3, "groupName", "south")),
    "names as numbers": (sheet_of(groupName=NUMBERS), (2, "groupName", "0861085001")),
    "numbers": (sheet_of(displayNum=NUMBERS), (2, "displayNum", "0755820001")),
    "some numbers": (sheet_of(displayNum=["8610850001", *NUMBERS[1:4], "8610850005"]), (3, "displayNum", "0755820001")),
    "app ids as numbers": (sheet_of(appId=NUMBERS), (4, "appId", "4luaKsL2")),
    "(0)": (sheet_of(displayNum=["+44 (0)20 7946095", *map(str, NUMBERS[1:])]), (2, "displayNum", "44207946095")),
    "00": (sheet_of(displayNum=["004420794609", *map(str, NUMBERS[1:])]), (2, "displayNum", "4420794609")),
    "extension": (sheet_of(displayNum=["0755-8200001/2", *map(str, NUMBERS[1:])]), (2, "displayNum", "07558200001")),
    "lost digits": (sheet_of(displayNum=["8.61E+09", *map(str, NUMBERS[1:])]), (2, "displayNum", "8610850001")),
    "separators": (sheet_of(displayNum=["+86 10 850001", *map(str, NUMBERS[1:])]), (2, "displayNum", TRUE)),
    "quantities": (sheet_of(quantity=["many", 0, -3, 1.5, "30 "]), (2, "quantity", "30")),
    "empty cells": (
        sheet_of(quantity=["", 3, 3, 3, ""], phoneName=["", "desk", "line", "fone", "port"]), (6, "quantity", "3")),
    "semicolons": (MESS, (5, "groupName", "north")),
    "a guess": (
        csv("Büro,desk,3,8610850001,x", "Süd 5,line,no,8610850002,x").decode().encode("cp1252"), (3, "quantity", "3")),
    "slipped cells": (csv("so,uth1,phone,3,8610850001,x", "sales,desk,3,8610850001,x"), (2, "groupName", "south")),
    "a quote": (
        csv('sales,desk,3,8610850001,x,"a', "north,line,3,8610850002,x,b", 'south,port,3,8610850003,x,"c',
            "west,fone,3,8610850004,x,d", header=f"{HEADER},remark"), (2, "quantity", "4")),
}  # fmt: skip


@pytest.mark.parametrize("name", TO_MEND)
def test_a_file_goes_to_be_mended_and_comes_back(name: str, tmp_path: Path) -> None:
    """Not mended, it gives the same orders and findings; mended by hand, all but those of the cell that was mended."""
    data, (row, column, value) = TO_MEND[name]
    orders = read_orders(data)
    findings = check_orders(orders)
    path = write_findings(orders, findings, tmp_path / "mend.xlsx")
    again = read_orders(path)
    pd.testing.assert_frame_equal(again, orders)
    pd.testing.assert_frame_equal(check_orders(again), findings)
    book = openpyxl.load_workbook(path)
    place = 1 + list(orders.attrs["itnio"].columns).index(column)
    book.active.cell(row, place).value = value
    book.active.cell(row, place).number_format = "@"
    book.save(path)
    mended = read_orders(path)
    expected = orders.copy()
    expected.loc[row, column] = value
    pd.testing.assert_frame_equal(mended, expected)
    left = check_orders(mended)
    assert left[(left["row"] == row) & (left["column"] == column)].empty
    others = findings[(findings["row"] != row) | (findings["column"] != column)]
    told = {tuple(one) for one in others[["row", "column"]].to_numpy().tolist()}
    assert told <= {tuple(one) for one in left[["row", "column"]].to_numpy().tolist()}


@pytest.mark.parametrize(
    "index", [[0, 2, 5], [1, 2, 5], [2_000_001, 2_000_002, 2_000_003], [7, 7, 8], ["a", "b", "c"], [-1, 3, 4]]
)
@pytest.mark.parametrize("is_read", [True, False])
def test_every_order_of_a_frame_is_written(index: list[Any], is_read: bool, tmp_path: Path) -> None:
    """Whatever its index: below the headers, and each finding at its order."""
    frame = orders_frame(("sales", "desk"), ("abc", "line"), ("south", "port", "many")).set_axis(index)
    orders = read_orders(frame) if is_read else frame
    path = write_findings(orders, check_orders(orders), tmp_path / "mend.xlsx")
    again = read_orders(path)
    assert again.index.tolist() == [2, 3, 4]
    assert again["groupName"].tolist() == ["sales", "abc", "south"]
    comments = openpyxl.load_workbook(path).active
    assert [cell.coordinate for cells in comments for cell in cells if cell.comment] == ["A3", "C4"]


def test_what_a_spreadsheet_cannot_hold(tmp_path: Path) -> None:
    """A cell that is cut says so; rows below the last are refused, with what to do."""
    frame = orders_frame(("sales", "desk"), ("south", "line")).assign(remark=["x" * 40_000, "short"])
    orders = read_orders(frame)
    path = write_findings(orders, check_orders(orders), tmp_path / "mend.xlsx")
    cell = openpyxl.load_workbook(path).active["F2"]
    assert len(cell.value) == 32_767
    assert "the others are not in this file" in cell.comment.text
    far = read_orders(b"\n" * 1_048_576 + ",".join(COLUMNS).encode() + b"\nsales,desk,3,8610850001,x\n")
    with pytest.raises(InputError, match="1,048,576 rows and 16,384 columns"):
        write_findings(far, check_orders(far), tmp_path / "far.xlsx")
