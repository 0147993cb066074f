"""Spreadsheets as they really come: what is read, what is found, and the words that are shown."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import pandas as pd
import pytest
import xlsxwriter

from itnio_nb import InputError, check_orders, read_orders
from tests.support.factories import DATA

HEADER = "groupName,phoneName,quantity,displayNum,appId"
GOOD = {"groupName": "sales", "phoneName": "desk", "quantity": "30", "displayNum": "8610850001", "appId": "4luaKsL2"}
READ = "Nothing to do: read as "

# Column, cell as it comes, cell as it is read, severity, problem. An empty severity: nothing is found.
CELLS: tuple[tuple[str, str, str, str, str], ...] = (
    # Blanks and invisible characters
    ("groupName", " sales ", "sales", "repaired", "had blanks around it"),
    ("groupName", "sales\u3000", "sales", "repaired", "had blanks around it"),
    ("groupName", "\u00a0sales", "sales", "repaired", "had blanks around it"),
    ("groupName", "\u200bsales", "sales", "repaired", "had blanks around it"),
    ("groupName", "\ufeffsales", "sales", "repaired", "had blanks around it"),
    ("groupName", "sa\u200bles", "sales", "repaired", "had invisible characters in it"),
    ("groupName", "sa\u00adles", "sales", "repaired", "had invisible characters in it"),
    ("groupName", "sales\u200e", "sales", "repaired", "had blanks around it"),
    ("groupName", "north  sales", "north  sales", "", ""),
    ("groupName", "family\U0001f468\u200d\U0001f469", "family\U0001f468\u200d\U0001f469", "", ""),
    ("appId", " 4luaKsL2", "4luaKsL2", "repaired", "had blanks around it"),
    ("appId", "4luaKsL2\u2060", "4luaKsL2", "repaired", "had blanks around it"),
    # Apostrophes that mark text in a spreadsheet
    ("displayNum", "'8610850001", "8610850001", "repaired", "had an apostrophe before it"),
    ("phoneName", "'2024", "2024", "repaired", "had an apostrophe before it"),
    ("phoneName", "'t Hart", "'t Hart", "", ""),
    # Numbers with what people write around them
    ("displayNum", "+8610850001", "8610850001", "repaired", "had a + before it"),
    ("displayNum", "+86 10 8500 01", "8610850001", "repaired", "had a + before it; had separators in it"),
    ("displayNum", "86-1085-0001", "8610850001", "repaired", "had separators in it"),
    ("displayNum", "86–1085–0001", "8610850001", "repaired", "had separators in it"),
    ("displayNum", "(86) 10850001", "8610850001", "repaired", "had separators in it"),
    ("displayNum", "86/10/850001", "8610850001", "repaired", "had separators in it"),
    ("displayNum", "86.10.850001", "8610850001", "repaired", "had separators in it"),
    ("displayNum", "86\u00a010850001", "8610850001", "repaired", "had separators in it"),
    ("displayNum", "8610850001.0", "8610850001", "repaired", "had .0 behind it"),
    ("displayNum", "８６１０８５０００１", "8610850001", "repaired", "was written in other digits"),
    ("displayNum", "٨٦١٠٨٥٠٠٠١", "8610850001", "repaired", "was written in other digits"),
    (
        "displayNum",
        "＋８６１０８５０００１",
        "8610850001",
        "repaired",
        "was written in other digits; had a + before it",
    ),
    ("displayNum", "8.610850001E+09", "8610850001", "repaired", "was written with an exponent, with all its digits"),
    ("displayNum", "8.61085E5", "861085", "error", "has 6 digits; 7 to 13 digits are allowed (API document)"),
    ("quantity", "30.0", "30", "repaired", "had .0 behind it"),
    ("quantity", " 30", "30", "repaired", "had blanks around it"),
    ("quantity", "３０", "30", "repaired", "was written in other digits"),
    ("quantity", "'30", "30", "repaired", "had an apostrophe before it"),
    ("quantity", "+30", "30", "repaired", "had a + before it"),
    ("quantity", "030", "030", "", ""),
    # Numbers that have lost digits, or never were any
    ("displayNum", "8.61E+09", "8.61E+09", "error", "keeps 3 of its 10 digits"),
    ("displayNum", "8,61E+09", "8,61E+09", "error", "keeps 3 of its 10 digits"),
    ("displayNum", "9E+12", "9E+12", "error", "keeps 1 of its 13 digits"),
    ("quantity", "1E+02", "1E+02", "error", "keeps 1 of its 3 digits"),
    ("displayNum", "#N/A", "#N/A", "error", "is an error of the spreadsheet, not a value"),
    ("displayNum", "#REF!", "#REF!", "error", "is an error of the spreadsheet, not a value"),
    ("displayNum", "########", "########", "error", "is an error of the spreadsheet, not a value"),
    ("displayNum", "8610850001 ext 5", "8610850001 ext 5", "error", "holds more than the digits 0 to 9"),
    ("displayNum", "86108500O1", "86108500O1", "error", "holds more than the digits 0 to 9"),
    ("displayNum", "861085.5", "861085.5", "error", "holds more than the digits 0 to 9"),
    ("displayNum", "-8610850001", "-8610850001", "error", "holds more than the digits 0 to 9"),
    ("quantity", "1,200", "1,200", "error", "is not a whole number"),
    ("quantity", "1.000", "1.000", "error", "is not a whole number"),
    ("quantity", "1.5", "1.5", "error", "is not a whole number"),
    ("quantity", "30 phones", "30 phones", "error", "is not a whole number"),
    ("quantity", "30-40", "30-40", "error", "is not a whole number"),
    ("quantity", "½", "½", "error", "is not a whole number"),
    ("quantity", "#VALUE!", "#VALUE!", "error", "is an error of the spreadsheet, not a value"),
    ("quantity", "8610850001", "8610850001", "error", "is more than 100,000 phones in one order"),
    # Names that were turned into something else
    ("groupName", "Mar-05", "Mar-05", "error", "is a date where a group name was: the spreadsheet has changed"),
    ("groupName", "5-Mar", "5-Mar", "error", "is a date where a group name was"),
    ("phoneName", "5-Mar-25", "5-Mar-25", "error", "is a date where a phone name was"),
    ("groupName", "2025-03-05", "2025-03-05", "error", "is a date where a group name was"),
    ("groupName", "3/5/2025", "3/5/2025", "error", "is a date where a group name was"),
    ("groupName", "TRUE", "TRUE", "error", "is a truth value of the spreadsheet, not text"),
    ("groupName", "#NAME?", "#NAME?", "error", "is an error of the spreadsheet, not a value"),
    ("appId", "#N/A", "#N/A", "error", "is an error of the spreadsheet, not a value"),
    ("groupName", "B\ufffdro 1", "B\ufffdro 1", "error", "has characters that were lost when the file was converted"),
    ("groupName", "BÃ¼ro 1", "BÃ¼ro 1", "warning", "looks as if it had been read in another encoding"),
    ("groupName", "floor\u20285", "floor\u20285", "error", "contains a line break or another control character"),
    ("groupName", "March-5th", "March-5th", "", ""),
    ("groupName", "NULL", "NULL", "", ""),
    ("groupName", "nan!", "nan!", "", ""),
)


def one(column: str, cell: str) -> pd.DataFrame:
    """Orders of one row, good but for one cell."""
    return read_orders(pd.DataFrame([GOOD | {column: cell}]))


def row(orders: pd.DataFrame, number: int) -> list[str]:
    """The cells of a row."""
    return list(orders.to_numpy().tolist()[orders.index.tolist().index(number)])


def test_there_are_many() -> None:
    """At least sixty."""
    assert len(CELLS) >= 60
    assert len(set(CELLS)) == len(CELLS)


@pytest.mark.parametrize(("column", "cell", "read", "severity", "problem"), CELLS, ids=range(len(CELLS)))
def test_a_damaged_cell(column: str, cell: str, read: str, severity: str, problem: str) -> None:
    """Lossless repairs are made and told with the cell as it was; anything else stays, with an error or a doubt."""
    orders = one(column, cell)
    assert orders[column].tolist() == [read]
    found = check_orders(orders).query("severity == @severity") if severity else check_orders(orders)
    if not severity:
        assert found.empty
        return
    assert found["column"].tolist() == [column]
    assert found["value"].tolist() == [cell if severity == "repaired" else read]
    assert found["problem"].iloc[0].startswith(problem)
    assert found["advice"].ne("").all()
    if severity == "repaired":
        assert found["advice"].tolist() == [f"{READ}{read}."]


def sheet(*rows: tuple[Any, ...]) -> bytes:
    data = io.BytesIO()
    with xlsxwriter.Workbook(data, {"in_memory": True}) as book:
        page = book.add_worksheet()
        for at, row in enumerate(rows):
            for place, cell in enumerate(row):
                if isinstance(cell, datetime):
                    page.write_datetime(at, place, cell, book.add_format({"num_format": "mmm-yy"}))
                else:
                    page.write(at, place, cell)
    return data.getvalue()


def test_cells_of_a_workbook() -> None:
    """Numbers stored as numbers keep every digit; a date and a truth value where a name was are errors."""
    numbers = ("sales", 2024, 30, 8610850001, "x")
    dated, truth = (datetime(2025, 3, 5), "desk", 3, "8610850002", "x"), ("north", True, 3, "8610850003", "x")
    orders = read_orders(sheet(tuple(HEADER.split(",")), numbers, dated, truth))
    assert row(orders, 2) == ["sales", "2024", "30", "8610850001", "x"]
    findings = check_orders(orders)
    assert findings[["row", "column", "severity"]].to_numpy().tolist() == [
        [2, "phoneName", "repaired"],
        [2, "displayNum", "repaired"],
        [3, "groupName", "error"],
        [4, "phoneName", "error"],
    ]
    assert "Compare 8610850001 with the true value." in findings["advice"].tolist()


def many(**cells: list[str]) -> pd.DataFrame:
    size = max(map(len, cells.values()))
    names = {"groupName": [f"group {at}" for at in range(size)], "phoneName": [f"phone {at}" for at in range(size)]}
    rest = {"quantity": ["3"] * size, "displayNum": ["8610850001"] * size, "appId": ["x"] * size}
    return read_orders(pd.DataFrame(names | rest | cells))


def doubts(orders: pd.DataFrame) -> list[list[object]]:
    findings = check_orders(orders)
    return findings[findings["severity"] == "warning"][["row", "column", "problem"]].to_numpy().tolist()


def test_a_leading_zero_that_may_be_lost() -> None:
    """One number has a digit less than nearly all others."""
    numbers = [f"0755820{at:03}" for at in range(10)]
    assert doubts(many(displayNum=[*numbers, "755820099"])) == [
        [12, "displayNum", "has 9 digits, nearly all others 10: a 0 at its beginning may be lost"]
    ]
    assert doubts(many(displayNum=numbers)) == []
    assert doubts(many(displayNum=["1234567", "12345678"])) == []


def test_one_number_for_hundreds_of_groups() -> None:
    """Remarked once, with how many."""
    assert doubts(many(displayNum=["8610850001"] * 201)) == [[2, "displayNum", "is the display number of 201 groups"]]
    assert doubts(many(displayNum=["8610850001"] * 200)) == []
    assert str(doubts(many(displayNum=["8610850001"] * 5, quantity=["5000"] * 5))[0][2]).endswith("500 groups")


@pytest.mark.parametrize(
    ("name", "other"),
    [("Reception", "reception"), ("sales", "sаles"), ("room-10", "room-1O"), ("hall1", "halll"), ("ＦＡＸ１", "fax1")],
)
def test_names_that_only_look_different(name: str, other: str) -> None:
    """Case, Cyrillic letters, 0 and O, 1 and l, full-width letters: a doubt at the second, in one application."""
    words = f"differs from {name} in row 2 only in case or in letters that look alike"
    assert doubts(many(groupName=[name, "other", other])) == [[4, "groupName", words]]
    assert doubts(many(groupName=[name, "other", other], appId=["x", "x", "y"])) == []


@pytest.mark.parametrize(
    ("encoding", "text", "told"),
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
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_delimiters_are_detected(encoding: str, text: str, told: str, delimiter: str) -> None:
    """And told, so that they can be overruled."""
    line = delimiter.join([text, "desk", "3", "8610850001", "x"])
    data = f"{HEADER.replace(',', delimiter)}\r\n{line}\r\n".encode(encoding)
    orders = read_orders(data)
    assert row(orders, 2) == [text, "desk", "3", "8610850001", "x"]
    assert told in str(orders.attrs["itnio"])


@pytest.mark.parametrize(
    "headers",
    [
        "groupName,phoneName,quantity,displayNum,appId",
        "group_name,phone_name,quantity,display_num,app_id",
        "Group Name,Phone Name,Quantity,Display Number,Application ID",
        "Name of phone group,Name of phone,Number of phones,Caller ID,Voice application ID",
        "GROUP,PHONE,QTY.,Display number:,App-ID*",
        "话机组名称,话机名,话机数,显示号码,语音应用id",
        "话机组,话机名称,数量,显示号,应用ID",
    ],
)
def test_headers_in_several_languages(headers: str) -> None:
    """Any case, order and punctuation."""
    cells = ["sales", "desk", "3", "8610850001", "x"]
    order = [4, 2, 0, 3, 1]
    shuffled = [",".join(line[at] for at in order) for line in (headers.split(","), cells)]
    assert row(read_orders("\n".join(shuffled).encode()), 2) == cells


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("groupName,phoneName,quantity,Display Nr,appId\n", "no column for displayNum; did you mean 'Display Nr'?"),
        ("groupName,phonName,quantity,displayNum,appId\n", "no column for phoneName; did you mean 'phonName'?"),
        ("sales,desk,30,8610850001,x\n", "has no row of headers: row 1 is an order already. Add one (groupName"),
        ("groupName,phoneName,quantity,displayNum\n", "can be given as constants={...}"),
        ("groupName,phoneName,quantity,displayNum,appId,Group\n", None),
        ("group,phone group,phoneName,quantity,displayNum,appId\n", "more than one column for groupName"),
        ("", "is empty: it needs a row of headers"),
    ],
)
def test_headers_that_are_missing_or_doubtful(data: str, words: str | None) -> None:
    """What is missing, what is probably meant, what to do."""
    if words is None:
        assert read_orders(data.encode()).columns.tolist()[-1] == "Group"
        return
    with pytest.raises(InputError) as refused:
        read_orders(data.encode())
    assert words in str(refused.value)


def test_title_rows_and_other_first_lines() -> None:
    """The headers are where most of them are; row numbers are those that the spreadsheet shows."""
    line = "sales,desk,3,8610850001,x"
    titled = f"Phones for the new year\n\nas of,2026-11-02\n{HEADER}\n{line}\n"
    assert read_orders(titled.encode()).index.tolist() == [5]
    assert "headers in row 4" in str(read_orders(titled.encode()).attrs["itnio"])
    separated = f"sep=;\n{HEADER.replace(',', ';')}\n{line.replace(',', ';')}\n"
    assert read_orders(separated.encode()).index.tolist() == [2]
    twice = f"{HEADER}\n{line}\n{HEADER}\nnorth,line,3,8610850001,x\n"
    assert read_orders(twice.encode()).index.tolist() == [2, 3, 4]
    assert read_orders(twice.encode(), header=3).index.tolist() == [4]
    with pytest.raises(InputError, match="nothing in row 9"):
        read_orders(twice.encode(), header=9)


def test_what_the_file_does_not_say_can_be_given() -> None:
    """One value for all rows; the columns of a file without headers; text pasted from a spreadsheet."""
    short = "groupName,phoneName,quantity,displayNum\nsales,desk,3,8610850001\n"
    for constants in ({"appId": "x"}, {"app_id": "x"}, {"Application ID": "x"}):
        assert row(read_orders(short.encode(), constants=constants), 2) == ["sales", "desk", "3", "8610850001", "x"]
    with pytest.raises(InputError, match="has a column for quantity"):
        read_orders(short.encode(), constants={"quantity": "3", "appId": "x"})
    with pytest.raises(InputError, match="not for site"):
        read_orders(short.encode(), constants={"site": "Hall"})
    bare = b"sales,desk,3,8610850001,x\n"
    assert read_orders(bare, columns=HEADER.split(",")).index.tolist() == [1]
    with pytest.raises(InputError, match="has 5 columns, and 2 were named"):
        read_orders(bare, columns=["groupName", "phoneName"])
    pasted = HEADER.replace(",", "\t") + "\nsales\tdesk\t3\t0755820001\tx\n"
    assert read_orders(pasted).loc[2, "displayNum"] == "0755820001"
    assert str(read_orders(pasted).attrs["itnio"]).startswith("pasted text: CSV (utf-8, tab)")
    with pytest.raises(InputError, match="not 5"):
        read_orders(5)  # type: ignore[arg-type] # what a user may do


def test_rows_of_different_widths() -> None:
    """Short rows are filled up, blank ones counted, old line ends read; a row that is too wide is refused."""
    lines = [HEADER, "sales,desk,3,8610850001,x,,", "", "north,line", "south,phone,3,8610850001,x"]
    for end in ("\n", "\r\n", "\r"):
        orders = read_orders(end.join(lines).encode())
        assert orders.index.tolist() == [2, 4, 5]
        assert row(orders, 4) == ["north", "line", "", "", ""]
    with pytest.raises(InputError, match="row 5 has 6 cells, the header has 5"):
        read_orders("\n".join([*lines, ""]).replace("south", "so,uth").encode())


def test_a_large_file_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is read."""
    monkeypatch.setattr("itnio_nb.orders.formats.source._MAX_BYTES", 10)
    with pytest.raises(InputError, match="split it into several files"):
        read_orders(b"x" * 11)


def test_an_old_workbook() -> None:
    """XLS, as it came before 2007: numbers keep their digits, text its zeros."""
    orders = read_orders(DATA / "phones.xls")
    assert row(orders, 2) == ["北京客服", "bjkf", "30", "8610850001", "4luaKsL2"]
    assert row(orders, 3) == ["sales", "desk", "12", "0755820001", "4luaKsL2"]
    assert str(orders.attrs["itnio"]).startswith("phones.xls: XLS (sheet Phones), headers in row 1, 2 orders")


def test_a_mark_that_is_there_twice() -> None:
    """Written by two programs one after the other; what follows need not be UTF-8 all the same."""
    line = f"{HEADER}\nsales,desk,3,8610850001,x\n"
    assert row(read_orders(b"\xef\xbb\xbf" * 2 + line.encode()), 2)[0] == "sales"
    assert row(read_orders(b"\xef\xbb\xbf" * 2 + line.replace("sales", "büro 5").encode("cp1252")), 2)[0] == "büro 5"
