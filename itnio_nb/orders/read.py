"""Tables in: a spreadsheet, a CSV file, pasted text or a DataFrame becomes orders, as text, with nothing lost."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Number
from os import PathLike
from typing import IO

import numpy as np
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, WIRE
from itnio_nb.errors import InputError
from itnio_nb.orders.formats import RawTable, parse_table, read_source
from itnio_nb.orders.headers import find_headers, known, plain, require_columns
from itnio_nb.orders.models import SOURCE, Repair, Source, cell_text
from itnio_nb.orders.repair import repair
from itnio_nb.orders.text_columns import DTYPE, Column, are_digits, column_of, lengths, objects, replaced, series, some

# The columns that result files add. They are dropped when such a file is read again.
RESULT_COLUMNS = ("itnio_row", "itnio_state", "itnio_status", "itnio_reason", "itnio_advice", "itnio_sent_at")

# A cell that a spreadsheet would run as a formula. Result files put an apostrophe before it (and one more
# before a cell that already looks like that), so that reading them again gives the very same text.
_FORMULA_LIKE = re.compile(r"^(?![+\-]?\d+(?:\.\d+)?$)('*[=+\-@\t\r])")
_GUARDED = r"^'('*[=+\-@\t\r])"
_AS_NUMBER = "is a number where text belongs: a 0 at its beginning would be lost"


def read_orders(
    source: str | PathLike[str] | bytes | IO[bytes] | pd.DataFrame,
    *,
    sheet: str | int | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: int | None = None,
    columns: Sequence[str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Read orders: the five API columns as text, then every other column; indexed by spreadsheet row.

        orders = read_orders("phones.xlsx")
        orders.attrs["itnio"]        # what was detected, the original headers, what was repaired
        read_orders("phones.csv", constants={"appId": "4luaKsL2"})      # one value for all rows

    `source` is a path, the bytes of a file, an open binary file, text pasted from a spreadsheet, or a DataFrame.
    XLSX, XLS and CSV are told apart by their content. What is detected can be overruled: `sheet`, a name or a number
    from 0 (the first); `encoding` (by its mark, else UTF-8, UTF-16, GB18030 or Windows-1252); `delimiter` (comma,
    semicolon, tab or bar); `header`, the row of the headers (the first that has most of them); `columns`, what the
    columns are, in a file without headers.

    Headers are recognised in the API's words, snake case, plain English and Chinese, in any case and order. Cells
    are never guessed at: `007` stays `007`, `NA` stays `NA`. What can be mended without loss is mended and listed.
    A DataFrame with an index of its own whole numbers keeps it; one with the default index is numbered from
    2, as a spreadsheet would show it under its header. Raises `InputError` where nothing can be read.
    """
    given = _constants(constants)
    if isinstance(source, pd.DataFrame):
        return _from_frame(source, given)
    name, data = read_source(source)
    grid = parse_table(name, data, sheet=sheet, encoding=encoding, delimiter=delimiter)
    if not len(grid.rows):
        raise InputError(f"{name} is empty: it needs a row of headers ({', '.join(API_COLUMNS)}) and orders below it.")
    if columns is not None:
        headers, header_row, body = _given_headers(name, columns, grid), 0, grid
    else:
        place = _header_place(name, grid, header)
        headers, header_row = _row(grid, place), int(grid.rows[place])
        body = grid.below(place)
        _require_width(name, body, len(headers) if grid.widths is None else int(grid.widths[place]))
    return _orders(
        body, headers, Source(name, grid.kind, len(body.rows), header_row, (), (), details=grid.details), given
    )


