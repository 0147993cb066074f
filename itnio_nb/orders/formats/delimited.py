"""Text with delimiters: CSV files and what is pasted from a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from itertools import zip_longest

import numpy as np

from itnio_nb.errors import InputError
from itnio_nb.orders.formats.encodings import to_utf8
from itnio_nb.orders.formats.raw_table import RawTable
from itnio_nb.orders.text_columns import TextColumn, read_regular_csv, text_column

_HEAD = 1 << 16  # bytes in which the first lines are
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def parse_csv(name: str, data: bytes, encoding: str | None, delimiter: str | None) -> RawTable:
    """Return the cells of a text; its encoding and delimiter are detected where they are not given."""
    if delimiter is not None and len(delimiter) != 1:
        raise InputError(f"A delimiter is one character, not {delimiter!r}: ',', ';' or '\\t'.")
    utf8, details = to_utf8(name, data, encoding)
    if b"\0" in utf8:
        raise InputError(f"{name} is neither a spreadsheet nor CSV text: save it as XLSX or as CSV UTF-8.")
    if hint := re.match(rb'"?sep=(.)"?\r?\n', utf8):  # Excel's own first line, which it does not show as a row
        delimiter, utf8 = delimiter or hint[1].decode("latin-1"), utf8[hint.end() :]
    head = _first_lines(utf8)
    if not head:
        return RawTable([], np.array([], dtype=int), "CSV", "")
    delimiter = delimiter or _guess_delimiter(head)
    columns, widths = None, None
    if delimiter.isascii() and _has_a_row_in_each_line(utf8):
        columns = read_regular_csv(utf8, delimiter, len(next(csv.reader([head[0]], delimiter=delimiter))))
    if columns is None:
        columns, widths = _irregular_columns(name, utf8.decode("utf-8"), delimiter)
    rows = np.arange(1, 1 + (len(columns[0]) if columns else 0))
    return RawTable(columns, rows, "CSV", f"{details}, {_DELIMITERS.get(delimiter, delimiter)}", widths=widths)


def _has_a_row_in_each_line(utf8: bytes) -> bool:
    """Whether no line is empty, and none ends in the old way, with a carriage return alone."""
    old = b"\r" in utf8 and (utf8.count(b"\r") != utf8.count(b"\r\n") or b"\n\r" in utf8)
    ends = np.flatnonzero(np.frombuffer(utf8, dtype=np.uint8) == ord("\n"))
    return not old and not utf8.startswith((b"\r", b"\n")) and not (np.diff(ends) == 1).any()


def _first_lines(utf8: bytes) -> list[str]:
    """Return the first lines that hold more than blanks and delimiters."""
    blank = len(utf8) - len(utf8.lstrip(b' ,;|\t\r\n"'))
    lines = utf8[blank : blank + _HEAD].decode("utf-8", "ignore").splitlines()
    return [line for line in lines if line.strip(' ,;|\t\r"')][:20]


def _guess_delimiter(head: list[str]) -> str:
    """Return the delimiter that makes the first lines widest, the most alike."""

    def merit(delimiter: str) -> tuple[int, int]:
        counts = [line.count(delimiter) for line in head]
        usual = max(set(counts), key=counts.count)
        return (min(usual, 4), max(counts))

    return max(_DELIMITERS, key=merit)


def _irregular_columns(name: str, text: str, delimiter: str) -> tuple[list[TextColumn], np.ndarray]:
    """Read rows of different widths, blank rows, old line ends; return the columns and the width of each row."""
    rows: list[list[str]] = []
    try:
        rows.extend(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        problem = f"row {len(rows) + 1} cannot be read ({error}): look for a quote that is not closed"
        raise InputError(f"{name}: {problem}.") from None
    return [text_column(cells) for cells in zip_longest(*rows, fillvalue="")], np.array([len(row) for row in rows], int)
