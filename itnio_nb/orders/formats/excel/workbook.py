"""Sheets of XLSX, XLS and ODS workbooks: which one has the orders, its cells, what its format hides."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from itnio_nb.api.text import listed, plural, shortened
from itnio_nb.errors import InputError
from itnio_nb.orders.formats.excel.isolated import IsolatedWorkbook
from itnio_nb.orders.formats.excel.package import TEXTS, Package, Sheet
from itnio_nb.orders.formats.excel.plain import (
    Extent,
    compact,
    extent_of,
    first_rows,
    has_false_counts,
    has_text_in_values,
    simplify,
    without_counts,
    without_empty_cells,
)
from itnio_nb.orders.formats.headers import SEARCHED, known_headers
from itnio_nb.orders.formats.raw_table import Doubt, RawTable, are_numbers
from itnio_nb.orders.formats.settings import setting
from itnio_nb.orders.text_columns import TextColumn, cell_text, text_column

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
SIGNATURES = (_ZIP, _OLE)  # how an XLSX and an XLS file begin
_HAS_HEADERS = 3  # columns of the API that a sheet of orders must have
_FEW_COLUMNS = 256
_ORDERS = 3  # rank of a sheet with headers and something below them
_TIMES = (date, time, timedelta)
_EPOCH, _DAYS_1904, _LEAP_DAY = datetime(1899, 12, 30), 1462, 60


class Wanted(NamedTuple):
    """What a sheet of orders has: columns of the API, and the headers of some of them."""

    columns: frozenset[str]
    match: Mapping[str, str]


class _Book(NamedTuple):
    """A workbook that is open."""

    workbook: CalamineWorkbook | IsolatedWorkbook
    numbers: dict[str, np.ndarray]  # for a sheet without its empty rows: the numbers of those that have cells
    problems: dict[str, str]  # for a sheet of which only the first rows are there: why


def parse_excel(name: str, data: bytes, sheet: str | int | None, wanted: Wanted) -> RawTable:
    """Return the cells of one sheet: the visible one that has the `wanted` columns, unless another is named."""
    package = Package(data if data.startswith(_ZIP) else b"")
    try:
        book = _open(name, data, package, is_simple=False)
        chosen, others = _choose_sheet(name, book, sheet, package.opens_on, wanted)
        rows = book.workbook.get_sheet_by_name(chosen).to_python(skip_empty_area=False)
    except BaseException as error:  # a panic of the library's Rust is no Exception
        if not _is_known(error):
            raise
        book, chosen, others, rows = _read_simplified(name, data, package, sheet, wanted, error)
    numbers = _row_numbers(book.numbers.get(chosen, np.zeros(0, dtype=int)), len(rows))
    columns = _filled_columns(rows)
    texts = [_texts(cells) for cells in columns.values()]
    notes = package.sheet(chosen)
    return RawTable(
        texts,
        numbers,
        package.kind or ("XLSB" if data.startswith(_ZIP) else "XLS"),
        f"sheet {shortened(chosen)}{'' if package.kind == 'XLSX' else ', hidden rows cannot be told'}",
        [are_numbers(cells) for cells in columns.values()],
        typed=[_typed_numbers(cells, numbers, package.since_1904) for cells in columns.values()],
        hidden=notes.hidden_rows(),
        doubts=[*_other_sheets(chosen, others), *_cell_doubts(notes, dict(zip(columns, texts, strict=True)), numbers)],
        comments=package.comments,
        sheet=chosen,
        sheets=_visible_sheets(book.workbook),
    )


def _texts(cells: tuple[Any, ...]) -> TextColumn:
    """Return the cells of a column as text; most columns are of text already."""
    return text_column(cells if set(map(type, cells)) == {str} else map(cell_text, cells))


def _row_numbers(known: np.ndarray, rows: int) -> np.ndarray:
    """Return the numbers of so many rows: those that are known, and on from the last of them."""
    last = int(known[-1]) if len(known) else 0
    return np.concatenate((known, np.arange(last + 1, last + 1 + rows - len(known))))[:rows]


def _filled_columns(rows: list[list[Any]]) -> dict[int, tuple[Any, ...]]:
    """Return the cells of each column by its position; of a wide sheet without the empty ones, which are nearly all."""
    columns = dict(enumerate(zip(*rows, strict=True)))
    if len(columns) <= _FEW_COLUMNS:
        return columns
    return {at: cells for at, cells in columns.items() if any(cell != "" for cell in cells)}


def _is_known(error: BaseException) -> bool:
    """Whether a file can be the cause of an error, a panic of the library's Rust included."""
    from python_calamine import CalamineError

    kinds = (CalamineError, OSError, ValueError, OverflowError)
    return isinstance(error, kinds) or type(error).__name__ == "PanicException"


def _read_simplified(
    name: str, data: bytes, package: Package, sheet: str | int | None, wanted: Wanted, error: BaseException
) -> tuple[_Book, str, list[str], list[list[Any]]]:
    """Read a file again without what the library may have stumbled over; raise `InputError` where that fails too."""
    if package.kind == "XLSX" and not package.has_unread:
        try:
            book = _open(name, data, package, is_simple=True)
            chosen, others = _choose_sheet(name, book, sheet, package.opens_on, wanted)
            return book, chosen, others, book.workbook.get_sheet_by_name(chosen).to_python(skip_empty_area=False)
        except BaseException as again:
            if not _is_known(again):
                raise
    problem = f"{name} is not a spreadsheet that can be read ({shortened(error)}): save it again as XLSX."
    raise InputError(problem) from None


