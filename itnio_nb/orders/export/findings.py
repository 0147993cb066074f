"""The findings as a workbook, for the colleague who made the file: every cell where it stood, coloured, explained."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from pathlib import Path

import pandas as pd
import xlsxwriter

from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.orders.check import check_orders
from itnio_nb.orders.export.files import write_atomically
from itnio_nb.orders.export.tables import new_workbook
from itnio_nb.orders.models import FINDING_COLUMNS, OURS, SHOWN_AS_DATE, SOURCE, Source
from itnio_nb.orders.read import LAST_ROW, read_orders

# The worst first. Readable with black text; a comment begins with the severity, for those who see no colours.
SEVERITY_COLOURS = {"error": "#F8B4B4", "warning": "#FFE699", "repaired": "#C6E0B4"}
_EXACT_NUMBER = re.compile("0|[1-9][0-9]{0,14}")  # a spreadsheet keeps 15 digits of a number
_MAX_CELL = 32_767  # characters
_LAST_COLUMN = 16_384
_MAX_COMMENT = 1500  # characters; a spreadsheet shows no more at a glance
_CUT = f"had more than the {_MAX_CELL:,} characters that a cell of a spreadsheet holds: the others are not in this file"
_Said = dict[tuple[int, str], list[tuple[str, str]]]  # by row and column: severity, words


def write_findings(orders: pd.DataFrame, findings: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write the orders as XLSX, as they came, for the colleague who made them; return the path.

        write_findings(orders, findings, "phones-to-mend.xlsx")

    Every cell stands where it stood, as text, with its own header. A cell with a finding is red (`error`), yellow
    (`warning`) or green (`repaired`, shown as it was before), and its comment says what is wrong and what to do;
    also where a cell has more than a spreadsheet holds, and is cut.
    Corrected and saved, the file can be read with `read_orders`. An existing file of that name is replaced only if
    this function wrote it; else, and where the path cannot be written, `InputError` is raised.
    """
    if list(findings.columns) != list(FINDING_COLUMNS):
        raise InputError("The findings are those of check_orders: write_findings(orders, check_orders(orders), path).")
    read = read_orders(orders)
    if len(read) and (int(read.index.max()) > LAST_ROW or len(read.columns) > _LAST_COLUMN):
        size = f"{LAST_ROW:,} rows and {_LAST_COLUMN:,} columns"
        raise InputError(f"A spreadsheet holds {size}, and these orders have more: write their parts, one by one.")
    said = _said_by_cell(_for_rows_of(read, orders, findings))
    try:
        path = Path(path)
        if path.exists() and not _is_ours(path):
            raise InputError(f"{path} exists and holds something else: choose another name, such as to-mend.xlsx.")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _workbook(read, said))
    except (OSError, TypeError, ValueError) as error:  # a path can be wrong in many ways
        reason = os_error_reason(error)
        raise InputError(f"The findings cannot be written to {path!s} ({reason}): choose another path.") from None
    return path


def _for_rows_of(read: pd.DataFrame, orders: pd.DataFrame, findings: pd.DataFrame) -> pd.DataFrame:
    """Return the findings with the rows of the file that is written, where those of the orders could not be kept."""
    if read.index.equals(orders.index):
        return findings
    if not orders.index.is_unique:  # which row is meant cannot be told
        return check_orders(read)
    row = dict(zip(orders.index, read.index, strict=True))
    return findings.assign(row=findings["row"].map(row)) if findings["row"].isin(row).all() else findings


def _said_by_cell(findings: pd.DataFrame) -> _Said:
    cells: _Said = {}
    for row, column, _, problem, advice, severity in zip(*(findings[name] for name in FINDING_COLUMNS), strict=True):
        cells.setdefault((row, column), []).append((severity, f"{severity}: {problem}. {advice}"))
    return cells


def _is_ours(path: Path) -> bool:
    """Whether a file is one that `write_findings` wrote."""
    try:
        with zipfile.ZipFile(path) as parts:
            return OURS in parts.read("docProps/core.xml").decode("utf-8", "replace")
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


def _workbook(orders: pd.DataFrame, said: _Said) -> bytes:
    source: Source = orders.attrs[SOURCE]
    # What is wrong or doubtful in the file that was read, and not to be seen in this one: reading this tells it again.
    doubts = [one for one in source.repairs if one.severity != "repaired" and one.before == one.after]
    data = io.BytesIO()
    with new_workbook(data) as book:
        book.set_properties({"comments": f"{OURS}\n{json.dumps(doubts)}"})
        sheet = book.add_worksheet("Orders")
        first = max(source.header_row, 1) - 1
        bold = book.add_format({"num_format": "@", "bold": True})
        for column, name in enumerate(source.headers):
            sheet.write_string(first, column, _writable(name), bold)
        _write_cells(book, sheet, orders, said)
        sheet.freeze_panes(first + 1, 0)
        sheet.set_column(0, max(len(source.columns) - 1, 0), 20)
    return data.getvalue()


def _write_cells(
    book: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet, orders: pd.DataFrame, said: _Said
) -> None:
    """Write every cell as it was in the file, coloured by the worst of its findings."""
    source: Source = orders.attrs[SOURCE]
    colours = {one: {"bg_color": colour} for one, colour in SEVERITY_COLOURS.items()} | {"": {}}
    formats = {one: book.add_format({"num_format": "@", **colour}) for one, colour in colours.items()}
    dates = {one: book.add_format({"num_format": "yyyy-mm-dd", **colour}) for one, colour in colours.items()}
    changes = {(one.row, one.column): one for one in reversed(source.repairs) if one.before != one.after}
    for place, name in enumerate(source.columns):
        numbers = source.are_numbers(name, orders.index.to_numpy()).tolist()
        for row, cell, is_number in zip(orders.index.tolist(), orders[name].tolist(), numbers, strict=True):
            lines, text, change = said.get((row, name), []), cell, changes.get((row, name))
            as_date = False
            if change is not None and change.after == cell:
                as_date = change.how == SHOWN_AS_DATE
                text = cell if as_date else change.before
            if len(text) > _MAX_CELL:
                lines = [*lines, ("warning", f"warning: {_CUT}.")]
            worst = min((severity for severity, _ in lines), key=list(SEVERITY_COLOURS).index, default="")
            # A number whose format may have shown more stays one, so that the doubt is there when it is read again.
            if as_date or (is_number and _EXACT_NUMBER.fullmatch(text)):
                sheet.write_number(row - 1, place, int(text), dates[worst] if as_date else formats[worst])
            elif text or lines:
                sheet.write_string(row - 1, place, _writable(text), formats[worst])
            if lines:
                comment = _writable("\n".join(words for _, words in lines))[:_MAX_COMMENT]
                sheet.write_comment(row - 1, place, comment, {"x_scale": 2.5, "y_scale": 1.5, "author": "itnio-nb"})


def _writable(text: str) -> str:
    """Return a text as a spreadsheet can hold it: cut where it is too long, and without characters that XML has not."""
    return re.sub("[\ud800-\udfff\ufffe\uffff]", "\ufffd", text)[:_MAX_CELL]
