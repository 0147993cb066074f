"""Reading orders: tables of any kind, constants, orders that were read before."""

from __future__ import annotations

import pandas as pd
import pytest

from itnio_nb import InputError, read_orders
from tests.support.factories import COLUMNS, orders_frame
from tests.support.spreadsheets import HEADER, csv, row, source_of


def test_frames_keep_their_own_row_numbers() -> None:
    """A selection of orders still speaks of the spreadsheet's rows; duplicate or odd indexes are numbered anew."""
    orders = read_orders(csv("aaaa,a1aa,1,1234567,x", "bbbb,b1bb,1,1234567,x", "cccc,c1cc,1,1234567,x"))
    assert read_orders(orders[orders["groupName"] != "bbbb"]).index.to_list() == [2, 4]
    assert read_orders(pd.concat([orders, orders])).index.to_list() == [2, 3, 4, 5, 6, 7]
    assert read_orders(orders.set_axis(["i", "j", "k"])).index.to_list() == [2, 3, 4]


def test_orders_that_were_changed_keep_where_they_came_from() -> None:
    """Read again they are the same; a cell corrected by hand is read as it is now.

    A column added, one dropped: repairs, name and the other original headers stay.
    """
    header = "Group Name,phoneName,quantity,displayNum,appId,Site"
    orders = read_orders(csv(" aaaa,bbbb,1,+1234567,x,note", header=header))
    again = read_orders(orders)
    pd.testing.assert_frame_equal(orders, again)
    assert source_of(again).headers == source_of(orders).headers
    assert source_of(again).repairs == source_of(orders).repairs
    orders.loc[2, "quantity"] = "7"
    assert read_orders(orders).loc[2, "quantity"] == "7"
    changed = read_orders(orders.drop(columns="Site").assign(owner="me"))
    assert changed.columns.tolist() == [*COLUMNS, "owner"]
    assert source_of(changed).headers == ("Group Name", *COLUMNS[1:], "owner")
    assert source_of(changed).repairs == source_of(orders).repairs
    assert source_of(changed).name == "upload"
    with pytest.raises(InputError, match="more than one column for appId"):
        read_orders(pd.concat([orders, orders[["appId"]]], axis=1))


def test_headers_without_orders_are_no_orders() -> None:
    """A file with a header only is an empty table, which plans to nothing."""
    orders = read_orders(csv())
    assert orders.empty
    assert orders.columns.tolist() == COLUMNS
    assert read_orders(orders_frame()).empty


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
