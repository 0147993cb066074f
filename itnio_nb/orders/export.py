"""Tables out: HTML; CSV and XLSX in which no cell runs as a formula; findings for a colleague, files written whole."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import secrets
import shutil
import sys
import zipfile
from dataclasses import asdict
from html import escape
from itertools import cycle
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype

from itnio_nb.api.text import encodable, plural, printable
from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.orders.models import FINDING_COLUMNS, SOURCE, Repair, Source
from itnio_nb.orders.read import read_orders
from itnio_nb.orders.text_columns import DTYPE, cell_text

# The worst first. Readable with black text; a comment begins with the severity, for those who see no colours.
SEVERITY_COLOURS = {"error": "#F8B4B4", "warning": "#FFE699", "repaired": "#C6E0B4"}
_OURS = "itnio-nb: orders to be mended"  # in the file's properties
_MAX_ROWS, _END_ROWS = 60, 10  # a table is shown whole up to the first, else so many rows of each end
_MAX_COMMENT = 1500  # characters; a spreadsheet shows no more at a glance
# A cell that a spreadsheet would run as a formula, or that looks as if it had been escaped before.
_FORMULA_LIKE = re.compile(r"^(?![+\-]?\d+(?:\.\d+)?$)('*[=+\-@\t\r])")


def escape_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula; a plain number stays.

    Also before one that already looks so: `read_orders` takes one away, which gives the very same text.
    """
    return _FORMULA_LIKE.sub(r"'\1", text) if text[:1] in "'=+-@\t\r" else text  # few cells need the slow way


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV: UTF-8 with its mark, every field quoted, no cell that would run as a formula."""
    texts = frame.map(lambda cell: escape_formula(cell_text(cell)))
    texts = texts.set_axis([escape_formula(str(name)) for name in frame.columns], axis=1)
    return texts.to_csv(index=False, quoting=csv.QUOTE_ALL).encode("utf-8-sig", "backslashreplace")


def as_xlsx(frame: pd.DataFrame, name: str) -> bytes:
    """Return a table of text as a workbook of one sheet of this name: every cell as text, the headers as filters."""
    data = io.BytesIO()
    with new_workbook(data) as book:
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


def table_as_html(table: pd.DataFrame, rows: int | None = None) -> str:
    """Return a table as HTML for a cell of a notebook: sentences to the left and wrapped, numbers to the right.

    Whole up to 60 rows, then its first and last 10. A named index is its first columns, the numbers of an unnamed one
    are left out, and orders begin with where they were read from. Everything is escaped. Styles stand in each cell,
    because code hosts take style sheets away. Where `table` is but the first and last of so many `rows`, see
    `ends_shown`, it looks as if all were there.
    """
    caption = f"<p>{escape(str(table.attrs[SOURCE]))}</p>\n" if SOURCE in table.attrs and table.index.name else ""
    if table.empty:
        return f"{caption}<p>No rows.</p>"
    if table.columns.nlevels > 1:
        return caption + str(table.to_html(notebook=True))
    named = any(name is not None for name in table.index.names) or not is_integer_dtype(table.index.dtype)
    flat = table.rename_axis(index=lambda name: name or "") if named else table
    flat = flat.reset_index(allow_duplicates=True) if named else flat
    sides = cycle(map(_side, flat.columns, flat.dtypes))
    size = f"\n<p>{rows} rows × {len(flat.columns)} columns</p>" if rows is not None and rows > len(flat) else ""
    most = max_rows(flat)
    if size:
        gap = pd.DataFrame([["..."] * len(flat.columns)], columns=flat.columns)
        flat = pd.concat([flat[: len(flat) // 2].astype(object), gap, flat[len(flat) // 2 :].astype(object)])
    with pd.option_context("display.max_colwidth", None):
        html = flat.to_html(index=False, border=0, max_rows=most, show_dimensions=most is not None, justify="unset")
    html += size
    return caption + re.sub("<(t[hd])>", lambda tag: f'<{tag[1]} style="text-align:{next(sides)}">', html)


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
        wrapped.add_column(Text(str(name)), overflow="fold")
    for number, cells in enumerate(shown.itertuples(index=False, name=None)):
        if len(shown) < len(table) and number == len(shown) // 2:
            wrapped.add_row(*["..."] * len(table.columns))
        wrapped.add_row(*(Text(printable(str(cell))) for cell in cells))
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


class WrittenFiles(dict[str, Path]):
    """Files that were written, path by kind. In a cell it shows how many rows each has, and all of them together."""

    def __init__(self, paths: dict[str, Path], rows: dict[str, int], noun: str) -> None:
        """`rows` has the number of rows of each kind, `noun` what one of them is, such as `order`."""
        super().__init__(paths)
        self.rows, self._noun = rows, noun

    def __repr__(self) -> str:
        parts = ", ".join(f"{kind} {number:,}" for kind, number in self.rows.items())
        return printable(f"{self._headline}: {parts}." if self else f"{self._headline}.")

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self.rows.items(), columns=["file", f"{self._noun}s"])
        return f"<p>{escape(self._headline)}.</p>" + (f"\n{table_as_html(table)}" if self else "")

    @property
    def _headline(self) -> str:
        if not self:
            return "No files were written"
        folder = os.path.relpath(next(iter(self.values())).parent)
        return f"{plural(len(self), 'file')} in {folder}/ with {plural(sum(self.rows.values()), self._noun)}"


def new_workbook(data: io.BytesIO) -> xlsxwriter.Workbook:
    """Return a workbook in which no text becomes a formula, a link or a number.

    In memory: else xlsxwriter would put the cells, passwords among them, into temporary files.
    """
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    return xlsxwriter.Workbook(data, options)


def write_findings(orders: pd.DataFrame, findings: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write the orders as XLSX, as they came, for the colleague who made them; return the path.

        write_findings(orders, findings, "phones-to-mend.xlsx")

    Every cell stands where it stood, as text, with its own header. A cell with a finding is red (`error`), yellow
    (`warning`) or green (`repaired`, shown as it was before), and its comment says what is wrong and what to do.
    Corrected and saved, the file can be read with `read_orders`. An existing file of that name is replaced only if
    this function wrote it; else, and where the path cannot be written, `InputError` is raised.
    """
    if list(findings.columns) != list(FINDING_COLUMNS):
        raise InputError("The findings are those of check_orders: write_findings(orders, check_orders(orders), path).")
    orders = read_orders(orders)
    try:
        path = Path(path)
        if path.exists() and not _is_ours(path):
            raise InputError(f"{path} exists and holds something else: choose another name, such as to-mend.xlsx.")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _workbook(orders, findings))
    except (OSError, TypeError, ValueError) as error:  # a path can be wrong in many ways
        reason = os_error_reason(error)
        raise InputError(f"The findings cannot be written to {path!s} ({reason}): choose another path.") from None
    return path


