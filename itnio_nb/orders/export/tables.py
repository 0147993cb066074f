"""Tables out: HTML and text for people; CSV and XLSX in which no cell runs as a formula."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import sys
from itertools import cycle
from typing import Any

import pandas as pd
import xlsxwriter
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype, is_object_dtype, is_string_dtype

from itnio_nb.api.text import encodable, html_block, html_text, printable_line
from itnio_nb.orders.export.formulas import escape_formula
from itnio_nb.orders.models import SOURCE
from itnio_nb.orders.text_columns import cell_text

_MAX_ROWS, _END_ROWS = 60, 10  # a table is shown whole up to the first, else so many rows of each end


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV: UTF-8 with its mark, every field quoted, no cell that would run as a formula."""
    texts = frame.map(lambda cell: escape_formula(cell_text(cell)))
    texts = texts.set_axis([escape_formula(str(name)) for name in frame.columns], axis=1)
    return texts.to_csv(index=False, quoting=csv.QUOTE_ALL).encode("utf-8-sig", "backslashreplace")


def as_xlsx(frame: pd.DataFrame, name: str, comment: str = "") -> bytes:
    """Return a table of text as a workbook of one sheet of this name: every cell as text, the headers as filters.

    `comment` is a property of the file.
    """
    data = io.BytesIO()
    with new_workbook(data) as book:
        book.set_properties({"comments": comment})
        sheet = book.add_worksheet(name)
        text, bold = book.add_format({"num_format": "@"}), book.add_format({"bold": True})
        sheet.set_column(0, len(frame.columns) - 1, 20, text)
        sheet.write_row(0, 0, frame.columns, bold)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, len(frame), len(frame.columns) - 1)
        for row, cells in enumerate(frame.itertuples(index=False, name=None), 1):
            for column, cell in enumerate(cells):
                sheet.write_string(row, column, encodable(cell), text)
    return data.getvalue()


def new_workbook(data: io.BytesIO) -> xlsxwriter.Workbook:
    """Return a workbook in which no text becomes a formula, a link or a number.

    In memory: else xlsxwriter would put the cells, passwords among them, into temporary files.
    """
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    return xlsxwriter.Workbook(data, options)


def table_as_html(table: pd.DataFrame, rows: int | None = None) -> str:
    """Return a table as HTML for a cell of a notebook: sentences to the left and wrapped, numbers to the right.

    Whole up to 60 rows, then its first and last 10. A named index is its first columns, the numbers of an unnamed one
    are left out, and orders begin with where they were read from. Everything is escaped. Styles stand in each cell,
    because code hosts take style sheets away. Where `table` is but the first and last of so many `rows`, see
    `ends_shown`, it looks as if all were there.
    """
    caption = f"<p>{html_text(table.attrs[SOURCE])}</p>" if SOURCE in table.attrs and table.index.name else ""
    if table.empty:
        return html_block(caption, "<p>No rows.</p>")
    if table.columns.nlevels > 1:
        return html_block(caption, table.to_html(notebook=True))
    named = any(name is not None for name in table.index.names) or not is_integer_dtype(table.index.dtype)
    flat = table.rename_axis(index=lambda name: name or "") if named else table
    flat = flat.reset_index(allow_duplicates=True) if named else flat
    sides = cycle(map(_side, flat.columns, flat.dtypes))
    size = f"\n<p>{rows} rows × {len(flat.columns)} columns</p>" if rows is not None and rows > len(flat) else ""
    most = max_rows(flat)
    if size:
        gap = pd.DataFrame([["..."] * len(flat.columns)], columns=flat.columns)
        flat = pd.concat([flat[: len(flat) // 2].astype(object), gap, flat[len(flat) // 2 :].astype(object)])
    flat = flat.set_axis([printable_line(str(name)) for name in flat.columns], axis=1)
    texts = {name: _shown for name, dtype in zip(flat.columns, flat.dtypes, strict=True) if _has_texts(dtype)}
    with pd.option_context("display.max_colwidth", None):
        html = flat.to_html(
            index=False, border=0, max_rows=most, show_dimensions=most is not None, justify="unset", formatters=texts
        )
    html += size
    return html_block(caption, re.sub("<(t[hd])>", lambda tag: f'<{tag[1]} style="text-align:{next(sides)}">', html))


def _has_texts(dtype: Any) -> bool:
    return is_object_dtype(dtype) or is_string_dtype(dtype)


def _shown(cell: object) -> str:
    return printable_line(str(cell))


def table_as_text(table: pd.DataFrame) -> str:
    """Return a table as text, its cells wrapped where the terminal is not as wide; whole up to 60 rows, as in HTML.

    The width is that of the terminal that Python prints to, or `ITNIO_WIDTH`; elsewhere there is none.
    """
    with pd.option_context("display.unicode.east_asian_width", True, "display.max_colwidth", None):
        text = table.to_string(index=False, max_rows=max_rows(table))
    width = _width()
    if width is None or max(map(len, text.splitlines())) <= width // 2:  # a character may take two columns
        return text
    from rich.cells import cell_len  # here: it takes a while, and most tables are shown as HTML
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if max(map(cell_len, text.splitlines())) <= width:
        return text
    shown = table if max_rows(table) is None else table.iloc[ends_shown(len(table))]
    wrapped = Table(box=None, padding=(0, 1, 0, 0), header_style="")
    for name in table.columns:
        wrapped.add_column(Text(printable_line(str(name))), overflow="fold")
    for number, cells in enumerate(shown.itertuples(index=False, name=None)):
        if len(shown) < len(table) and number == len(shown) // 2:
            wrapped.add_row(*["..."] * len(table.columns))
        wrapped.add_row(*(Text(printable_line(str(cell))) for cell in cells))
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(wrapped)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _width() -> int | None:
    """Return how many characters a line of the terminal has, None where there is no terminal."""
    told = os.environ.get("ITNIO_WIDTH", "")
    if told.isdecimal():
        return max(20, int(told))
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None


def max_rows(table: pd.DataFrame) -> int | None:
    """Return how many rows a cell shows of a table: all up to 60, else its first and last 10."""
    return None if len(table) <= _MAX_ROWS else 2 * _END_ROWS


def ends_shown(rows: int) -> list[int]:
    """Return the positions of the rows that a cell shows of a table of so many."""
    if rows <= _MAX_ROWS:
        return list(range(rows))
    return [*range(_END_ROWS), *range(rows - _END_ROWS, rows)]


def _side(name: object, dtype: Any) -> str:
    numbers = is_numeric_dtype(dtype) and not is_bool_dtype(dtype)
    return "right" if numbers or name in ("row", "quantity") else "left"
