"""Workbooks that fight back: far cells, false counts, odd types and references; read, or refused in words, at once."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from itnio_nb import InputError, check_orders, read_orders
from tests.support.factories import COLUMNS, ROOT
from tests.support.spreadsheets import source_of
from tests.torture import structures
from tests.torture.fuzz import one, tried

ORDER = ("sales", "desk", "3", "8610850001", "x1")


def text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def row(number: int, texts: tuple[str, ...] | list[str]) -> str:
    cells = (text_cell(f"{letter}{number}", text) for letter, text in zip("ABCDE", texts, strict=True))
    return f'<row r="{number}">{"".join(cells)}</row>'


def workbook(*rows: str, before: str = "", after: str = "", texts: str = "<si><t>FIRST</t></si>") -> bytes:
    """A workbook of sheets that have this XML in them."""
    sheets = {
        f"xl/worksheets/sheet{at}.xml": f'<worksheet xmlns="{structures.SPACE}">{before}<sheetData>{one}</sheetData>'
        f"{after}</worksheet>"
        for at, one in enumerate(rows, 1)
    }
    data, plain = io.BytesIO(), structures.plain_workbook(len(rows))
    with zipfile.ZipFile(io.BytesIO(plain)) as parts, zipfile.ZipFile(data, "w") as made:
        for name in parts.namelist():
            made.writestr(name, sheets.get(name) or parts.read(name).decode())
        made.writestr("xl/sharedStrings.xml", f'<sst xmlns="{structures.SPACE}" {texts}')
    return data.getvalue()


TEXTS = 'count="1" uniqueCount="1"><si><t>FIRST</t></si></sst>'
GOOD = row(1, COLUMNS) + row(2, ORDER)
# What stands far away, and how many orders there are then.
FAR = {
    "the far corner": ('<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t> </t></is></c></row>', 1),
    "the last row": (f'<row r="1048576">{text_cell("A1048576", " ")}</row>', 1),
    "the last row, with text": (f'<row r="1048576">{text_cell("A1048576", "x")}</row>', 2),
    "a far row": (f'<row r="200000">{text_cell("CZ200000", " ")}</row>', 1),
    "row 20,000 of the last column": (f'<row r="20000">{text_cell("XFD20000", " ")}</row>', 1),
    "a formatted cell": ('<row r="1000000"><c r="ZZ1000000" s="1"/></row>', 1),
    "many formatted rows": ("".join(f'<row r="{at}"><c r="A{at}" s="1"/></row>' for at in range(3, 5000)), 1),
    "wide formatted rows": ("".join(f'<row r="{at}"><c r="XFD{at}" s="1"></c></row>' for at in range(3, 2000)), 1),
    "empty rows": ("".join(f'<row r="{at}" ht="15"/>' for at in range(3, 90000)) + '<row><c r="XFD1048576"/></row>', 1),
    "a row behind the last": ('<row r="1048575"/><row><c t="str"><v> </v></c></row>', 1),
    "small letters": (f'<row r="3">{text_cell("xfd1048576", " ")}</row>', 1),
    "blanks around the sign": ('<row r="3"><c r = "XFD1048576" t="str"><v> </v></c></row>', 1),
    "a line break before it": ("<row r='3'><c r\n='XFD1048576' t='str'><v> </v></c></row>", 1),
    "rows without numbers": ('<row><c r="A1048576" t="inlineStr"><is><t> </t></is></c></row>', 1),
    "a number of a row": (f'<row r="900000">{text_cell("A900000", "sales2")}</row>', 2),
    "upside down": (f'<row r="70000">{text_cell("B70000", " ")}</row><row r="3">{text_cell("A3", " ")}</row>', 1),
    "quotes of one stroke": ("<row r='1048576'><c r='XFD1048576' t='str'><v> </v></c></row>", 1),
    "one wide row": (
        f'<row r="3">{"".join(text_cell(f"{structures.letters(at)}3", " ") for at in range(5, 16384, 50))}</row>', 1),
    "wide rows": (
        "".join(f'<row r="{at}">{text_cell(f"XFD{at}", " ")}</row>' for at in range(3, 200)), 1),
    "beyond the last row": (f'<row r="1048577">{text_cell("A1048577", " ")}</row>', 1),
    "two far cells": (
        f'<row r="500000">{text_cell("A500000", " ")}</row><row r="1048576">{text_cell("B1048576", " ")}</row>', 1),
}  # fmt: skip


@pytest.mark.parametrize("name", FAR)
def test_what_stands_far_from_the_table(name: str) -> None:
    """It is read as any other cell, under its own row number."""
    rows, number = FAR[name]
    orders = read_orders(workbook(GOOD + rows, texts=TEXTS))
    assert orders.iloc[0].tolist()[:5] == list(ORDER)
    assert len(orders) == number
    if name == "a number of a row":
        assert orders.index.tolist() == [2, 900000]


def test_a_sheet_that_is_too_large() -> None:
    """With the cell that is far away, and what to do; a row that no spreadsheet has."""
    wide = "".join(f'<row r="{at}">{text_cell(f"XFD{at}", "x")}</row>' for at in range(3, 400))
    with pytest.raises(InputError, match="399 rows of 16,384 columns: delete what stands far away, as XFD399"):
        read_orders(workbook(GOOD + wide, texts=TEXTS))
    with pytest.raises(InputError, match="has a cell in row 99,999,999,999"):
        read_orders(workbook(GOOD + f'<row r="3">{text_cell("A99999999999", "x")}</row>', texts=TEXTS))


def test_another_sheet_that_is_too_large() -> None:
    """It refuses no workbook; the one with the headers is meant, whatever its size."""
    wide = "".join(f'<row r="{at}">{text_cell(f"XFD{at}", "x")}</row>' for at in range(1, 400))
    beyond = f'<row r="3">{text_cell("A99999999999", "x")}</row>'
    for second in (wide, beyond, text_cell("AAAAAAAA1", "x")):
        assert read_orders(workbook(GOOD, second, texts=TEXTS)).iloc[0].tolist()[:5] == list(ORDER)
        with pytest.raises(InputError, match="sheet S2 has "):
            read_orders(workbook(GOOD, second, texts=TEXTS), sheet="S2")
    with pytest.raises(InputError, match="sheet S2 has "):
        read_orders(workbook(row(1, ("a", "b", "c", "d", "e")), GOOD + wide, texts=TEXTS))


# One cell of an unused column, or what describes the sheet; the order is read all the same.
ODD_CELLS = [
    *[f'<c r="F2" t="e"><v>{one}</v></c>' for one in ("#GETTING_DATA", "#SPILL!", "#CALC!", "#ERROR!", "#FIELD!", "")],
    '<c r="F2" t="b"><v>2</v></c>', '<c r="F2" t="b"><v>true</v></c>', '<c r="F2"><v>abc</v></c>',
    '<c r="F2"><v>1e999x</v></c>', '<c r="F2" t="x"><v>1</v></c>', '<c r="F2" t="S"><v>0</v></c>',
    '<c r="f2" t="str"><v>1</v></c>', '<c r="F" t="str"><v>1</v></c>', '<c r="2F" t="str"><v>1</v></c>',
    '<c t="str"><v>1</v></c>', '<c r="F2" t="s"/>', '<c r="F2" t="s"><v/></c>', '<c r="F2" t="b"><is><t>x</t></is></c>',
    '<c r="F2" t="n"><f>1/0</f></c>',
]  # fmt: skip


@pytest.mark.parametrize("cell", ODD_CELLS)
def test_one_cell_refuses_no_workbook(cell: str) -> None:
    """Whatever it says to be."""
    rows = row(1, COLUMNS) + row(2, ORDER).replace("</row>", f"{cell}</row>")
    assert read_orders(workbook(rows, texts=TEXTS)).iloc[0].tolist()[:5] == list(ORDER)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *[
            (f'<dimension ref="{one}"/>', "")
            for one in ("A", "1", "", "A1:", "A1:E3:G5", "a1:e3", "A0", "XFE1:ZZZ9", "é")
        ],
        *[("<dimension/>", ""), ("<dimension></dimension>", "")],
        *[
            ("", f'<mergeCells><mergeCell ref="{one}"/></mergeCells>')
            for one in ("", "B2", "E2:A1", "A1:XFD1048576", "x")
        ],
    ],
)
def test_odd_ranges_refuse_no_workbook(before: str, after: str) -> None:
    """Neither the extent that a sheet says to have, nor merged cells."""
    orders = read_orders(workbook(GOOD, before=before, after=after, texts=TEXTS))
    assert orders.iloc[0].tolist()[:5] == list(ORDER)


@pytest.mark.parametrize("count", [0, 4_294_967_295, 10**12, 10**29, -1])
def test_false_counts(count: int) -> None:
    """The library makes room for as many texts as are said: more than the part can have are not believed."""
    texts = f'count="{count}" uniqueCount="{count}"><si><t>sales</t></si></sst>'
    rows = row(1, COLUMNS) + row(2, ORDER).replace(text_cell("A2", "sales"), '<c r="A2" t="s"><v>0</v></c>')
    assert read_orders(workbook(rows, texts=texts)).iloc[0].tolist()[:5] == list(ORDER)


def with_parts(data: bytes, renamed: dict[str, str], *more: tuple[str, bytes]) -> bytes:
    """The workbook with parts under other names, and parts more."""
    again = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as parts, zipfile.ZipFile(again, "w") as made:
        for name in parts.namelist():
            made.writestr(renamed.get(name, name), parts.read(name))
        for name, content in more:
            made.writestr(name, content)
    return again.getvalue()


COUNT = 'count="4294967295" uniqueCount="4294967295"'
ONE_TEXT = "<si><t>sales</t></si></sst>"
SHARED = "xl/sharedStrings.xml"


def counted(head: str = f'<sst xmlns="{structures.SPACE}" {COUNT}>', end: str = ONE_TEXT) -> bytes:
    """A workbook whose texts begin so."""
    rows = row(1, COLUMNS) + row(2, ORDER).replace(text_cell("A2", "sales"), '<c r="A2" t="s"><v>0</v></c>')
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(rows, texts=TEXTS))) as parts, zipfile.ZipFile(data, "w") as made:
        for name in parts.namelist():
            made.writestr(name, head + end if name == SHARED else parts.read(name).decode())
    return data.getvalue()


FALSE_COUNTS = {
    "as usual": counted(),
    "strokes": counted(f"<sst xmlns='{structures.SPACE}' {COUNT}>".replace('"', "'")),
    "blanks": counted(f'<sst xmlns="{structures.SPACE}" {COUNT} >'.replace("=", " =\n ")),
    "a prefix": counted(f'<x:sst xmlns:x="{structures.SPACE}" {COUNT}>', "<x:si><x:t>sales</x:t></x:si></x:sst>"),
    "one of the two": counted(f'<sst xmlns="{structures.SPACE}" count="1" uniqueCount="4294967295">'),
    "the other": counted(f'<sst xmlns="{structures.SPACE}" count="4294967295" uniqueCount="1">'),
    "behind a comment": counted(f'<!-- <sst count="1"> --><sst xmlns="{structures.SPACE}" {COUNT}>'),
    "as a plus": counted(f'<sst xmlns="{structures.SPACE}" {COUNT}>'.replace('="4', '="+4')),
    "as entities": counted(f'<sst xmlns="{structures.SPACE}" {COUNT}>'.replace('="4', '="&#52;')),
    "beside a part without a name": with_parts(counted(), {}, ("?.xml", b"")).replace(b"?.xml", b"\0.xml"),
    "another case": with_parts(counted(), {SHARED: "xl/SharedStrings.XML"}),
}
HIDDEN_COUNTS = {
    "far behind a comment": counted(f'<!-- {"-x" * 5000} --><sst xmlns="{structures.SPACE}" {COUNT}>'),
    "twice": with_parts(counted(), {}, (SHARED.upper(), b"<sst/>")),
    "with a wrong checksum": counted().replace(b"</si></sst>", b"</si> </st"),
    "under another name inside": counted().replace(SHARED.encode(), b"xl/sharedStringS.xml", 1),
    "another signature inside": counted()[: counted().index(SHARED.encode()) - 30] + b"PK\x07\x04"
    + counted()[counted().index(SHARED.encode()) - 26 :],
    "inside of another element": counted(f'<x><sst xmlns="{structures.SPACE}" {COUNT}>', f"{ONE_TEXT}</x>"),
}  # fmt: skip


@pytest.mark.parametrize("way", FALSE_COUNTS)
def test_false_counts_however_written(way: str) -> None:
    """They refuse no workbook."""
    assert read_orders(FALSE_COUNTS[way]).iloc[0].tolist()[:5] == list(ORDER)


@pytest.mark.parametrize("way", HIDDEN_COUNTS)
def test_what_cannot_be_looked_at_ends_no_process(way: str) -> None:
    """A part that is damaged, or may be another for the library, is read in a process of its own."""
    try:
        orders = read_orders(HIDDEN_COUNTS[way])
    except InputError as error:
        assert "is not a spreadsheet that can be read" in str(error) or "has no" in str(error)  # noqa: PT017
    else:
        assert orders.iloc[0].tolist()[:5] == list(ORDER)


TEXT_CELLS = {
    '<c r="A2" t="inlineStr"><v>sales</v></c>': "sales", '<c r="A2" t="s"><v/></c>': "", '<c r="A2" t="s"/>': "",
    '<c r="A2" t="s"></c>': "", '<c r="A2" t="s"><v></v></c>': "", '<c r="A2" t="s"><v>0</v></c>': "FIRST",
    '<c r="A2" t="str"><v>sales</v></c>': "sales", '<c r="A2" t="str"><f>A1</f><v>sales</v></c>': "sales",
}  # fmt: skip


@pytest.mark.parametrize("cell", TEXT_CELLS)
def test_cells_of_text(cell: str) -> None:
    """Text in the place of a number is read; an empty cell is empty, and not the first text of the workbook."""
    rows = row(1, COLUMNS) + row(2, ORDER).replace(text_cell("A2", "sales"), cell)
    assert read_orders(workbook(rows, texts=TEXTS))["groupName"].tolist() == [TEXT_CELLS[cell]]


def test_an_old_workbook_is_read_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends it, or takes too long, is refused in words."""
    data = (ROOT / "tests" / "data" / "phones.xls").read_bytes()
    assert source_of(read_orders(data)).kind == "XLS"
    isolated = "itnio_nb.orders.formats.excel.isolated"
    monkeypatch.setattr(f"{isolated}._PROGRAM", "import os, sys; sys.stdin.buffer.read(); os.abort()")
    with pytest.raises(InputError, match="save it again as XLSX"):
        read_orders(data)
    monkeypatch.setattr(f"{isolated}._PROGRAM", "import sys; sys.stdin.buffer.read(); input(); sys.stdin.read()")
    monkeypatch.setattr(f"{isolated}._SECONDS", 0.2)
    with pytest.raises(InputError, match="save it again as XLSX"):
        read_orders(data)