def _is_ours(path: Path) -> bool:
    """Whether a file is one that `write_findings` wrote."""
    try:
        with zipfile.ZipFile(path) as parts:
            return _OURS in parts.read("docProps/core.xml").decode("utf-8", "replace")
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


def _workbook(orders: pd.DataFrame, findings: pd.DataFrame) -> bytes:
    source: Source = orders.attrs[SOURCE]
    data = io.BytesIO()
    with new_workbook(data) as book:
        book.set_properties({"comments": _OURS})
        text, bold = book.add_format({"num_format": "@"}), book.add_format({"num_format": "@", "bold": True})
        sheet = book.add_worksheet("Orders")
        first = max(source.header_row, 1) - 1
        for column, (header, name) in enumerate(zip(source.headers, source.columns, strict=True)):
            sheet.write_string(first, column, _writable(header), bold)
            for row, cell in zip(orders.index.tolist(), orders[name].tolist(), strict=True):
                if cell:
                    sheet.write_string(row - 1, column, _writable(cell), text)
        _mark_findings(book, sheet, source.columns, findings[findings["row"].isin(orders.index)])
        sheet.freeze_panes(first + 1, 0)
        sheet.set_column(0, max(len(source.columns) - 1, 0), 20)
    return data.getvalue()


def _mark_findings(
    book: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet, columns: tuple[str, ...], findings: pd.DataFrame
) -> None:
    """Colour each cell that has findings by the worst of them, and list them in its comment."""
    colours = {name: book.add_format({"num_format": "@", "bg_color": code}) for name, code in SEVERITY_COLOURS.items()}
    for _, of_cell in findings.groupby(["row", "column"], sort=False):
        place = int(of_cell["row"].iloc[0]) - 1, columns.index(of_cell["column"].iloc[0])
        worst = min(of_cell["severity"], key=list(SEVERITY_COLOURS).index)
        before = of_cell["value"][of_cell["severity"] == "repaired"]
        cell = before.iloc[0] if len(before) else of_cell["value"].iloc[0]
        lines = of_cell["severity"] + ": " + of_cell["problem"] + ". " + of_cell["advice"]
        comment = _writable("\n".join(lines))[:_MAX_COMMENT]
        sheet.write_string(*place, _writable(cell), colours[worst])
        sheet.write_comment(*place, comment, {"x_scale": 2.5, "y_scale": 1.5, "author": "itnio-nb"})


def _writable(text: str) -> str:
    """Return a text as a spreadsheet can hold it: at most 32,767 characters, and none that XML has not."""
    return re.sub("[\ud800-\udfff\ufffe\uffff]", "\ufffd", text)[:32767]


def write_atomically(path: Path, contents: bytes) -> None:
    """Write beside the file, then put it in its place: a reader never meets half of it, a failure leaves no trace.

    Raises `OSError`.
    """
    unfinished = path.with_name(f".{secrets.token_hex(8)}.tmp")  # a name that nobody has, and nobody can foresee
    try:
        with unfinished.open("xb") as file:
            file.write(contents)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def next_free_path(path: Path) -> Path:
    """Return a path that does not exist yet: this one, else `name-2.xlsx` and so on."""
    free, number = path, 2
    while free.exists():
        free, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return free


def orders_to_json(orders: pd.DataFrame, findings: pd.DataFrame) -> str:
    """Return orders and findings as JSON: what a run keeps, so that any later process can review it."""
    source: Source = orders.attrs[SOURCE]
    return json.dumps(
        {
            "source": asdict(source),
            "rows": orders.index.tolist(),
            "columns": orders.columns.tolist(),
            "cells": orders.to_numpy().tolist(),
            "findings": findings.to_dict("split", index=False),
        }
    )


def orders_from_json(text: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the orders and findings that `orders_to_json` wrote."""
    kept = json.loads(text)
    rows = pd.Index(kept["rows"], name="row", dtype="int64")
    orders = pd.DataFrame(kept["cells"], index=rows, columns=kept["columns"], dtype=object).astype(DTYPE)
    source = kept["source"]
    for name in ("headers", "columns"):
        source[name] = tuple(source[name])
    # Earlier versions kept each repair with its names.
    source["repairs"] = tuple(Repair(**one) if isinstance(one, dict) else Repair(*one) for one in source["repairs"])
    orders.attrs[SOURCE] = Source(**source)
    return orders, pd.DataFrame(**kept["findings"], dtype=object).astype({"row": "int64"})
