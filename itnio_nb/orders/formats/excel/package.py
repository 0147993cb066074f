"""What the parts of an XLSX or ODS file say besides its cells: where it opens, its calendar, what nobody sees."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Mapping
from functools import cached_property
from xml.etree import ElementTree

import numpy as np

from itnio_nb.orders.formats.excel.plain import BEGINNING, column_position

TEXTS = "xl/sharedStrings.xml"
_SMALL = 4 << 20  # bytes of a part that describes others
_LARGE = 1 << 30  # bytes of any
_HIDDEN_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*?\bhidden=[\"'](?:1|true)[\"'][^>]*>")
_NUMBER = re.compile(rb"\br=[\"'](\d{1,7})[\"']")
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\b[^>]*?\bref=[\"']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})[\"']")
_MOST_MERGED = 1 << 20  # cells
# A cell with a formula, as programs write it that do not calculate: without a value, or with 0.
_FORMULA_CELL = re.compile(
    rb"<(?:\w+:)?c\b([^>]*?\br=[\"']([A-Z]{1,3})(\d{1,7})[\"'][^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)"
    rb"\s*(<(?:\w+:)?v\s*(?:/>|>0?</(?:\w+:)?v>))?\s*</(?:\w+:)?c>"
)

_DAMAGED = (KeyError, OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


class Package:
    """The parts of a file; where one is missing or damaged it says nothing, and the cells are read all the same.

    `has_unread` tells whether there is anything that was asked for and could not be read: nobody knows what the
    library will find there.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._parts = zipfile.ZipFile(io.BytesIO(data)) if data else None
        except zipfile.BadZipFile:
            self._parts = None
        self._last = ("", b"")
        parts = self._parts.infolist() if self._parts else []
        self._paths = {part.filename.casefold(): part.filename for part in parts}  # as the library finds them
        self.has_unread = len(self._paths) < len(parts) or any(part.file_size > _LARGE for part in parts)
        self.kind = "ODS" if "content.xml" in self._paths else "XLSX" if "xl/workbook.xml" in self._paths else ""

    @cached_property
    def _workbook(self) -> ElementTree.Element:
        return _parse(self._read("xl/workbook.xml"))

    @property
    def since_1904(self) -> bool:
        """Whether its dates are counted from 1904."""
        return any(part.get("date1904") in ("1", "true") for part in self._workbook.iterfind("{*}workbookPr"))

    @property
    def opens_on(self) -> str:
        """Return the sheet on which the workbook opens, "" where that is not said."""
        if self.kind == "ODS":
            found = re.search(rb'config:name="ActiveTable"[^>]*>([^<]*)<', self._read("settings.xml"))
            return found[1].decode("utf-8", "replace") if found else ""
        views = [part.get("activeTab", "0") for part in self._workbook.iterfind("{*}bookViews/{*}workbookView")]
        sheets = [part.get("name", "") for part in self._workbook.iterfind("{*}sheets/{*}sheet")]
        at = int(views[0]) if views and views[0].isdecimal() else 0
        return sheets[at] if at < len(sheets) else ""

    @cached_property
    def comments(self) -> str:
        """Return what the file's properties say of it."""
        return _parse(self._read("docProps/core.xml")).findtext("{*}description") or ""

    def sheet(self, name: str) -> Sheet:
        """Return what is said about the cells of a sheet: nothing unless it is XLSX."""
        return Sheet(self.read(self.sheet_parts.get(name, "")) if self.kind == "XLSX" else b"")

    def read(self, part: str) -> bytes:
        """Return a part as it is; "" where it is missing, damaged or larger than 1 GiB. The last one is kept."""
        if self._last[0] != part:
            self._last = (part, self._read(part, _LARGE))
        return self._last[1]

    def texts_counts(self) -> tuple[list[str], int]:
        """Return how many texts the part of all texts says that it has, and its size: no numbers and 0 without one."""
        path = self._paths.get(TEXTS.casefold())
        if self._parts is None or path is None:
            return [], 0
        try:
            with self._parts.open(path) as file:
                root = _root(file.read(BEGINNING))
            if root is not None and root.tag.rpartition("}")[2] == "sst":
                counts = [text for name, text in root.attrib.items() if name in ("count", "uniqueCount")]
                return counts, self._parts.getinfo(path).file_size
        except _DAMAGED:
            pass
        self.has_unread = True
        return [], 0

    def rewritten(self, parts: Mapping[str, bytes]) -> bytes:
        """Return the file with other contents in some parts."""
        data, changed = io.BytesIO(), {part.casefold(): content for part, content in parts.items()}
        with zipfile.ZipFile(data, "w") as copy:
            for part in filter(None, self._paths.values()):
                copy.writestr(part, changed[part.casefold()] if part.casefold() in changed else self.read(part))
        return data.getvalue()

    def _read(self, name: str, limit: int = _SMALL) -> bytes:
        path = self._paths.get(name.casefold())
        if self._parts is not None and path is not None:
            try:
                if self._parts.getinfo(path).file_size <= limit:
                    return self._parts.read(path)
            except _DAMAGED:
                pass
            self.has_unread = True
        return b""

    @cached_property
    def sheet_parts(self) -> dict[str, str]:
        """Return for each sheet the part that has its cells."""
        relations = {
            part.get("Id"): part.get("Target", "") for part in _parse(self._read("xl/_rels/workbook.xml.rels"))
        }
        parts = {}
        for sheet in self._workbook.iterfind("{*}sheets/{*}sheet"):
            targets = [relations.get(value, "") for name, value in sheet.attrib.items() if name.endswith("}id")]
            target = next(filter(None, targets), "")
            parts[sheet.get("name", "")] = (
                target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
            )
        return parts