def test_wide_and_ragged_csv() -> None:
    """20,000 columns, and rows of every width: read, or refused with the row."""
    header = ",".join(COLUMNS)
    wide = read_orders(f"{header}{',' * 20_000}\nsales,desk,3,8610850001,x{',y' * 20_000}\n".encode())
    assert wide.shape == (1, 20_005)
    ragged = "\n".join(f"group{at},phone{at},3,8610850001,x{',' * (at % 3000)}" for at in range(3, 12_000))
    assert len(read_orders(f"{header}\n{ragged}\n".encode())) == 11_997
    with pytest.raises(InputError, match="row 12001 has 20,000 cells"):
        read_orders(f"{header}\n{ragged}\n\n\n{',x' * 19_999}\n".encode())


def test_the_fuzzer_finds_a_process_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on behind it; odd structures are read or refused."""
    assert {one(seed) for seed in (3, 7, 11)} <= {"orders", "refused"}
    script = (
        "import os; from tests.torture import fuzz; fuzz.one = lambda seed: os.abort() if seed == 2 else 'orders'; "
    )
    script += "print(sorted(fuzz.tried(0, 6, 2).items()))"
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(ROOT), check=True)
    assert "('orders', 5), ('seed 2: the process died', 1)" in done.stdout
    assert tried(0, 0, 1).total() == 0
    assert len(structures.workbook(random.Random(1))) > 500
    assert check_orders(read_orders(workbook(GOOD, texts=TEXTS))).empty