def escape_formula(text: str) -> str:
    """Put an apostrophe before a text that a spreadsheet would run as a formula; a plain number stays."""
    return _FORMULA_LIKE.sub(r"'\1", text)


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return a table of text as CSV: UTF-8 with its mark, every field quoted, no cell that would run as a formula."""
    guarded = frame.map(escape_formula).set_axis([escape_formula(str(name)) for name in frame.columns], axis=1)
    return guarded.to_csv(index=False, quoting=csv.QUOTE_ALL).encode("utf-8-sig", "backslashreplace")


def _constants(constants: Mapping[str, str] | None) -> dict[str, str]:
    """Return the values that are given for all rows, by the API's name of their column."""
    named = {WIRE.get(name) or known(name) or name: cell_text(value) for name, value in (constants or {}).items()}
    unknown = [name for name in named if name not in API_COLUMNS]
    if unknown:
        raise InputError(f"Constants are for {', '.join(API_COLUMNS)}, not for {', '.join(unknown)}.")
    return named


def _row(grid: RawTable, place: int) -> list[str]:
    return [texts[place].as_py() for texts in grid.columns]


def _header_place(name: str, grid: RawTable, header: int | None) -> int:
    if header is None:
        return find_headers([_row(grid, place) for place in range(min(len(grid.rows), 60))])
    found = np.flatnonzero(grid.rows == header)
    if not len(found):
        raise InputError(f"{name} has nothing in row {header}: header is the number of the row that has the headers.")
    return int(found[0])


def _given_headers(name: str, columns: Sequence[str], grid: RawTable) -> list[str]:
    if len(columns) != len(grid.columns):
        raise InputError(f"{name} has {len(grid.columns)} columns, and {len(columns)} were named in columns=[...].")
    return list(columns)


def _require_width(name: str, body: RawTable, width: int) -> None:
    """Refuse a row that is wider than its header: its cells have slipped."""
    if body.widths is None:
        return
    for place in np.flatnonzero(body.widths > width):
        if any(cell.strip() for cell in _row(body, int(place))[width:]):
            raise InputError(
                f"{name}: row {body.rows[place]} has {body.widths[place]} cells, the header has {width}: "
                "put quotes around a cell that holds the delimiter, or name the missing columns."
            )


def _from_frame(frame: pd.DataFrame, given: dict[str, str]) -> pd.DataFrame:
    source = frame.attrs.get(SOURCE)
    own_rows = (
        pd.api.types.is_integer_dtype(frame.index)
        and frame.index.is_unique
        and not frame.index.equals(pd.RangeIndex(len(frame)))
    )
    rows = frame.index.to_numpy() if own_rows else np.arange(2, len(frame) + 2)
    if not isinstance(source, Source) or not frame.columns.is_unique:
        headers = [str(header) for header in frame.columns]
        return _orders(_frame_grid(frame, rows), headers, Source("table", "DataFrame", len(frame), 0, (), ()), given)
    # Orders that were read before: columns may have been added or dropped since.
    original = dict(zip(source.columns, source.headers, strict=True))
    kept = [name for name in source.columns if name in frame.columns]
    names = [*kept, *(name for name in frame.columns if name not in original)]
    grid = _frame_grid(frame[names], rows)
    orders = _orders(grid, [str(name) for name in names], replace(source, rows=len(frame)), given)
    again: Source = orders.attrs[SOURCE]
    orders.attrs[SOURCE] = replace(again, headers=tuple(original.get(name, name) for name in again.columns))
    return orders


def _frame_grid(frame: pd.DataFrame, rows: np.ndarray) -> RawTable:
    columns, raw = [], []
    for at in range(frame.shape[1]):
        texts, was_text = column_of(frame.iloc[:, at], cell_text)
        columns.append(texts)
        raw.append(None if was_text else frame.iloc[:, at].astype(object).tolist())
    return RawTable(columns, rows, "DataFrame", "", raw)


