"""Orders in: a spreadsheet, a CSV file, pasted text or a DataFrame becomes a table of text, with nothing lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import IO

import numpy as np
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, WIRE
from itnio_nb.errors import InputError
from itnio_nb.orders.formats.headers import SEARCHED, api_column, find_header_row, name_columns, require_columns
from itnio_nb.orders.formats.raw_table import RawTable, are_numbers
from itnio_nb.orders.formats.source import parse_table, read_source
from itnio_nb.orders.models import RESULT_COLUMNS, SOURCE, Repair, Source
from itnio_nb.orders.repair import repair
from itnio_nb.orders.text_columns import DTYPE, TextColumn, cell_text, to_text_column

ESCAPED = r"^'('*[=+\-@\t\r])"  # what `escape_formula` makes


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
    XLSX, XLS and CSV are distinguished by content. What is detected can be overruled: `sheet`, a name or a number
    from 0 (the first); `encoding` (by its mark, else UTF-8, UTF-16, GB18030 or Windows-1252); `delimiter` (comma,
    semicolon, tab or bar); `header`, the row of the headers (the first that has most of them); `columns`, what the
    columns are, in a file without headers.

    Headers are recognised in the API's names, snake case, plain English and Chinese, in any case and order. Cells
    are never guessed at: `007` stays `007`, `NA` stays `NA`. What can be repaired without loss is repaired and listed.
    A DataFrame with an index of its own whole numbers keeps it; one with the default index is numbered from
    2, as a spreadsheet would show it under its header. Raises `InputError` where nothing can be read.
    """
    given = _constants(constants)
    if isinstance(source, pd.DataFrame):
        return _from_frame(source, given)
    name, data = read_source(source)
    table = parse_table(name, data, sheet=sheet, encoding=encoding, delimiter=delimiter)
    if not len(table.rows):
        raise InputError(f"{name} is empty: it needs a row of headers ({', '.join(API_COLUMNS)}) and orders below it.")
    headers, header_row, body = _split_headers(name, table, header, columns)
    return _orders(body, headers, Source(name, table.kind, len(body.rows), header_row, details=table.details), given)


def _constants(constants: Mapping[str, str] | None) -> dict[str, str]:
    """Return the values that are given for all rows, by the API's name of their column."""
    named = {WIRE.get(name) or api_column(name) or name: cell_text(cell) for name, cell in (constants or {}).items()}
    unknown = [name for name in named if name not in API_COLUMNS]
    if unknown:
        raise InputError(f"Constants are for {', '.join(API_COLUMNS)}, not for {', '.join(unknown)}.")
    return named


def _split_headers(
    name: str, table: RawTable, header: int | None, columns: Sequence[str] | None
) -> tuple[list[str], int, RawTable]:
    """Return the headers, the number of their row (0 where they were given), and the rows below them."""
    if columns is not None:
        if len(columns) != (there := len(table.columns)):
            raise InputError(f"{name} has {there} columns, and {len(columns)} were named in columns=[...].")
        return list(columns), 0, table
    if header is None:
        at = find_header_row(table.head(SEARCHED))
    elif header in table.rows:
        at = int(np.flatnonzero(table.rows == header)[0])
    else:
        raise InputError(f"{name} has nothing in row {header}: header is the number of the row that has the headers.")
    body = table.take(slice(at + 1, None))
    if table.widths is not None and body.widths is not None:
        _require_width(name, body, body.widths, int(table.widths[at]))
    return table.head(1, start=at)[0], int(table.rows[at]), body


def _require_width(name: str, body: RawTable, widths: np.ndarray, width: int) -> None:
    """Refuse a row that is wider than its header: its cells have slipped."""
    slipped = np.flatnonzero((widths > width) & body.filled(first_column=width))
    if len(slipped):
        at = slipped[0]
        raise InputError(
            f"{name}: row {body.rows[at]} has {widths[at]} cells, the header has {width}: "
            "put quotes around a cell that holds the delimiter, or name the missing columns."
        )