def _open(name: str, data: bytes, package: Package, *, is_simple: bool) -> _Book:
    """Open a workbook: XLSX here, all its cells looked at first; any other in a process of its own."""
    from python_calamine import CalamineWorkbook

    if package.kind != "XLSX":
        return _isolated(data)
    changed, numbers, problems = {}, {}, {}
    for sheet, part in package.sheet_parts.items():
        xml = package.read(part)
        extent = extent_of(xml)
        if extent and extent.is_too_large:
            xml = changed[part] = without_empty_cells(xml)
            extent = extent_of(xml)
        if extent and (extent.is_too_large or extent.is_impossible):
            problems[sheet] = _too_large(name, sheet, extent)
            changed[part] = first_rows(xml, extent)
        elif extent and extent.is_sparse:
            changed[part], numbers[sheet] = compact(xml, extent.rows), np.array(extent.rows)
        if is_simple or has_text_in_values(xml):
            changed[part] = simplify(part, changed.get(part, xml))
    if is_simple:
        changed |= {part: simplify(part, package.read(part)) for part in ("xl/styles.xml", "xl/workbook.xml")}
    if has_false_counts(*package.texts_counts()):
        changed[TEXTS] = without_counts(package.read(TEXTS))
    if package.has_unread:
        return _isolated(data)
    data = package.rewritten(changed) if changed else data
    return _Book(CalamineWorkbook.from_filelike(io.BytesIO(data)), numbers, problems)


def _isolated(data: bytes) -> _Book:
    workbook = IsolatedWorkbook(data)
    return _Book(workbook, workbook.numbers, {})


def _too_large(name: str, sheet: str, extent: Extent) -> str:
    if extent.is_impossible:
        row = f"{extent.rows[-1]:,}"
        return f"{name}: sheet {shortened(sheet)} has a cell in row {shortened(row)}: save it again as XLSX."
    size = f"{len(extent.rows):,} rows of {extent.columns:,} columns"
    if extent.columns > _FEW_COLUMNS:
        return f"{name}: sheet {shortened(sheet)} has {size}: delete what stands far away, as {extent.cell}."
    return f"{name}: sheet {shortened(sheet)} has {size}: split it into several files."


def _choose_sheet(
    name: str, book: _Book, sheet: str | int | None, opens_on: str, wanted: Wanted
) -> tuple[str, list[str]]:
    """Return the name of the sheet to read, and of those that might be meant too."""
    chosen, others = _guess_sheet(name, book.workbook, sheet, opens_on, wanted)
    if chosen in book.problems:
        raise InputError(book.problems[chosen])
    return chosen, others


def _guess_sheet(
    name: str, book: CalamineWorkbook | IsolatedWorkbook, sheet: str | int | None, opens_on: str, wanted: Wanted
) -> tuple[str, list[str]]:
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


def _rank(rows: list[list[Any]], wanted: Wanted) -> int:
    """Return how likely it is that a sheet with these first rows is the one that is meant."""
    filled = [cells for row in rows if any(cells := [*map(cell_text, row)])]
    with_orders = known_headers(filled[:-1], wanted.match)
    if len(with_orders) >= _HAS_HEADERS:
        return _ORDERS + (with_orders >= wanted.columns)
    return 2 if len(known_headers(filled, wanted.match)) >= _HAS_HEADERS else 1 if filled else 0


def _visible_sheets(book: CalamineWorkbook | IsolatedWorkbook) -> tuple[str, ...]:
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


def _cell_doubts(notes: Sheet, texts: dict[int, TextColumn], numbers: np.ndarray) -> Iterator[Doubt]:
    """Yield what explains why cells are empty, or 0: one doubt for a column, by its place among those kept."""
    merged, uncalculated = notes.merged_cells(), notes.uncalculated_cells()
    for place, (at, cells) in enumerate(texts.items()):
        empty = set(numbers[cells.lengths() == 0].tolist()) if at in merged else set()
        if lost := sorted(empty.intersection(merged.get(at, ()))):
            problem = "is merged with another cell, which has the value"
            yield Doubt(lost, place, problem, "Unmerge the cells, and fill in each of them.")
        if at in uncalculated:
            problem = "has a formula that no spreadsheet program has calculated yet"
            advice = "Open the file in a spreadsheet program, save it, and read it again."
            yield Doubt(uncalculated[at], place, problem, advice)


def _typed_numbers(cells: tuple[Any, ...], numbers: np.ndarray, since_1904: bool) -> dict[int, str]:
    """Return the numbers that were typed into cells which a format shows as dates or times, by row number."""
    if not any(issubclass(kind, _TIMES) for kind in set(map(type, cells))):
        return {}
    dates = ((at, cell) for at, cell in enumerate(cells) if isinstance(cell, _TIMES))
    return {int(numbers[at]): cell_text(_serial(cell, since_1904)) for at, cell in dates}


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
