"""Tables in: a spreadsheet, a CSV file or a DataFrame becomes orders, as text, with nothing lost."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, replace
from numbers import Number
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from itnio_nb.errors import InputError
from itnio_nb.model import API_COLUMNS, SOURCE, WIRE, Repair, Source, cell_text

# The columns that result files add. They are dropped when such a file is read again.
RESULT_COLUMNS = ("itnio_row", "itnio_state", "itnio_status", "itnio_reason", "itnio_advice", "itnio_sent_at")

# A cell that a spreadsheet would run as a formula. Result files put an apostrophe before it (and one more
# before a cell that already looks like that), so that reading them again gives the very same text.
_FORMULA_LIKE = re.compile(r"^(?![+\-]?\d+(?:\.\d+)?$)('*[=+\-@\t\r])")
_FORMULA_GUARDED = re.compile(r"^'('*[=+\-@\t\r])")

_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class _Grid:
    """Cells as they stand; the index counts the spreadsheet's rows from 0."""

    cells: pd.DataFrame
    kind: str
    details: str


def read_orders(
    source: str | PathLike[str] | bytes | IO[bytes] | pd.DataFrame,
    *,
    sheet: str | int | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> pd.DataFrame:
    """Read orders: the five API columns as text, then every other column; indexed by spreadsheet row.

        orders = read_orders("phones.xlsx")
        orders.attrs["itnio"]        # what was detected, the original headers, what was repaired

    `source` is a path, the bytes of a file, an open binary file or a DataFrame. XLSX, XLS and CSV are told
    apart by their content. `sheet` is a name or a number from 0 (the first sheet without it), `encoding` is
    UTF-8 and `delimiter` the most frequent of comma, semicolon and tab unless given.

    Headers are recognised in any case and order, with or without blanks and underscores (`groupName`,
    `group_name`, `Group Name`). Cells are never guessed at: `007` stays `007`, `NA` stays `NA`. What can be
    mended without loss is mended and listed (outer blanks, a leading `+`, a number stored as a number).
    A DataFrame with an index of its own whole numbers keeps it; one with the default index is numbered from
    2, as a spreadsheet would show it under its header. Raises `InputError` where nothing can be read.
    """
    if isinstance(source, pd.DataFrame):
        return _from_frame(source)
    name, data = _load(source)
    if data.startswith((_ZIP, _OLD_EXCEL)):
        grid = _excel_grid(name, data, sheet)
    else:
        grid = _csv_grid(name, data, encoding, delimiter)
    filled = _filled(grid.cells)
    if not filled.any():
        raise InputError(f"{name} is empty: it needs a row of headers ({', '.join(API_COLUMNS)}) and orders below it.")
    header_at = int(filled.argmax())
    headers = [cell_text(cell) for cell in grid.cells.iloc[header_at]]
    body = grid.cells.iloc[header_at + 1 :][filled[header_at + 1 :]]
    header_row = int(grid.cells.index[header_at]) + 1
    body.index = body.index + 1
    return _orders(body, headers, Source(name, grid.kind, len(body), header_row, (), (), details=grid.details))


def guard_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula; a plain number stays."""
    return _FORMULA_LIKE.sub(r"'\1", text)


def unguard_formula(text: str) -> str:
    """Take away the apostrophe that `guard_formula` put there."""
    return _FORMULA_GUARDED.sub(r"\1", text)


def _from_frame(frame: pd.DataFrame) -> pd.DataFrame:
    known = frame.attrs.get(SOURCE)
    own_rows = (
        pd.api.types.is_integer_dtype(frame.index)
        and frame.index.is_unique
        and not frame.index.equals(pd.RangeIndex(len(frame)))
    )
    rows = frame.index if own_rows else pd.RangeIndex(2, len(frame) + 2)
    body = frame.set_axis(rows, axis=0)
    if not isinstance(known, Source) or not frame.columns.is_unique:
        headers = [str(column) for column in frame.columns]
        return _orders(body, headers, Source("table", "DataFrame", len(frame), 0, (), ()))
    # Orders that were read before: columns may have been added or dropped since.
    original = dict(zip(known.columns, known.headers, strict=True))
    kept = [column for column in known.columns if column in frame.columns]
    columns = [*kept, *(column for column in frame.columns if column not in original)]
    orders = _orders(body[columns], [str(column) for column in columns], replace(known, rows=len(frame)))
    again: Source = orders.attrs[SOURCE]
    orders.attrs[SOURCE] = replace(again, headers=tuple(original.get(column, column) for column in again.columns))
    return orders


def _load(source: str | PathLike[str] | bytes | IO[bytes]) -> tuple[str, bytes]:
    if isinstance(source, bytes | bytearray | memoryview):
        return "upload", bytes(source)
    if not isinstance(source, str | PathLike):
        data = source.read()
        if not isinstance(data, bytes):
            raise InputError('The file was opened as text: open it in binary, as in open(path, "rb").')
        return Path(str(getattr(source, "name", "upload"))).name, data
    path = Path(source)
    try:
        return path.name, path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}: check the name and the folder ({Path.cwd()}).") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path} cannot be read ({why}): give the path of an XLSX or CSV file.") from None


def _excel_grid(name: str, data: bytes, sheet: str | int | None) -> _Grid:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = book.sheet_names
        wanted = _sheet_name(name, names, sheet)
        cells = book.get_sheet_by_name(wanted).to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError) as error:
        raise InputError(f"{name} is not a spreadsheet that can be read ({error}): save it again as XLSX.") from None
    others = f", the first of {len(names)}" if sheet is None and len(names) > 1 else ""
    return _Grid(
        pd.DataFrame(cells, dtype=object), "XLSX" if data.startswith(_ZIP) else "XLS", f"sheet {wanted}{others}"
    )


def _sheet_name(name: str, names: list[str], sheet: str | int | None) -> str:
    wanted = 0 if sheet is None else sheet
    if isinstance(wanted, int) and 0 <= wanted < len(names):
        return names[wanted]
    if wanted not in names:
        raise InputError(f"{name} has no sheet {wanted!r}. Its sheets: {', '.join(names) or 'none'}.")
    return str(wanted)


def _csv_grid(name: str, data: bytes, encoding: str | None, delimiter: str | None) -> _Grid:
    encoding = encoding or "utf-8"
    if delimiter is not None and len(delimiter) != 1:
        raise InputError(f"A delimiter is one character, not {delimiter!r}: ',', ';' or '\\t'.")
    try:
        text = data.decode("utf-8-sig" if encoding.lower().replace("-", "") == "utf8" else encoding)
    except (LookupError, UnicodeError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise InputError(_not_decoded(name, data, encoding, error)) from None
        raise InputError(f"There is no encoding {encoding!r}: try 'utf-8', 'gb18030' or 'cp1252'.") from None
    if "\0" in text:
        raise InputError(f"{name} is neither a spreadsheet nor CSV text: save it as XLSX or as CSV UTF-8.")
    lines = text.split("\n")
    blank = next((at for at, line in enumerate(lines) if line.strip(' ,;\t\r"')), len(lines))
    if blank == len(lines):
        return _Grid(pd.DataFrame(), "CSV", "")
    delimiter = delimiter or max(",;\t", key=lines[blank].count)
    try:
        cells = pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            header=None,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            skiprows=blank,  # the first row decides how many columns there are
        )
    except ValueError as error:  # pandas' own parser errors are ValueErrors
        raise InputError(
            _csv_problem(name, text, delimiter)
            or f"{name} cannot be read as CSV ({error}): save it as XLSX or as CSV UTF-8."
        ) from None
    cells.index = cells.index + blank
    words = {",": "comma", ";": "semicolon", "\t": "tab"}
    return _Grid(cells.astype(object).fillna(""), "CSV", f"{encoding}, {words.get(delimiter, delimiter)}")


def _not_decoded(name: str, data: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    row = data.count(b"\n", 0, error.start) + 1
    return (
        f"{name} is not {encoding} text (row {row}, byte {error.start}): save it as CSV UTF-8, "
        "or say what it is: encoding='cp1252' (western Excel) or 'gb18030' (Chinese Excel)."
    )


def _csv_problem(name: str, text: str, delimiter: str) -> str:
    """Find the row that pandas stumbled over: its own message counts lines, not rows."""
    try:
        width = 0
        for row, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1):
            width = width or (len(cells) if any(cell.strip() for cell in cells) else 0)
            if 0 < width < len(cells):
                return (
                    f"{name}: row {row} has {len(cells)} cells, the header has {width}: "
                    "put quotes around a cell that holds the delimiter, or name the missing columns."
                )
    except csv.Error as error:
        return f"{name}: row {row + 1 if width else 1} cannot be read ({error}): look for a quote that is not closed."
    return ""


def _filled(cells: pd.DataFrame) -> np.ndarray:
    """Tell for each row whether anything but blanks stands in it."""
    filled = np.zeros(len(cells), dtype=bool)
    for column in cells:
        filled |= np.array(
            [bool(cell.strip()) if isinstance(cell, str) else True for cell in cells[column]], dtype=bool
        )
    return filled


def _extra(columns: tuple[str, ...]) -> list[str]:
    return [column for column in columns if column not in API_COLUMNS]


def _plain(header: str) -> str:
    return "".join(header.casefold().split()).replace("_", "").replace("-", "")


_KNOWN_HEADERS = {_plain(wire): wire for wire in WIRE.values()}


def _orders(body: pd.DataFrame, headers: list[str], source: Source) -> pd.DataFrame:
    """Name the columns, put the API's first, turn every cell into text, mend what can be mended."""
    guarded = any(header in RESULT_COLUMNS for header in headers)
    if guarded:
        headers = [unguard_formula(header) for header in headers]
    names = _column_names(body, headers, source.name)
    kept = [at for at, name in enumerate(names) if name is not None]
    columns = [str(names[at]) for at in kept]
    repairs: list[Repair] = []
    texts: dict[str, object] = {}
    for at, column in zip(kept, columns, strict=True):
        cells = body.iloc[:, at].tolist()
        as_it_stood = map(unguard_formula, map(cell_text, cells)) if guarded else map(cell_text, cells)
        text = np.array(list(as_it_stood), dtype=object)
        if column in API_COLUMNS:
            text = _mend(column, cells, text, body.index, repairs)
        texts[column] = text
    orders = pd.DataFrame(
        {column: texts[column] for column in (*API_COLUMNS, *_extra(tuple(columns)))}, index=body.index, dtype=object
    )
    orders.index.name = "row"
    orders.attrs[SOURCE] = replace(
        source, headers=tuple(headers[at] for at in kept), columns=tuple(columns), repairs=(*source.repairs, *repairs)
    )
    return orders


def _column_names(body: pd.DataFrame, headers: list[str], name: str) -> list[str | None]:
    """Return what each column is called in the orders, None for one that is left out."""
    found = [_KNOWN_HEADERS.get(_plain(header), header) for header in headers]
    missing = [column for column in API_COLUMNS if column not in found]
    if missing:
        shown = ", ".join(repr(header) for header in headers if header.strip()) or "none"
        raise InputError(
            f"{name} has no column for {', '.join(missing)}. Its headers: {shown}. Rename or add the column."
        )
    twice = [column for column in API_COLUMNS if found.count(column) > 1]
    if twice:
        raise InputError(f"{name} has more than one column for {', '.join(twice)}: delete or rename all but one.")
    seen: Counter[str] = Counter()
    names: list[str | None] = []
    for at, column in enumerate(found):
        if column in RESULT_COLUMNS or (not column.strip() and body.iloc[:, at].eq("").all()):
            names.append(None)
            continue
        label = column if column.strip() else f"column {at + 1}"
        while label in names:
            seen[column] += 1
            label = f"{column} ({seen[column] + 1})"
        names.append(label)
    return names


def _mend(column: str, cells: list[object], text: np.ndarray, rows: pd.Index, repairs: list[Repair]) -> np.ndarray:
    """Mend without loss, and list each cell that changed: before, after, how."""
    stripped = np.array([value.strip() for value in text], dtype=object)
    mended = stripped
    if column == "displayNum":
        mended = np.array(
            [value[1:] if value[:1] == "+" and value[1:].isdecimal() else value for value in stripped], dtype=object
        )
    number, other = (np.zeros(len(cells), dtype=bool) for _ in range(2))
    if column != "quantity":  # a quantity is a number: nothing to tell
        number = np.array([isinstance(cell, Number) and not isinstance(cell, bool) for cell in cells], dtype=bool)
        other = ~number & np.array([not isinstance(cell, str) for cell in cells], dtype=bool)
    hows = (
        (number, "is a number where text belongs: a 0 at its beginning would be lost"),
        (other, "is a date or a truth value where text belongs"),
        (stripped != text, "had blanks around it"),
        (mended != stripped, "had a + before it"),
    )
    for at in np.flatnonzero((number | other | (mended != text)) & (text != "")).tolist():
        how = "; ".join(words for changed, words in hows if changed[at])
        doubtful = number[at] or other[at]
        advice = f"Compare {mended[at]} with the true value." if doubtful else f"Nothing to do: read as {mended[at]}."
        repairs.append(Repair(int(rows[at]), column, text[at], mended[at], how, advice))
    return mended