def _from_frame(frame: pd.DataFrame, given: dict[str, str]) -> pd.DataFrame:
    source, index = frame.attrs.get(SOURCE), frame.index
    whole_numbers = pd.api.types.is_integer_dtype(index) and index.is_unique
    own_rows = whole_numbers and not index.equals(pd.RangeIndex(len(frame)))
    rows = index.to_numpy() if own_rows else np.arange(2, len(frame) + 2)
    if not isinstance(source, Source) or not frame.columns.is_unique:
        headers = [str(header) for header in frame.columns]
        return _orders(_raw_table(frame, rows), headers, Source("table", "DataFrame", len(frame), 0), given)
    # Orders that were read before: columns may have been added or dropped since.
    original = dict(zip(source.columns, source.headers, strict=True))
    names = [name for name in source.columns if name in frame.columns]
    names += [name for name in frame.columns if name not in original]
    table = _raw_table(frame[names], rows)
    orders = _orders(table, [str(name) for name in names], replace(source, rows=len(frame)), given)
    read: Source = orders.attrs[SOURCE]
    orders.attrs[SOURCE] = replace(read, headers=tuple(original.get(name, name) for name in read.columns))
    return orders


def _raw_table(frame: pd.DataFrame, rows: np.ndarray) -> RawTable:
    cells = [frame.iloc[:, at] for at in range(frame.shape[1])]
    columns = [to_text_column(column) for column in cells]
    numbers = [None if was_text else are_numbers(cells[at].astype(object)) for at, (_, was_text) in enumerate(columns)]
    return RawTable([texts for texts, _ in columns], rows, "DataFrame", "", numbers)


def _orders(table: RawTable, headers: list[str], source: Source, given: dict[str, str]) -> pd.DataFrame:
    """Name the columns, repair the API's and put them first."""
    texts = table.columns
    if any(header in RESULT_COLUMNS for header in headers):
        headers = [re.sub(ESCAPED, r"\1", header) for header in headers]
        texts = [cells.replace(ESCAPED, r"\1") for cells in texts]
    names = _column_names(texts, headers, source, given)
    index = pd.Index(table.rows, dtype="int64", name="row")
    repairs: list[Repair] = []
    columns: dict[str, pd.Series] = {}
    for at, name in names.items():
        cells = texts[at]
        if name in API_COLUMNS:
            cells, made = repair(name, cells, table.rows, table.numbers[at] if table.numbers else None)
            repairs += made
        columns[name] = cells.to_series(index)
    columns |= {name: pd.Series(value, index=index, dtype=DTYPE) for name, value in given.items()}
    ordered = [*API_COLUMNS, *(name for name in columns if name not in API_COLUMNS)]
    orders = pd.DataFrame({name: columns[name] for name in ordered}, index=index, copy=False)
    kept = (*(headers[at] for at in names), *given)
    orders.attrs[SOURCE] = replace(source, headers=kept, columns=tuple(columns), repairs=(*source.repairs, *repairs))
    return orders


def _column_names(texts: list[TextColumn], headers: list[str], source: Source, given: dict[str, str]) -> dict[int, str]:
    """Return what the column at each position is called in the orders; our own columns and empty ones are left out."""
    found = name_columns(headers)
    clash = [name for name in given if name in found]
    if clash:
        raise InputError(f"{source.name} has a column for {', '.join(clash)}: leave it out of the constants.")
    require_columns(source.name, [*headers, *given], [*found, *given], source.header_row)
    seen: Counter[str] = Counter()
    names: dict[int, str] = {}
    for at, name in enumerate(found):
        if name in RESULT_COLUMNS or (not name.strip() and not texts[at].lengths().any()):
            continue
        label = name if name.strip() else f"column {at + 1}"
        while label in names.values():
            seen[name] += 1
            label = f"{name} ({seen[name] + 1})"
        names[at] = label
    return names
