"""Orders in: a spreadsheet, a CSV file, pasted text or a DataFrame becomes a table of text, with nothing lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import IO

import numpy as np
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, WIRE
from itnio_nb.api.text import listed
from itnio_nb.errors import InputError, MissingColumnsError
from itnio_nb.orders.export.formulas import unescape_formula, unescape_formulas
from itnio_nb.orders.formats.headers import (
    SEARCHED,
    api_column,
    find_header_row,
    name_columns,
    require_columns,
    require_divided,
    require_matches,
)
from itnio_nb.orders.formats.raw_table import RawTable, are_numbers
from itnio_nb.orders.formats.source import parse_table, read_source
from itnio_nb.orders.models import RESULT_COLUMNS, SOURCE, Repair, Source, runs_of
from itnio_nb.orders.repair import put_typed_numbers, repair
from itnio_nb.orders.rules.doubts import SLIPPED, file_doubts
from itnio_nb.orders.text_columns import DTYPE, TextColumn, cell_text, to_text_column

_SAMPLED = 20  # cells from which a column is guessed
_FIRST_ROW, LAST_ROW = 2, 1_048_576  # of orders in a spreadsheet


def read_orders(
    source: str | PathLike[str] | bytes | IO[bytes] | pd.DataFrame,
    *,
    sheet: str | int | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: int | None = None,
    columns: Sequence[str] | None = None,
    constants: Mapping[str, str] | None = None,
    match: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Read orders: the five API columns as text, then every other column; indexed by spreadsheet row.

        orders = read_orders("phones.xlsx")
        orders.attrs["itnio"]        # what was detected, the original headers, what was repaired
        read_orders("phones.csv", constants={"appId": "4luaKsL2"})      # one value for all rows
        read_orders("phones.csv", match={"phoneName": "Handset prefix"})   # the header of a column

    `source` is a path, the bytes of a file, an open binary file, text pasted from a spreadsheet, or a DataFrame.
    XLSX, XLS and CSV are distinguished by content. What is detected can be overruled: `sheet`, a name or a number
    from 0 (the first); `encoding` (by its mark, else UTF-8, UTF-16, GB18030 or Windows-1252); `delimiter` (comma,
    semicolon, tab or bar); `header`, the row of the headers (the first that has most of them), 0 for a file without
    headers, whose columns are called "column 1" and so on; `columns`, what the columns of such a file are. `match`
    gives the header of a column that is not recognised, "" for none; where one is missing, the error has the likeliest
    ones, with three cells of each.

    Headers are recognised in the API's names, snake case, plain English and Chinese, in any case and order. Cells
    are never guessed at: `007` stays `007`, `NA` stays `NA`. What can be repaired without loss is repaired and listed.
    A DataFrame whose index can be rows of a spreadsheet, from 2 downwards, keeps it; any other is numbered from 2,
    as a spreadsheet would show it under its header. Raises `InputError` where nothing can be read.
    """
    given, match = _constants(constants), _by_column(match)
    if isinstance(source, pd.DataFrame):
        return _from_frame(source, given, match)
    name, data = read_source(source)
    wanted = [column for column in API_COLUMNS if column not in given]
    table = parse_table(name, data, sheet=sheet, encoding=encoding, delimiter=delimiter, wanted=wanted, match=match)
    read = Source(name, table.kind, 0, 0, details=table.details, sheet=table.sheet, sheets=table.sheets)
    headers, header_row, body = _split_headers(read.label, table, header, columns, match)
    return _orders(body, headers, replace(read, rows=len(body.rows), header_row=header_row), given, match)


def _by_column(given: Mapping[str, str] | None) -> dict[str, str]:
    """Return what is given by column, by the API's name of it."""
    return {WIRE.get(name) or api_column(name) or name: cell_text(cell) for name, cell in (given or {}).items()}


def _constants(constants: Mapping[str, str] | None) -> dict[str, str]:
    """Return the values that are given for all rows, by the API's name of their column."""
    named = _by_column(constants)
    unknown = [name for name in named if name not in API_COLUMNS]
    if unknown:
        raise InputError(f"Constants are for {', '.join(API_COLUMNS)}, not for {listed(unknown)}.")
    return named


def _split_headers(
    name: str, table: RawTable, header: int | None, columns: Sequence[str] | None, match: Mapping[str, str]
) -> tuple[list[str], int, RawTable]:
    """Return the headers, the number of their row (0 where they were given), and the rows below them."""
    if not len(table.rows):
        raise InputError(f"{name} is empty: it needs a row of headers ({', '.join(API_COLUMNS)}) and orders below it.")
    if columns is not None:
        if len(columns) != (there := len(table.columns)):
            raise InputError(f"{name} has {there} columns, and {len(columns)} were named in columns=[...].")
        return list(columns), 0, table
    if header == 0:
        return [f"column {place}" for place in range(1, len(table.columns) + 1)], 0, table
    if header is None:
        at = find_header_row(table.head(SEARCHED), match)
    elif header in table.rows:
        at = int(np.flatnonzero(table.rows == header)[0])
    else:
        raise InputError(f"{name} has nothing in row {header}: header is the number of the row that has the headers.")
    headers = table.head(1, start=at)[0]
    require_divided(name, headers)
    body = table.take(slice(at + 1, None))
    if table.widths is not None and body.widths is not None:
        body = replace(body, slipped=_slipped_rows(name, body, body.widths, int(table.widths[at])))
    return headers, int(table.rows[at]), body


