"""Which column is which, and where the headers are."""

from __future__ import annotations

import pytest

from itnio_nb import InputError, read_orders
from tests.support.factories import COLUMNS
from tests.support.spreadsheets import HEADER, csv, row, source_of


@pytest.mark.parametrize(
    "headers",
    [
        "groupName,phoneName,quantity,displayNum,appId",
        "group_name,phone_name,quantity,display_num,app_id",
        "Group Name,Phone Name,Quantity,Display Number,Application ID",
        "Name of phone group,Name of phone,Number of phones,Caller ID,Voice application ID",
        " GROUPNAME ,phone-name,quantity,DisplayNum,appid",
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
    ("data", "message"),
    [
        ("groupName,phoneName,quantity,Display Nr,appId\n", "no column for displayNum; did you mean 'Display Nr'?"),
        ("groupName,phonName,quantity,displayNum,appId\n", "no column for phoneName; did you mean 'phonName'?"),
        ("sales,desk,30,8610850001,x\n", "has no row of headers: row 1 is an order already. Add one (groupName"),
        ("groupName,phoneName,quantity,displayNum\n", "can be given as constants={...}"),
        ("group,phone group,phoneName,quantity,displayNum,appId\n", "more than one column for groupName"),
        ("", "is empty: it needs a row of headers"),
    ],
)
def test_headers_that_are_missing_or_repeated(data: str, message: str) -> None:
    """What is missing, what is probably meant, what to do."""
    with pytest.raises(InputError) as refused:
        read_orders(data.encode())
    assert message in str(refused.value)


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


def test_extra_columns_follow_in_their_order() -> None:
    """The API's five first, then the others, unrepaired, one by another name too; the original order is remembered."""
    headers = ("Group", "appId", "groupName", "quantity", "Note", "displayNum", "phoneName", "Note")
    orders = read_orders(csv(" Hall 2,x,aaaa,1, y ,1234567,bbbb,z", header=",".join(headers)))
    assert orders.columns.tolist() == [*COLUMNS, "Group", "Note", "Note (2)"]
    assert list(orders.loc[2, ["Group", "Note", "Note (2)"]]) == [" Hall 2", " y ", "z"]
    assert source_of(orders).headers == headers
    assert source_of(orders).columns == (*headers[:-1], "Note (2)")


def test_columns_without_a_header() -> None:
    """One with cells in it is kept under its number; one without is an artefact of the spreadsheet."""
    orders = read_orders(csv("aaaa,bbbb,1,1234567,x,,note", header=HEADER + ",,"))
    assert orders.columns.tolist() == [*COLUMNS, "column 7"]
    assert source_of(orders).headers == (*COLUMNS, "")
