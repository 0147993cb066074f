"""Every rule, over all orders at once."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itnio_nb import LIMITS, InputError, Limits, check_orders, read_orders
from itnio_nb.orders.check import invalid_rows
from itnio_nb.orders.models import FINDING_COLUMNS, split_orders
from tests.support.factories import COLUMNS, many_orders, orders_frame
from tests.support.spreadsheets import errors_of


def test_good_orders_have_no_findings() -> None:
    """The columns are there all the same."""
    findings = check_orders(read_orders(many_orders(20)))
    assert findings.empty
    assert findings.columns.tolist() == list(FINDING_COLUMNS)
    assert check_orders(read_orders(orders_frame())).empty


@pytest.mark.parametrize(
    ("row", "column", "problem"),
    [
        (("",), "groupName", "is empty"),
        (("abc",), "groupName", "has 3 characters; 4 to 32 characters are allowed (API document)"),
        (("北京客",), "groupName", "has 3 characters; 4 to 32 characters are allowed (API document)"),
        (("a" * 33,), "groupName", "has 33 characters; 4 to 32 characters are allowed (API document)"),
        (("sales", "a"), "phoneName", "has 1 character; 4 to 32 characters are allowed (API document)"),
        (("sales", "de\ud800sk"), "phoneName", "contains a line break or another control character"),
        (("sales", "de\x00sk"), "phoneName", "contains a line break or another control character"),
        (("sales", "desk", ""), "quantity", "is empty"),
        (("sales", "desk", "0"), "quantity", "asks for no phone"),
        (("sales", "desk", "-5"), "quantity", "is not a whole number"),
        (("sales", "desk", "Ⅲ"), "quantity", "is not a whole number"),
        (("sales", "desk", "many"), "quantity", "is not a whole number"),
        (("sales", "desk", "100001"), "quantity", "is more than 100,000 phones in one order"),
        (("sales", "desk", "9" * 40), "quantity", "is more than 100,000 phones in one order"),
        (("sales", "desk", "3", ""), "displayNum", "is empty"),
        (("sales", "desk", "3", "123456"), "displayNum", "has 6 digits; 7 to 13 digits are allowed (API document)"),
        (("sales", "desk", "3", "1" * 14), "displayNum", "has 14 digits; 7 to 13 digits are allowed (API document)"),
        (("sales", "desk", "3", "86-10000x"), "displayNum", "holds more than the digits 0 to 9"),
        (("sales", "desk", "3", "861000000", ""), "appId", "is empty"),
        (("sales", "desk", "3", "861000000", "a\nb"), "appId", "contains a line break or another control character"),
    ],
)
def test_each_rule_by_itself(row: tuple[str, ...], column: str, problem: str) -> None:
    """One broken rule is one finding, at its row and column."""
    assert errors_of(row) == [(2, column, problem)]


def test_the_edges_are_allowed() -> None:
    """Lengths count code points; any printable character is legal in a name."""
    names = [(name,) for name in ("a" * 4, "a" * 32, "😀" * 32, "<b>&\"'`")]
    numbers = [("050", "0000000"), ("100000", "1" * 13)]
    for row in (*names, *(("sales", "desk", *cells) for cells in numbers)):
        assert errors_of(row) == []


def test_all_problems_of_all_rows_at_once() -> None:
    """In the order of rows, then of columns."""
    problems = errors_of(("abc", "de", "0", "x", ""), ("fine", "fine"), ("x", "desk", "y"))
    places = [(row, column) for row, column, _ in problems]
    assert places == [*((2, column) for column in COLUMNS), (4, "groupName"), (4, "quantity")]


def test_names_that_splitting_makes_too_long() -> None:
    """A finding with the length that would fit, never a cut; only where the order is split."""
    name = "n" * 31
    assert errors_of((name, "desk", "50")) == []
    assert errors_of((name, "desk", "51")) == [
        (2, "groupName", "is too long to be split: the last of its 2 groups would have 33 characters")
    ]
    advice = check_orders(read_orders(orders_frame((name, "desk", "501"))))["advice"].tolist()
    assert advice == ["Shorten the group name to 29 characters."]
    assert errors_of((name[:29], "desk", "501")) == []


def test_repairs_are_findings_too() -> None:
    """A repair is found with the cell as it was; a cell changed since is not found again."""
    orders = read_orders(orders_frame((" sales", "desk", "3", 861000000), ("other", "phone", "3", "+8610000")))
    findings = check_orders(orders)
    assert findings["severity"].tolist() == ["repaired", "warning", "repaired"]
    assert findings["value"].tolist() == [" sales", "861000000", "+8610000"]
    assert findings["advice"][1] == "Compare 861000000 with the true value."
    orders.loc[3, "displayNum"] = "8620000"
    assert check_orders(orders)["row"].tolist() == [2, 2]
    assert check_orders(orders[orders.index == 3]).empty
    assert invalid_rows(findings) == []


def test_another_brands_limits() -> None:
    """Limits are data: an optional display number, other lengths."""
    orders = read_orders(orders_frame(("abc", "desk", "60", "")))
    assert check_orders(orders, Limits(name_min=3, group_max=60, display_required=False)).empty


def test_a_plain_frame_can_be_checked() -> None:
    """Without reading first: numbers and holes are taken as text."""
    frame = orders_frame(("sales", None, 30, 8610000))
    assert check_orders(frame)[["row", "column", "problem"]].to_numpy().tolist() == [[0, "phoneName", "is empty"]]
    odd = frame.assign(quantity=pd.array([None], dtype="Int64"), appId=pd.Categorical([None]), phoneName=1.0)
    assert [problem[:15] for problem in check_orders(odd)["problem"]] == ["has 1 character", "is empty", "is empty"]
    with pytest.raises(InputError, match="more than one column appId"):
        check_orders(pd.concat([frame, frame[["appId"]]], axis=1))
    with pytest.raises(InputError, match="no column phoneName, appId"):
        check_orders(frame.drop(columns=["phoneName", "appId"]))


cells = st.text(max_size=8) | st.sampled_from(["sales", "sales_2", "desk", "60", "51", "1", "8610000", "app"])


@given(st.lists(st.tuples(cells, cells, cells, cells, cells), max_size=12))
def test_what_passes_keeps_the_rules(rows: list[tuple[str, ...]]) -> None:
    """Whatever the cells: no crash, and the rows without errors split into legal, distinct groups."""
    orders = read_orders(orders_frame(*rows))
    findings = check_orders(orders)
    assert set(findings["row"]) <= set(orders.index)
    groups = split_orders(orders[~orders.index.isin(invalid_rows(findings))])
    for column in ("groupName", "phoneName"):
        assert groups[column].str.len().between(LIMITS.name_min, LIMITS.name_max).all()
        assert not groups.duplicated(["appId", column]).any()
    assert groups["displayNum"].str.fullmatch("[0-9]{7,13}").all()
    assert groups["quantity"].between(1, 50).all()
    assert groups["appId"].ne("").all()
