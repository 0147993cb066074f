"""Files as spreadsheets write them, and what is read from them."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import pandas as pd
import xlsxwriter

from itnio_nb import check_orders, read_orders
from itnio_nb.orders.models import Source
from tests.support.factories import COLUMNS, many_orders, orders_frame

HEADER = ",".join(COLUMNS)


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
                    sheet.write_datetime(at, column, cell, book.add_format({"num_format": "mmm-yy"}))
                else:
                    sheet.write(at, column, cell)
    return data.getvalue()


def source_of(orders: pd.DataFrame) -> Source:
    source = orders.attrs["itnio"]
    assert isinstance(source, Source)
    return source


def row(orders: pd.DataFrame, number: int) -> list[str]:
    """The cells of a row."""
    return list(orders.to_numpy().tolist()[orders.index.tolist().index(number)])


def errors_of(*rows: tuple[object, ...]) -> list[tuple[int, str, str]]:
    """Row, column and problem of each error in orders made of these tuples."""
    findings = check_orders(read_orders(orders_frame(*rows)))
    errors = findings[findings["severity"] == "error"]
    return list(zip(errors["row"], errors["column"], errors["problem"], strict=True))


def warnings_of(**columns: list[str]) -> list[list[object]]:
    """Row, column and problem of each warning about orders that are good but for these columns."""
    orders = many_orders(max(map(len, columns.values()))).assign(**columns)
    findings = check_orders(read_orders(orders))
    return findings.query("severity == 'warning'")[["row", "column", "problem"]].to_numpy().tolist()
