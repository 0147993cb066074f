"""Sheets of XLSX, XLS and ODS workbooks: which one has the orders, its cells, what its format hides."""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from itnio_nb.api.text import listed, plural, shortened
from itnio_nb.errors import InputError
from itnio_nb.orders.formats.excel.package import Package, Sheet
from itnio_nb.orders.formats.headers import SEARCHED, known_headers
from itnio_nb.orders.formats.raw_table import Doubt, RawTable, are_numbers
from itnio_nb.orders.formats.settings import setting
from itnio_nb.orders.text_columns import TextColumn, cell_text, text_column

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
SIGNATURES = (_ZIP, _OLE)  # how an XLSX and an XLS file begin
_HAS_HEADERS = 3  # columns of the API that a sheet of orders must have
_ORDERS = 3  # rank of a sheet with headers and something below them
_EPOCH, _DAYS_1904, _LEAP_DAY = datetime(1899, 12, 30), 1462, 60


def parse_excel(name: str, data: bytes, sheet: str | int | None, wanted: Collection[str]) -> RawTable:
    """Return the cells of one sheet: the visible one that has the `wanted` columns, unless another is named."""
    from python_calamine import CalamineError, CalamineWorkbook

    package = Package(data if data.startswith(_ZIP) else b"")
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        chosen, others = _choose_sheet(name, book, sheet, package.opens_on, wanted)
        rows = _read_cells(book, chosen, package)
    except BaseException as error:  # a panic of the library's Rust is no Exception
        known = isinstance(error, CalamineError | OSError | ValueError | OverflowError)
        if not (known or type(error).__name__ == "PanicException"):
            raise
        problem = f"{name} is not a spreadsheet that can be read ({shortened(error)}): save it again as XLSX."
        raise InputError(problem) from None
    columns = list(zip(*rows, strict=True))
    texts = [text_column(map(cell_text, cells)) for cells in columns]
    notes = package.sheet(chosen)
    return RawTable(
        texts,
        np.arange(1, len(rows) + 1),
        package.kind or ("XLSB" if data.startswith(_ZIP) else "XLS"),
        f"sheet {shortened(chosen)}{'' if package.kind == 'XLSX' else ', hidden rows cannot be told'}",
        [are_numbers(cells) for cells in columns],
        typed=[_typed_numbers(cells, package.since_1904) for cells in columns],
        hidden=notes.hidden_rows(),
        doubts=[*_other_sheets(chosen, others), *_cell_doubts(notes, texts)],
        comments=package.comments,
        sheet=chosen,
        sheets=_visible_sheets(book),
    )


def _read_cells(book: CalamineWorkbook, sheet: str, package: Package) -> list[list[Any]]:
    try:
        return book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    except OverflowError:  # a display number that a format shows as hours is more than Python has
        from python_calamine import CalamineWorkbook

        book = CalamineWorkbook.from_filelike(io.BytesIO(package.without_durations()))
        return book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)


def _choose_sheet(
    name: str, book: CalamineWorkbook, sheet: str | int | None, opens_on: str, wanted: Collection[str]
) -> tuple[str, list[str]]:
    """Return the name of the sheet to read, and of those that might be meant too."""
    if sheet is not None:
        return _sheet_name(name, book.sheet_names, sheet), []
    visible = _visible_sheets(book)
    if not visible:
        problem = f"{name} has no visible sheet of cells. Its sheets: {listed(book.sheet_names)}"
        way = f", or give its name {setting('sheet')}" if setting("sheet") else ""
        raise InputError(f"{problem}. Show the one that has the orders{way}.")
    if len(visible) == 1:
        return visible[0], []
    ranks = {one: _rank(book.get_sheet_by_name(one).to_python(nrows=SEARCHED + 1), wanted) for one in visible}
    best = [one for one in visible if ranks[one] == max(ranks.values())]
    chosen = opens_on if opens_on in best else best[0]
    return chosen, [one for one in visible if one != chosen and ranks[one] >= _ORDERS]


def _rank(rows: list[list[Any]], wanted: Collection[str]) -> int:
    """Return how likely it is that a sheet with these first rows is the one that is meant."""
    filled = [cells for row in rows if any(cells := [*map(cell_text, row)])]
    with_orders = known_headers(filled[:-1])
    if len(with_orders) >= _HAS_HEADERS:
        return _ORDERS + (with_orders >= set(wanted))
    return 2 if len(known_headers(filled)) >= _HAS_HEADERS else 1 if filled else 0


def _visible_sheets(book: CalamineWorkbook) -> tuple[str, ...]:
    """Return the names of the sheets that are shown and have cells; a chart has none."""
    return tuple(
        one.name
        for one in book.sheets_metadata
        if str(one.visible).endswith(".Visible") and str(one.typ).endswith(".WorkSheet")
    )


def _sheet_name(name: str, names: Sequence[str], sheet: str | int) -> str:
    if isinstance(sheet, int) and 0 <= sheet < len(names):
        return names[sheet]
    if sheet in names:
        return str(sheet)
    alike = [one for one in names if str(sheet).strip().casefold() == one.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
    meant = sheet if isinstance(sheet, int) else repr(shortened(sheet))
    raise InputError(f"{name} has no sheet {meant}. Its sheets: {listed(names)}.")


def _other_sheets(chosen: str, others: list[str]) -> list[Doubt]:
    have = "has" if len(others) == 1 else "have"
    problem = (
        f"is from sheet {shortened(chosen)}; {plural(len(others), 'other sheet')} {have} orders too: {listed(others)}"
    )
    way = f" Otherwise give the name of the other one {setting('sheet')}." if setting("sheet") else ""
    return [Doubt((), None, problem, f"Is this the sheet that is meant?{way}")] if others else []


def _cell_doubts(notes: Sheet, texts: list[TextColumn]) -> Iterator[Doubt]:
    """Yield what explains why cells are empty, or 0: one doubt for a column."""
    for at, rows in notes.merged_cells().items():
        empty = set((np.flatnonzero(texts[at].lengths() == 0) + 1).tolist()) if at < len(texts) else set()
        if lost := sorted(empty.intersection(rows)):
            problem = "is merged with another cell, which has the value"
            yield Doubt(lost, at, problem, "Unmerge the cells, and fill in each of them.")
    for at, rows in notes.uncalculated_cells().items():
        problem = "has a formula that no spreadsheet program has calculated yet"
        yield Doubt(rows, at, problem, "Open the file in a spreadsheet program, save it, and read it again.")


def _typed_numbers(cells: tuple[Any, ...], since_1904: bool) -> dict[int, str]:
    """Return the numbers that were typed into cells which a format shows as dates or times, by row number."""
    dates = ((at, cell) for at, cell in enumerate(cells, 1) if isinstance(cell, date | time | timedelta))
    return {at: cell_text(_serial(cell, since_1904)) for at, cell in dates}


def _serial(cell: date | time | timedelta, since_1904: bool) -> float:
    """Return the number of days that a spreadsheet keeps for a date, a time or a duration."""
    if isinstance(cell, time):
        return (cell.hour * 3600 + cell.minute * 60 + cell.second + cell.microsecond / 1e6) / 86400
    if isinstance(cell, timedelta):
        return cell / timedelta(days=1)
    moment = cell if isinstance(cell, datetime) else datetime(cell.year, cell.month, cell.day)
    days = (moment - _EPOCH) / timedelta(days=1) - _DAYS_1904 * since_1904
    if since_1904 or days > _LEAP_DAY:
        return days
    # Up to the 29th of February 1900, which never was, the library counts a day more; that day and the 28th are one.
    return days - 1 if days < _LEAP_DAY else math.nan
