"""Workbooks as they really come: which sheet is meant, what nobody sees of it, formulas and merged cells."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
import xlsxwriter

from itnio_nb import InputError, check_orders, read_orders
from itnio_nb.orders.formats.settings import FORM, RUNBOOK, settings_named
from tests.support.factories import COLUMNS
from tests.support.spreadsheets import source_of

ORDER = ("sales", "desk", "30", "8610850001", "4luaKsL2")
OLD = ("older", "line", "12", "8610850002", "4luaKsL2")


def book(
    *sheets: tuple[str, Any], opens_on: str = "", hidden: tuple[str, ...] = (), very: tuple[str, ...] = ()
) -> bytes:
    """A workbook; a sheet has rows, or is made by a function, or is a chart where there are None."""
    data = io.BytesIO()
    with xlsxwriter.Workbook(data, {"in_memory": True}) as made:
        for name, rows in sheets:
            if rows is None:
                chart = made.add_chart({"type": "line"})
                chart.add_series({"values": f"={sheets[-1][0]}!$C$2:$C$3"})
                made.add_chartsheet(name).set_chart(chart)
                continue
            sheet = made.add_worksheet(name)
            if callable(rows):
                rows(made, sheet)
            else:
                for at, row in enumerate(rows):
                    sheet.write_row(at, 0, row)
            if name == opens_on:
                sheet.activate()
            if name in hidden:
                sheet.hide()
            if name in very:
                sheet.very_hidden()
    return data.getvalue()


def doubts(orders: pd.DataFrame) -> list[tuple[int, str, str]]:
    warnings = check_orders(orders).query("severity == 'warning'")
    return list(warnings[["row", "column", "problem"]].itertuples(index=False, name=None))


GOOD = [COLUMNS, ORDER]
LISTS = [("Sites", "Codes"), ("Leeds", "7")]
NOTES = [("How to fill this in",), ("One row for each group, see groupName on the next sheet",)]
TEMPLATE = [COLUMNS]

# The sheets, the sheet on which the workbook opens, those that are hidden, those that are very hidden, which is read.
WORKBOOKS: dict[str, tuple[list[tuple[str, Any]], str, tuple[str, ...], tuple[str, ...]]] = {
    "one": ([("Orders", GOOD)], "", (), ()),
    "hidden first": ([("Old", [COLUMNS, OLD]), ("Orders", GOOD)], "Orders", ("Old",), ()),
    "very hidden first": ([("Old", [COLUMNS, OLD]), ("Orders", GOOD)], "Orders", (), ("Old",)),
    "hidden between": ([("Notes", NOTES), ("Old", [COLUMNS, OLD]), ("Orders", GOOD)], "", ("Old",), ()),
    "hidden last": ([("Orders", GOOD), ("Old", [COLUMNS, OLD])], "", ("Old",), ()),
    "empty first": ([("Sheet1", []), ("Orders", GOOD)], "", (), ()),
    "notes first": ([("Read me", NOTES), ("Orders", GOOD)], "", (), ()),
    "notes on which it opens": ([("Orders", GOOD), ("Read me", NOTES)], "Read me", (), ()),
    "lists first": ([("Lists", LISTS), ("Orders", GOOD)], "Lists", (), ()),
    "lists very hidden": ([("Lists", LISTS), ("Orders", GOOD)], "Orders", (), ("Lists",)),
    "chart first": ([("Chart", None), ("Orders", [*GOOD, OLD])], "", (), ()),
    "template first": ([("Template", TEMPLATE), ("Orders", GOOD)], "Template", (), ()),
    "part of the headers": ([("Sums", [("Group", "Phone", "Qty"), ("a", "b", 3)]), ("Orders", GOOD)], "Sums", (), ()),
    "below a title": ([("Read me", NOTES), ("Orders", [("Phones of 2026",), (), *GOOD])], "", (), ()),
    "Chinese headers": (
        [("说明", NOTES), ("Orders", [("话机组名称", "话机名", "话机数量", "显示号码", "应用ID"), ORDER])], "", (), ()),
    "names with signs": ([("A & B <1>", NOTES), ("O'rders", GOOD)], "", (), ()),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKBOOKS)
def test_the_sheet_that_has_the_orders(name: str) -> None:
    """Hidden ones are never read, and one alone has the headers: nothing is to be told."""
    given, opens_on, hidden, very = WORKBOOKS[name]
    orders = read_orders(book(*given, opens_on=opens_on, hidden=hidden, very=very))
    assert orders["groupName"].tolist()[0] == "sales"
    told = [problem for _, _, problem in doubts(orders) if "sheet" in problem]
    assert len(told) == (name == "part of the headers")


@pytest.mark.parametrize(("opens_on", "read"), [("June", "older"), ("July", "sales"), ("Notes", "older")])
def test_several_sheets_with_orders(opens_on: str, read: str) -> None:
    """The one on which the workbook opens is the guess; the others are named once, and can be chosen."""
    data = book(("June", [COLUMNS, OLD]), ("July", GOOD), ("Notes", NOTES), opens_on=opens_on)
    orders = read_orders(data)
    assert orders["groupName"].tolist() == [read]
    other = {"older": "July", "sales": "June"}[read]
    here = {"older": "June", "sales": "July"}[read]
    assert doubts(orders) == [(2, "groupName", f"is from sheet {here}; 1 other sheet has orders too: {other}")]
    assert source_of(orders).sheets == ("June", "July", "Notes")
    for name, group in (("June", "older"), ("July", "sales"), (" july ", "sales"), (1, "sales"), (0, "older")):
        chosen = read_orders(data, sheet=name)
        assert (chosen["groupName"].tolist(), doubts(chosen)) == ([group], [])
    with pytest.raises(InputError, match=r"no sheet 'August'\. Its sheets: June, July, Notes\."):
        read_orders(data, sheet="August")


def test_a_hidden_sheet_can_be_named() -> None:
    """Unasked it is not read; where nothing else is there, the words say what to do."""
    data = book(("Old", [COLUMNS, OLD]), ("Orders", GOOD), opens_on="Orders", hidden=("Old",))
    assert read_orders(data, sheet="Old")["groupName"].tolist() == ["older"]


@pytest.mark.parametrize(
    ("names", "way"),
    [
        (None, "as constants={...}"),
        (FORM, 'in the field "Application for all rows"'),
        (RUNBOOK, "as app_id (--app-id)"),
    ],
)
def test_advice_names_the_settings_of_where_it_is_read(names: dict[str, str] | None, way: str) -> None:
    """Python has arguments, a form fields, a command options."""
    data = book(("Notes", NOTES), ("June", [COLUMNS[:4], ORDER[:4]]), ("July", [COLUMNS[:4], ORDER[:4]]))

    def read() -> tuple[str, str]:
        with pytest.raises(InputError) as caught:
            read_orders(data)
        advice = check_orders(read_orders(data, constants={"appId": "x"}))["advice"].tolist()
        return str(caught.value), advice[0]

    if names is None:
        error, advice = read()
    else:
        with settings_named(names):
            error, advice = read()
    assert error.startswith("upload, sheet June of Notes, June, July has no column for appId.")
    assert error.endswith(f"one value for all rows can be given {way}.")
    sheet = {"P": 'as sheet="..."', "F": 'in the field "Sheet"', "R": "as sheet (--sheet)"}
    kind = "P" if names is None else "F" if names is FORM else "R"
    assert advice == f"Is this the sheet that is meant? Otherwise give the name of the other one {sheet[kind]}."


def hide_one(made: Any, sheet: Any) -> None:
    sheet.set_row(2, None, None, {"hidden": True})


def hide_two(made: Any, sheet: Any) -> None:
    sheet.set_row(1, None, None, {"hidden": True})
    sheet.set_row(3, None, None, {"hidden": True})


def collapse(made: Any, sheet: Any) -> None:
    for row in (2, 3):
        sheet.set_row(row, None, None, {"level": 1, "hidden": True})
    sheet.set_row(4, None, None, {"collapsed": True})


def filtered(made: Any, sheet: Any) -> None:
    sheet.autofilter(0, 0, 4, 4)
    sheet.filter_column(0, "x == group3")
    for row in (1, 2, 4):
        sheet.set_row(row, None, None, {"hidden": True})


def no_height(made: Any, sheet: Any) -> None:
    sheet.set_row(1, 0)


def hide_a_blank_one(made: Any, sheet: Any) -> None:
    sheet.set_row(7, None, None, {"hidden": True})


def hide_the_header(made: Any, sheet: Any) -> None:
    sheet.set_row(0, None, None, {"hidden": True})


def hide_a_column(made: Any, sheet: Any) -> None:
    sheet.set_column(1, 1, None, None, {"hidden": True})


HIDDEN: list[tuple[Callable[[Any, Any], None], int, int]] = [
    (hide_one, 3, 1), (hide_two, 2, 2), (collapse, 3, 2), (filtered, 2, 3), (no_height, 2, 1),
    (hide_a_blank_one, 0, 0), (hide_the_header, 0, 0), (hide_a_column, 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("hide", "first", "number"), HIDDEN)
def test_rows_that_nobody_sees(hide: Callable[[Any, Any], None], first: int, number: int) -> None:
    """They are planned, and one warning at the first says how many there are."""

    def write(made: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, COLUMNS)
        for at in range(1, 5):
            sheet.write_row(at, 0, (f"group{at}", f"phone{at}", "3", "8610850001", "x"))
        hide(made, sheet)

    orders = read_orders(book(("Orders", write)))
    assert len(orders) == 4
    which = "the only one of 1 row" if number == 1 else f"one of {number} rows"
    expected = [(first, "groupName", f"is {which} that nobody sees: hidden, filtered out, or in a folded outline")]
    assert doubts(orders) == (expected if number else [])


@pytest.mark.parametrize("since_1904", [False, True])
@pytest.mark.parametrize(
    "shape", ["mm-yy", "d-mmm", "yyyy-mm-dd", "dd.mm.yyyy", "h:mm", "[h]:mm", "mm:ss.0", "yyyy年m月d日", "m/d/yy h:mm",
              "[$-409]d-mmm-yy", "mmm", "[$-F800]dddd", "d", "hh:mm:ss AM/PM", "[$-804]yyyy\"年\"m\"月\""],
)  # fmt: skip
def test_a_number_in_a_cell_with_the_format_of_a_date(shape: str, since_1904: bool) -> None:
    """It is the number that was typed, whichever calendar the workbook has; never the digits of a date."""

    def write(made: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, COLUMNS)
        for at, number in enumerate((1234567, 2345678, 8610850001), 1):
            sheet.write_row(at, 0, (f"group{at}", f"phone{at}", 3))
            sheet.write_number(at, 3, number, made.add_format({"num_format": shape}))
            sheet.write_string(at, 4, "x")

    data = io.BytesIO()
    with xlsxwriter.Workbook(data, {"in_memory": True, "date_1904": since_1904}) as made:
        write(made, made.add_worksheet("Orders"))
    orders = read_orders(data.getvalue())
    assert orders["displayNum"].tolist() == ["1234567", "2345678", "8610850001"]
    told = {row for row, column, _ in doubts(orders) if column == "displayNum"}
    assert 2 in told  # each, or all of the column at once
    assert "error" not in set(check_orders(orders)["severity"])


def test_a_quantity_in_a_cell_with_the_format_of_a_date() -> None:
    """It is the number that was typed; what may be a day of our time stays one."""

    def write(made: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, COLUMNS)
        for at, number in enumerate((1, 30, 500, 45721, 58, 61, 9999), 1):
            sheet.write_row(at, 0, (f"group{at}", f"phone{at}", "", "8610850001", "x"))
            sheet.write_number(at, 2, number, made.add_format({"num_format": "yyyy-mm-dd"}))

    orders = read_orders(book(("Orders", write)))
    assert orders["quantity"].tolist() == ["1", "30", "500", "2025-03-05", "58", "61", "9999"]
    findings = check_orders(orders).query("column == 'quantity'")
    assert findings["severity"].tolist() == ["warning"] * 3 + ["error"] + ["warning"] * 3


def test_a_date_stays_a_date() -> None:
    """A day of our time in a column of numbers is no number that somebody typed."""

    def write(made: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, COLUMNS)
        sheet.write_row(1, 0, ORDER)
        sheet.write_number(1, 3, 45721, made.add_format({"num_format": "yyyy-mm-dd"}))

    findings = check_orders(read_orders(book(("Orders", write))))
    assert findings[["column", "value", "severity"]].to_numpy().tolist() == [["displayNum", "2025-03-05", "error"]]


def formula(made: Any, sheet: Any) -> None:
    for row in (1, 2):
        sheet.write_row(row, 0, (f"group{row}", f"phone{row}"))
        sheet.write_formula(row, 2, "=1+2", None, "")  # xlsxwriter writes 0 where it is given nothing
        sheet.write_row(row, 3, ("8610850001", "x"))


def formulas_of_text(made: Any, sheet: Any) -> None:
    sheet.write_row(1, 0, ("group1", "phone1", 3, "8610850001", "x"))
    sheet.write_formula(1, 0, '="gro"&"up1"', None, 0)


def calculated(made: Any, sheet: Any) -> None:
    sheet.write_row(1, 0, ("group1", "phone1", 3, "8610850001", "x"))
    sheet.write_formula(1, 2, "=1+2", None, 3)
    sheet.write_formula(1, 0, '="gro"&"up1"', None, "group1")


def merged(made: Any, sheet: Any) -> None:
    sheet.write_row(1, 0, ("group1", "phone1", 3, "8610850001", "x"))
    sheet.write_row(2, 0, ("group2", "phone2", 3, "8610850001"))
    sheet.write_row(3, 0, ("group3", "phone3", 3, "8610850001"))
    sheet.merge_range(1, 4, 3, 4, "x")


def merged_beside(made: Any, sheet: Any) -> None:
    sheet.write_row(1, 0, ("group1", "", 3, "8610850001", "x"))
    sheet.merge_range(1, 0, 1, 1, "group1")


def merged_title(made: Any, sheet: Any) -> None:
    sheet.write_row(1, 0, ("group1", "phone1", 3, "8610850001", "x"))
    sheet.merge_range(1, 5, 1, 7, "a remark")


NEVER_CALCULATED = "has a formula that no spreadsheet program has calculated yet"
EXPLAINED = [
    (formula, [(2, "quantity", f"{NEVER_CALCULATED}, as is 1 more in this column")]),
    (formulas_of_text, [(2, "groupName", NEVER_CALCULATED)]),
    (calculated, []),
    (merged, [(3, "appId", "is merged with another cell, which has the value, as is 1 more in this column")]),
    (merged_beside, [(2, "phoneName", "is merged with another cell, which has the value")]),
    (merged_title, []),
]  # fmt: skip


@pytest.mark.parametrize(("write", "expected"), EXPLAINED)
def test_why_a_cell_is_empty(write: Callable[[Any, Any], None], expected: list[tuple[int, str, str]]) -> None:
    """Formulas never calculated and cells below a merged one: once for a column, besides the error of each."""

    def sheet_of(made: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, COLUMNS)
        write(made, sheet)

    orders = read_orders(book(("Orders", sheet_of)))
    assert [one for one in doubts(orders) if "number where" not in one[2]] == expected
    wrong = check_orders(orders).query("severity == 'error'")
    assert bool(len(wrong)) == bool(expected)