def _orders(body: RawTable, headers: list[str], source: Source, given: dict[str, str]) -> pd.DataFrame:
    """Name the columns, put the API's first, mend what can be mended."""
    texts = body.columns
    if any(header in RESULT_COLUMNS for header in headers):
        headers = [re.sub(_GUARDED, r"\1", header) for header in headers]
        texts = [replaced(cells, _GUARDED, r"\1") for cells in texts]
    names = _column_names(texts, headers, source, given)
    kept = [at for at, name in enumerate(names) if name is not None]
    columns = [str(names[at]) for at in kept]
    repairs: list[Repair] = []
    cells: dict[str, pd.Series] = {}
    index = pd.Index(body.rows, dtype="int64", name="row")
    for at, name in zip(kept, columns, strict=True):
        raw = body.raw[at] if body.raw is not None else None
        mended = _mended(name, texts[at], raw, body.rows, repairs) if name in API_COLUMNS else texts[at]
        cells[name] = series(mended, index)
    for name, value in given.items():
        cells[name] = pd.Series(value, index=index, dtype=DTYPE)
        columns.append(name)
    extra = [name for name in columns if name not in API_COLUMNS]
    orders = pd.DataFrame({name: cells[name] for name in (*API_COLUMNS, *extra)}, index=index, copy=False)
    original = (*(headers[at] for at in kept), *given)
    orders.attrs[SOURCE] = replace(
        source, headers=original, columns=tuple(columns), repairs=(*source.repairs, *repairs)
    )
    return orders


def _column_names(texts: list[Column], headers: list[str], source: Source, given: dict[str, str]) -> list[str | None]:
    """Return what each column is called in the orders, None for one that is left out."""
    found = [known(header) or header for header in headers]
    exact = {plain(name) for name in API_COLUMNS}
    for at, name in enumerate(found):  # a column that bears the API's own name is it; another word for it is an extra
        if name in API_COLUMNS and plain(headers[at]) not in exact and _bears(headers, name):
            found[at] = headers[at]
    clash = [name for name in given if name in found]
    if clash:
        raise InputError(f"{source.name} has a column for {', '.join(clash)}: leave it out of the constants.")
    require_columns(source.name, [*headers, *given], [*found, *given], source.header_row)
    seen: Counter[str] = Counter()
    names: list[str | None] = []
    for at, name in enumerate(found):
        if name in RESULT_COLUMNS or (not name.strip() and not lengths(texts[at]).any()):
            names.append(None)
            continue
        label = name if name.strip() else f"column {at + 1}"
        while label in names:
            seen[name] += 1
            label = f"{name} ({seen[name] + 1})"
        names.append(label)
    return names


def _bears(headers: list[str], name: str) -> bool:
    return sum(plain(header) == plain(name) for header in headers) == 1


def _mended(name: str, texts: Column, raw: list[object] | None, rows: np.ndarray, repairs: list[Repair]) -> Column:
    """Mend a column without loss, and list each cell that changed: before, after, how."""
    mended, hows = repair(name, texts)
    if raw is not None and name != "quantity":  # a quantity is a number: nothing to tell
        number = np.array([isinstance(cell, Number) and not isinstance(cell, bool) for cell in raw], dtype=bool)
        number &= are_digits(mended)
        hows = [(number, _AS_NUMBER), *hows]
    told = np.zeros(len(texts), dtype=np.int64)  # a bit for each kind of repair
    for bit, (where, _) in enumerate(hows):
        told |= where.astype(np.int64) << bit
    at = np.flatnonzero(told)
    words = {
        code: "; ".join(how for bit, (_, how) in enumerate(hows) if code >> bit & 1)
        for code in np.unique(told[at]).tolist()
    }
    before, after = objects(some(texts, at)), objects(some(mended, at))
    how = [words[code] for code in told[at].tolist()]
    advice = [
        f"Compare {new} with the true value." if said.startswith(_AS_NUMBER) else f"Nothing to do: read as {new}."
        for new, said in zip(after, how, strict=True)
    ]
    cells = (rows[at].tolist(), [name] * len(at), before.tolist(), after.tolist(), how, advice)
    repairs += map(Repair._make, zip(*cells, strict=True))
    return mended
