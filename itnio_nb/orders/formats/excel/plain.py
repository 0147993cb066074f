"""XLSX files made plain: far cells brought near, and what the library cannot read taken away, before it reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from itnio_nb.orders.formats.headers import SEARCHED

_REFERENCE = re.compile(rb"(\sr\s*=\s*)([\"'])([A-Za-z]*)(\d+)\2")
_FAR = rb"r\s*=\s*[\"'](?:[A-Za-z][A-Za-z]|[A-Za-z]?\d{%d})"
_USUAL_DIGITS = 4  # of the number of a row
_OVERLAP = 64  # bytes: a reference is shorter
_NO_ROW = 10_000_000
_WINDOW = 8 << 20  # bytes of a sheet that are looked at together
_SPARSE = 100_000  # cells of missing rows from which a sheet is compacted
_MAX_COLUMNS = 256  # of a large sheet
_MOST_COLUMNS = 16_384  # of any
_MAX_WIDE, _MAX_CELLS = 5_000_000, 30_000_000  # cells of a sheet, with more columns and with fewer
_RANGES = re.compile(rb"<((?:\w+:)?(?:dimension|mergeCells))\b(?:[^>]*/>|.*?</\1>)", re.DOTALL)
_ROW_END = re.compile(rb"</(\w+:)?row\s*>")
_EMPTY_CELL = re.compile(rb"<(?:\w+:)?c\b[^>]*/>|<((?:\w+:)?c)\b[^>]*></\1>")
_EMPTY_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*/>|<((?:\w+:)?row)\b[^>]*>\s*</\1>")
_CELL = re.compile(rb"<((?:\w+:)?c)\b([^>]*?)(?:/>|>(.*?)</\1>)", re.DOTALL)
_TYPE, _PLACE = re.compile(rb"\st=[\"']([^\"']*)[\"']"), re.compile(rb"\sr=[\"']([^\"']*)[\"']")
_VALUE, _IN_LINE = re.compile(rb"<(?:\w+:)?v\b[^>]*>(.*?)</(?:\w+:)?v>", re.DOTALL), re.compile(rb"<(?:\w+:)?is\b")
_NUMBER = re.compile(rb"\s*[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?\s*")
# What the value of a cell of each type must look like; any other is taken as text.
_VALUES = {
    b"": _NUMBER,
    b"n": _NUMBER,
    b"b": re.compile(b"[01]"),
    b"s": re.compile(rb"\d{1,9}"),
    b"d": re.compile(rb"\d{4}-.*"),
}
_TEXTS_TAG = re.compile(rb"<(?:\w+:)?sst\b[^>]*>")
_COUNT = re.compile(rb"\s(?:uniqueC|c)ount\s*=\s*(?:\"[^\"]*\"|'[^']*')")
BEGINNING = 4096  # bytes of the texts
_SHORTEST_TEXT, _MOST_DIGITS = 5, 30  # bytes: <si/>
_STATE = re.compile(rb"\sstate=[\"'](?!hidden|veryHidden|visible)\w*[\"']")  # of a sheet that nobody knows
_DURATION = re.compile(rb"formatCode=\"[^\"]*\[(?:h+|m+|s+)\][^\"]*\"|numFmtId=\"46\"", re.IGNORECASE)


class Extent(NamedTuple):
    """How far the cells of a sheet reach: the numbers of its rows, how many columns, the cell farthest to the right."""

    rows: list[int]
    columns: int
    cell: str

    @property
    def is_sparse(self) -> bool:
        """Whether many rows between the first and the last are not there."""
        return (max(self.rows, default=0) - 2 * len(self.rows)) * self.columns > _SPARSE

    @property
    def is_impossible(self) -> bool:
        """Whether a cell is in a row that no spreadsheet has."""
        return max(self.rows, default=0) >= _NO_ROW

    @property
    def is_too_large(self) -> bool:
        """Whether it has more cells than can be read at once."""
        cells = len(self.rows) * self.columns
        return cells > _MAX_CELLS or (cells > _MAX_WIDE and self.columns > _MAX_COLUMNS)


def extent_of(xml: bytes) -> Extent | None:
    """Return how far the cells of a sheet reach by their references alone, None where that is no farther than usual.

    Usual are columns to Z, and row numbers of as many digits as the number of rows has: then one search is enough.
    """
    digits = max(_USUAL_DIGITS, len(str(xml.count(b"<row"))))
    if not re.compile(_FAR % (digits + 1)).search(xml, max(0, xml.find(b"sheetData"))):
        return None
    numbers, farthest = set[bytes](), (1, b"Z", 0, b"")
    for begin in range(0, len(xml), _WINDOW):
        for _, _, letters, number in _REFERENCE.findall(xml, begin, begin + _WINDOW + _OVERLAP):
            numbers.add(number)
            if len(letters) > 1:
                farthest = max(farthest, (len(letters), letters.upper(), len(number), number))
    _, letters, _, number = farthest
    return Extent(sorted(map(int, numbers)), column_position(letters) + 1, (letters + number).decode())


def without_empty_cells(xml: bytes) -> bytes:
    """Return the XML of a sheet without the cells and rows that have nothing but a format."""
    return _EMPTY_ROW.sub(b"", _EMPTY_CELL.sub(b"", xml))


def first_rows(xml: bytes, extent: Extent) -> bytes:
    """Return the XML of a sheet that cannot be read with its first rows alone, in which headers are looked for."""
    last = next(islice(_ROW_END.finditer(xml), SEARCHED, None), None)
    if last is None or extent.columns > _MOST_COLUMNS:
        return b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData/></worksheet>'
    prefix = last[1] or b""
    return compact(xml[: last.end()], extent.rows) + b"</%bsheetData></%bworksheet>" % (prefix, prefix)


def compact(xml: bytes, rows: list[int]) -> bytes:
    """Return the XML of a sheet with these rows numbered from 1."""
    places = {number: b"%d" % place for place, number in enumerate(rows, 1)}
    return _REFERENCE.sub(lambda one: one[1] + one[2] + one[3] + places[int(one[4])] + one[2], xml)


def has_false_counts(counts: Iterable[str], size: int) -> bool:
    """Whether the texts of a workbook are said to be more than its part, of so many bytes, can have.

    The library makes room for as many as are said, and ends the process where there is none.
    """
    return any(not one.isdecimal() or len(one) > _MOST_DIGITS or int(one) > size // _SHORTEST_TEXT for one in counts)


def without_counts(xml: bytes) -> bytes:
    """Return the texts of a workbook without how many there are said to be at the beginning."""
    head, rest = xml[:BEGINNING], xml[BEGINNING:]
    return _TEXTS_TAG.sub(lambda tag: _COUNT.sub(b"", tag[0]), head) + rest


def simplify(part: str, xml: bytes) -> bytes:
    """Return a part without what the library stumbles over: dimensions, durations, cells that are not as their type."""
    if part == "xl/styles.xml":
        return _DURATION.sub(b"", xml)
    if part == "xl/workbook.xml":
        return _STATE.sub(b"", xml)
    return _CELL.sub(_simple_cell, _RANGES.sub(b"", xml))


def has_text_in_values(xml: bytes) -> bool:
    """Whether cells of text have it where numbers stand, which the library takes for an empty cell."""
    return b"inlineStr" in xml and re.search(rb"\st=[\"']inlineStr[\"'][^>]*><(?:\w+:)?v\b", xml) is not None


def _simple_cell(cell: re.Match[bytes]) -> bytes:
    """Return a cell as the library reads it: text where it has anything else than its type says."""
    tag, attributes, body = cell[1], cell[2], cell[3] or b""
    kind = match[1] if (match := _TYPE.search(attributes)) else b""
    place = match[1] if (match := _PLACE.search(attributes)) else b""
    if place and not re.fullmatch(rb"[A-Z]{1,3}[1-9]\d{0,6}", place):
        attributes = _PLACE.sub(b"", attributes)
    value = match[1] if (match := _VALUE.search(body)) else b""
    is_text = kind in (b"str", b"inlineStr") and (kind == b"str" or _IN_LINE.search(body))
    if not value and _IN_LINE.search(body):
        return b'<%b%b t="inlineStr">%b</%b>' % (tag, _TYPE.sub(b"", attributes), body, tag)
    if is_text or (kind in _VALUES and (not value or _VALUES[kind].fullmatch(value))):
        return b"<%b%b>%b</%b>" % (tag, attributes, body, tag)
    return b'<%b%b t="str"><v>%b</v></%b>' % (tag, _TYPE.sub(b"", attributes), value, tag)


def column_position(letters: bytes) -> int:
    """Return the position of a column: 0 of A, 26 of AA."""
    position = 0
    for letter in letters:
        position = position * 26 + letter - ord("A") + 1
    return position - 1