def _slipped_rows(name: str, body: RawTable, widths: np.ndarray, width: int) -> dict[int, str]:
    """Return the rows that are wider than their header, and what is told of each; raise `InputError` where all are."""
    slipped = np.flatnonzero((widths > width) & body.filled(first_column=width))
    words = [f"has {cells} cells, the header has {width}" for cells in widths[slipped].tolist()]
    if len(slipped) and len(slipped) == len(body.rows):
        more = f" (and so all {len(slipped):,} rows)" if len(slipped) > 1 else ""
        raise InputError(f"{name}: row {body.rows[slipped[0]]} {words[0]}{more}: {SLIPPED}.")
    return dict(zip(body.rows[slipped].tolist(), words, strict=True))


def _from_frame(frame: pd.DataFrame, given: dict[str, str], match: dict[str, str]) -> pd.DataFrame:
    source, index = frame.attrs.get(SOURCE), frame.index
    if isinstance(source, Source):  # CSV may have more rows than a spreadsheet
        first, last = max(source.header_row + 1, 1), None
    else:
        first, last = _FIRST_ROW, LAST_ROW
    rows = index.to_numpy() if _are_rows(index, first, last) else np.arange(2, len(frame) + 2)
    if not isinstance(source, Source) or not frame.columns.is_unique:
        headers = [str(header) for header in frame.columns]
        return _orders(_raw_table(frame, rows), headers, Source("table", "DataFrame", len(frame), 0), given, match)
    # Orders that were read before: columns may have been added or dropped since.
    original = dict(zip(source.columns, source.headers, strict=True))
    names = [name for name in source.columns if name in frame.columns]
    names += [name for name in frame.columns if name not in original]
    table = _raw_table(frame[names], rows)
    orders = _orders(table, [str(name) for name in names], replace(source, rows=len(frame)), given, match)
    read: Source = orders.attrs[SOURCE]
    orders.attrs[SOURCE] = replace(read, headers=tuple(original.get(name, name) for name in read.columns))
    return orders


def _are_rows(index: pd.Index, first: int, last: int | None) -> bool:
    """Whether an index has rows of a spreadsheet, each once, from the one below its headers on."""
    if not pd.api.types.is_integer_dtype(index) or not len(index):
        return False
    return bool(index.is_unique and index.min() >= first and (last is None or index.max() <= last))


def _raw_table(frame: pd.DataFrame, rows: np.ndarray) -> RawTable:
    cells = [frame.iloc[:, at] for at in range(frame.shape[1])]
    columns = [to_text_column(column) for column in cells]
    numbers = [None if was_text else are_numbers(cells[at].tolist()) for at, (_, was_text) in enumerate(columns)]
    return RawTable([texts for texts, _ in columns], rows, "DataFrame", "", numbers)


def _orders(
    table: RawTable, headers: list[str], source: Source, given: dict[str, str], match: dict[str, str]
) -> pd.DataFrame:
    """Name the columns, repair the API's and put them first."""
    texts = table.columns
    if any(header in RESULT_COLUMNS for header in headers):
        headers = [unescape_formula(header) for header in headers]
        texts = [unescape_formulas(cells) for cells in texts]
    names = _column_names(texts, headers, source, given, match)
    index = pd.Index(table.rows, dtype="int64", name="row")
    repairs: list[Repair] = []
    numbers = dict(source.numbers)
    columns: dict[str, pd.Series] = {}
    for at, name in names.items():
        cells = texts[at]
        if name in ("displayNum", "quantity") and table.typed:
            cells, made = put_typed_numbers(name, cells, table.rows, table.typed[at])
            repairs += made
        if name in API_COLUMNS:
            cells, made = repair(name, cells, table.rows)
            repairs += made
            if table.numbers and (where := table.numbers[at]) is not None:
                numbers[name] = runs_of(table.rows[where])
        columns[name] = cells.to_series(index)
    repairs += file_doubts(table, names, texts)
    columns |= {name: pd.Series(value, index=index, dtype=DTYPE) for name, value in given.items()}
    ordered = [*API_COLUMNS, *(name for name in columns if name not in API_COLUMNS)]
    orders = pd.DataFrame({name: columns[name] for name in ordered}, index=index, copy=False)
    kept = (*(headers[at] for at in names), *given)
    repairs = [*source.repairs, *repairs]
    orders.attrs[SOURCE] = replace(
        source, headers=kept, columns=tuple(columns), repairs=tuple(repairs), numbers=numbers
    )
    return orders


def _samples(texts: list[TextColumn], at: int) -> list[str]:
    """Return the first cells of a column that are not blank."""
    cells = texts[at].take(slice(0, _SAMPLED)).to_numpy().tolist() if at < len(texts) else []
    return [cell for cell in cells if cell.strip()]


def _column_names(
    texts: list[TextColumn], headers: list[str], source: Source, given: dict[str, str], match: dict[str, str]
) -> dict[int, str]:
    """Return what the column at each position is called in the orders; our own columns and empty ones are left out."""
    require_matches(source.label, headers, match)
    found = name_columns(headers, match)
    clash = [name for name in given if name in found]
    if clash:
        raise InputError(f"{source.label} has a column for {listed(clash)}: give no value for all rows besides.")
    try:
        require_columns(source.label, headers, found, [*given], source.header_row, partial(_samples, texts))
    except MissingColumnsError as error:
        error.label, error.sheet, error.sheets = source.label, source.sheet, source.sheets
        raise
    seen: Counter[str] = Counter()
    names: dict[int, str] = {}
    taken: set[str] = set()
    for at, name in enumerate(found):
        if name in RESULT_COLUMNS or (not name.strip() and not texts[at].lengths().any()):
            continue
        label = name if name.strip() else f"column {at + 1}"
        while label in taken:
            seen[name] += 1
            label = f"{name} ({seen[name] + 1})"
        taken.add(label)
        names[at] = label
    return names
