"""Cells that were damaged before the file came here: each is found, and stays as it came."""

from __future__ import annotations

from datetime import datetime

import pytest

from itnio_nb import check_orders, read_orders
from tests.support.factories import COLUMNS, many_orders
from tests.support.spreadsheets import row, warnings_of, workbook

# Column, cell, severity, how the problem begins.
DAMAGED: tuple[tuple[str, str, str, str], ...] = (
    ("displayNum", "8.61E+09", "error", "keeps 3 of its 10 digits"),
    ("displayNum", "8,61E+09", "error", "keeps 3 of its 10 digits"),
    ("displayNum", "9E+12", "error", "keeps 1 of its 13 digits"),
    ("quantity", "1E+02", "error", "keeps 1 of its 3 digits"),
    ("displayNum", "#N/A", "error", "is an error of the spreadsheet, not a value"),
    ("displayNum", "#REF!", "error", "is an error of the spreadsheet, not a value"),
    ("displayNum", "########", "error", "is an error of the spreadsheet, not a value"),
    ("displayNum", "8610850001 ext 5", "error", "holds more than the digits 0 to 9"),
    ("displayNum", "86108500O1", "error", "holds more than the digits 0 to 9"),
    ("displayNum", "861085.5", "error", "holds more than the digits 0 to 9"),
    ("displayNum", "-8610850001", "error", "holds more than the digits 0 to 9"),
    ("displayNum", "+86 x138", "error", "holds more than the digits 0 to 9"),  # only what is certain is repaired
    ("quantity", "1,200", "error", "is not a whole number"),
    ("quantity", "1.000", "error", "is not a whole number"),
    ("quantity", "1.5", "error", "is not a whole number"),
    ("quantity", "30 phones", "error", "is not a whole number"),
    ("quantity", "30-40", "error", "is not a whole number"),
    ("quantity", "½", "error", "is not a whole number"),
    ("quantity", "#VALUE!", "error", "is an error of the spreadsheet, not a value"),
    ("quantity", "8610850001", "error", "is more than 100,000 phones in one order"),
    ("groupName", "Mar-05", "error", "is a date where a group name was: the spreadsheet has changed"),
    ("groupName", "5-Mar", "error", "is a date where a group name was"),
    ("phoneName", "5-Mar-25", "error", "is a date where a phone name was"),
    ("groupName", "2025-03-05", "error", "is a date where a group name was"),
    ("groupName", "3/5/2025", "error", "is a date where a group name was"),
    ("groupName", "TRUE", "error", "is a truth value of the spreadsheet, not text"),
    ("groupName", "#NAME?", "error", "is an error of the spreadsheet, not a value"),
    ("appId", "#N/A", "error", "is an error of the spreadsheet, not a value"),
    ("groupName", "B�ro 1", "error", "has characters that were lost when the file was converted"),
    ("groupName", "BÃ¼ro 1", "warning", "looks as if it had been read in another encoding"),
    ("groupName", "floor\u20285", "error", "contains a line break or another control character"),
)


@pytest.mark.parametrize("column", COLUMNS)
def test_damaged_cells(column: str) -> None:
    """One finding for each, with advice; the cell stays as it came."""
    cells, severities, problems = zip(*(case[1:] for case in DAMAGED if case[0] == column), strict=True)
    orders = read_orders(many_orders(len(cells)).assign(**{column: cells}))
    assert orders[column].tolist() == list(cells)
    findings = check_orders(orders)
    expected = list(zip(orders.index, [column] * len(cells), cells, severities, strict=True))
    assert list(findings[["row", "column", "value", "severity"]].itertuples(index=False, name=None)) == expected
    assert all(map(str.startswith, findings["problem"], problems))
    assert findings["advice"].ne("").all()


def test_cells_of_a_workbook() -> None:
    """Numbers stored as numbers keep every digit; a date and a truth value where a name was are errors."""
    numbers = ("sales", 2024, 30, 8610850001, "x")
    dated, truth = (datetime(2025, 3, 5), "desk", 3, "8610850002", "x"), ("north", True, 3, "8610850003", "x")
    orders = read_orders(workbook(tuple(COLUMNS), numbers, dated, truth))
    assert row(orders, 2) == ["sales", "2024", "30", "8610850001", "x"]
    findings = check_orders(orders)
    assert findings[["row", "column", "severity"]].to_numpy().tolist() == [
        [2, "phoneName", "repaired"],
        [2, "displayNum", "repaired"],
        [3, "groupName", "error"],
        [4, "phoneName", "error"],
    ]
    assert "Compare 8610850001 with the true value." in findings["advice"].tolist()


def test_a_leading_zero_that_may_be_lost() -> None:
    """One number has a digit less than nearly all others."""
    numbers = [f"0755820{at:03}" for at in range(10)]
    assert warnings_of(displayNum=[*numbers, "755820099"]) == [
        [12, "displayNum", "has 9 digits, nearly all others 10: a 0 at its beginning may be lost"]
    ]
    assert warnings_of(displayNum=numbers) == []
    assert warnings_of(displayNum=["1234567", "12345678"]) == []


def test_one_number_for_hundreds_of_groups() -> None:
    """Remarked once, with how many."""
    assert warnings_of(displayNum=["8610850001"] * 201) == [[2, "displayNum", "is the display number of 201 groups"]]
    assert warnings_of(displayNum=["8610850001"] * 200) == []
    assert str(warnings_of(displayNum=["8610850001"] * 5, quantity=["5000"] * 5)[0][2]).endswith("500 groups")