class Sheet:
    """What the XML of a sheet says of its rows and cells besides their values."""

    def __init__(self, xml: bytes) -> None:
        self._xml = xml

    def hidden_rows(self) -> np.ndarray:
        """Return the numbers of the rows that are hidden by hand, by a filter or in a folded outline."""
        rows = _HIDDEN_ROW.findall(self._xml) if b"hidden=" in self._xml else []
        return np.array([int(number[1]) for row in rows if (number := _NUMBER.search(row))], dtype=int)

    def merged_cells(self) -> dict[int, list[int]]:
        """Return the cells that are merged with one above or to the left: by position of the column, their rows."""
        cells: dict[int, list[int]] = {}
        left = _MOST_MERGED
        for first, top, last, bottom in _MERGED.findall(self._xml) if b"mergeCell" in self._xml else ():
            columns, rows = range(column_position(first), column_position(last) + 1), range(int(top), int(bottom) + 1)
            left -= len(columns) * len(rows)
            for column in columns if left > 0 else ():
                cells.setdefault(column, []).extend(rows[1:] if column == columns[0] else rows)
        return cells

    def uncalculated_cells(self) -> dict[int, list[int]]:
        """Return the cells whose formula has no value yet, or 0: by position of the column, their rows."""
        cells: dict[int, list[int]] = {}
        for attributes, column, row, value in _FORMULA_CELL.findall(self._xml) if b"<f" in self._xml else ():
            if not (value and b't="str"' in attributes):  # that is an empty text which was calculated
                cells.setdefault(column_position(column), []).append(int(row))
        return cells


def _root(beginning: bytes) -> ElementTree.Element | None:
    """Return the first element of a part that is in UTF-8; None where its beginning has none."""
    if b"\0" in beginning:
        return None
    try:
        # The beginning is small, and expat bounds entities.
        element: ElementTree.Element = next(ElementTree.iterparse(io.BytesIO(beginning), ["start"]))[1]  # noqa: S314
    except (ElementTree.ParseError, LookupError, StopIteration):
        return None
    return element


def _parse(xml: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(xml or b"<none/>")  # noqa: S314 - small, and expat bounds entities
    except (ElementTree.ParseError, LookupError, ValueError):  # an encoding that nobody knows
        return ElementTree.Element("none")
