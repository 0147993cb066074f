"""Text with delimiters: CSV files and what is pasted from a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest

import numpy as np

from itnio_nb.api.text import plural, shortened
from itnio_nb.errors import InputError
from itnio_nb.orders.formats.encodings import to_utf8
from itnio_nb.orders.formats.headers import known_headers
from itnio_nb.orders.formats.raw_table import Doubt, RawTable
from itnio_nb.orders.text_columns import TextColumn, read_regular_csv, text_column

_MAX_CELLS = 30_000_000  # of a file whose rows differ in width
_HEAD = 1 << 16  # bytes in which the first lines are
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def parse_csv(
    name: str, data: bytes, encoding: str | None, delimiter: str | None, match: Mapping[str, str]
) -> RawTable:
    """Return the cells of a text; its encoding and delimiter are detected where they are not given."""
    if delimiter is not None and len(delimiter) != 1:
        raise InputError(f"A delimiter is one character, not {shortened(delimiter)!r}: ',', ';' or '\\t'.")
    utf8, details, guess = to_utf8(name, data, encoding)
    if b"\0" in utf8:
        raise InputError(_nul_problem(name, utf8))
    if hint := re.match(rb'"?sep=(.)"?\r?\n', utf8):  # Excel's own first line, which it does not show as a row
        delimiter, utf8 = delimiter or hint[1].decode("latin-1"), utf8[hint.end() :]
    head = _first_lines(utf8)
    if not head:
        return RawTable([], np.array([], dtype=int), "CSV", "")
    delimiter = delimiter or _guess_delimiter(head, match)
    columns, widths = None, None
    if delimiter.isascii() and _has_a_row_in_each_line(utf8):
        columns = read_regular_csv(utf8, delimiter, len(next(csv.reader([head[0]], delimiter=delimiter))))
    if columns is None:
        columns, widths = _irregular_columns(name, utf8.decode("utf-8"), delimiter)
    rows = np.arange(1, 1 + (len(columns[0]) if columns else 0))
    kind = f"{details}, {_DELIMITERS.get(delimiter, delimiter)}"
    swallowed = list(_swallowed_rows(columns, delimiter)) if b'"' in utf8 else []
    return RawTable(columns, rows, "CSV", kind, widths=widths, guess=guess, doubts=swallowed)


def _nul_problem(name: str, utf8: bytes) -> str:
    nuls = utf8.count(b"\0")
    if utf8.rstrip(b"\0\r\n").count(b"\0") == 0 and nuls < len(utf8):
        return f"{name} ends in NUL characters: it was not written to its end. Copy or export it once more."
    if b"," not in utf8[:_HEAD] or nuls > 3 + 0.01 * len(utf8):
        return f"{name} is neither a spreadsheet nor CSV text: save it as XLSX or as CSV UTF-8."
    row = utf8.count(b"\n", 0, utf8.index(b"\0")) + 1
    return f"{name} has a NUL character in row {row}, which no text has: type that row again, or save it as XLSX."


def _swallowed_rows(columns: list[TextColumn], delimiter: str) -> Iterator[Doubt]:
    """Yield a doubt for each cell with line breaks and as many delimiters as rows have: a quote was not closed."""
    least = max(1, len(columns) - 2)  # a row that begins or ends in the cell has one less
    for texts in columns:
        broken = np.flatnonzero(texts.matches("[\r\n]"))
        for at, cell in zip(broken.tolist(), texts.take(broken).to_numpy().tolist(), strict=True):
            lines = sum(line.count(delimiter) >= least for line in cell.splitlines())
            if lines:
                problem = (
                    f"is in a row with a cell of several lines, {plural(lines, 'line')} of which look like an order"
                )
                advice = "Look for a quote that is not closed in this row: the orders behind it are in that cell."
                yield Doubt((at + 1,), None, problem, advice)


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


def _guess_delimiter(head: list[str], match: Mapping[str, str]) -> str:
    """Return the delimiter that yields the most headers, else the one that makes the lines widest and most alike."""

    def merit(delimiter: str) -> tuple[int, int, int]:
        try:
            rows = list(csv.reader(head, delimiter=delimiter))
        except csv.Error:
            rows = []
        counts = [line.count(delimiter) for line in head]
        usual = max(set(counts), key=counts.count)
        return len(known_headers(rows, match)), min(usual, 4), max(counts)

    return max(_DELIMITERS, key=merit)


def _irregular_columns(name: str, text: str, delimiter: str) -> tuple[list[TextColumn], np.ndarray]:
    """Read rows of different widths, blank rows, old line ends; return the columns and the width of each row."""
    rows: list[list[str]] = []
    try:
        rows.extend(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        problem = f"row {len(rows) + 1} cannot be read ({error}): look for a quote that is not closed"
        raise InputError(f"{name}: {problem}.") from None
    widths = np.array([len(row) for row in rows], dtype=int)
    if len(rows) * widths.max(initial=0) > _MAX_CELLS:
        rows = [_without_blank_end(row) for row in rows]
        filled = np.array([len(row) for row in rows], dtype=int)
        if len(rows) * filled.max(initial=0) > _MAX_CELLS:
            at = int(filled.argmax())
            problem = f"row {at + 1} has {filled[at]:,} cells, and the file {len(rows):,} rows"
            raise InputError(f"{name}: {problem}: look for a delimiter that is repeated there, or split the file.")
    return [text_column(cells) for cells in zip_longest(*rows, fillvalue="")], widths


def _without_blank_end(row: list[str]) -> list[str]:
    last = next((at for at in range(len(row), 0, -1) if row[at - 1].strip()), 0)
    return row[:last]
