"""A block of cells as spreadsheets put it on the clipboard: text with tabs, and an HTML table beside it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from itnio_nb.api.text import encodable
from itnio_nb.orders.formats.headers import api_column

Block = list[list[str]]  # lines of cells; they may differ in length

# A cell is quoted where its quotes are closed before a tab or a line end: an inch or a nickname is no quote.
_CELL = re.compile(r'"((?:[^"]|"")*)"(?=[\t\r\n]|$)|([^\t\r\n]*)')
_END = re.compile(r"\t|\r\n|\r|\n")
_BREAKS = re.compile(r"[\t\r\n\v\f\x1c-\x1f\x85\u2028\u2029]+")
_HIDDEN = re.compile(r"[+-]?\d([.,]\d+)?[eE][+-]?\d+|#+")  # what a spreadsheet shows of a number that is too wide
_CSV = (";", ",", "|")
_MAX_SPAN = 1000  # cells or rows that one cell of an HTML table covers


def parse_clipboard(text: str, html: str = "") -> Block:
    r"""Return the block of cells that a spreadsheet has put on the clipboard; `[]` where there is none.

    `text` is what counts; `html` is read where there is no text, and for numbers that the text shows as `8.61E+11` or
    `####`. A tab or a line break inside a cell becomes a blank: neither is ever part of a cell. Lines without any tab
    that are alike in their semicolons, commas or bars are rows of CSV, unless a spreadsheet has copied them.

    >>> parse_clipboard('sales\t3\r\n"Hall\n2"\t5\r\n')
    [['sales', '3'], ['Hall 2', '5']]
    """
    table = _Table(html).rows if html else []
    text = text.replace("\0", "").removeprefix("\ufeff")
    if not text.strip("\r\n"):
        return [[cell for cell, _ in line] for line in table]
    lines = _lines(text)
    block = [[clean_cell(cell) for cell in line] for line in (lines if table or "\t" in text else _split_csv(lines))]
    if [len(line) for line in block] != [len(line) for line in table]:
        return block
    return [
        [number if number and _HIDDEN.fullmatch(cell) else cell for cell, (_, number) in zip(ours, theirs, strict=True)]
        for ours, theirs in zip(block, table, strict=True)
    ]


def without_headers(block: Block, columns: list[str], known: list[str]) -> tuple[Block, list[str]]:
    """Return a block without its line of headers, and the columns that its cells are for.

    `columns` are those from the selected cell on, `known` all of the table. A first line is one of headers where each
    of its cells is the name of a known column, as the table has it or as a file may call it, and none is there twice;
    of one column, as the table has it: "Phone" may well be a name. A block without headers is for the first `columns`.
    """
    first = block[0] if block else []
    by_name = {name.casefold(): name for name in known}
    names = [by_name.get(cell.strip().casefold()) or (api_column(cell) if len(first) > 1 else None) for cell in first]
    found = [name for name in names if name in known]
    if len(block) > 1 and found and len(set(found)) == len(first):
        return block[1:], found
    return block, columns[: max(map(len, block), default=0)]


def clean_cell(text: str) -> str:
    """Return a text as a cell can hold it: blanks for tabs and line breaks, nothing that no file can hold."""
    return encodable(_BREAKS.sub(" ", text.strip("\r\n\t")))


def _lines(text: str) -> Block:
    """Split a text at its tabs and line ends; the last line end, which Excel writes, begins no line."""
    lines: Block = [[]]
    at = 0
    while True:
        found = _CELL.match(text, at)
        if found is None:  # never: the pattern matches an empty text too
            return lines
        quoted, plain = found.groups()
        lines[-1].append(plain if quoted is None else quoted.replace('""', '"'))
        end = _END.match(text, found.end())
        if end is None:
            return lines
        at = end.end()
        if end[0] != "\t":
            if at == len(text):
                return lines
            lines.append([])


def _split_csv(lines: Block) -> Block:
    """Split lines of one cell each at a delimiter that all of them have as often, twice at least."""
    if len(lines) < 2:
        return lines
    for delimiter in _CSV:
        counts = {line[0].count(delimiter) for line in lines}
        if len(counts) == 1 and counts.pop() >= 2:
            return [[cell.strip() for cell in line[0].split(delimiter)] for line in lines]
    return lines


class _Table(HTMLParser):
    """The cells of the first table in a piece of HTML, each with the number that it holds, if that is told."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[tuple[str, str]]] = []
        self._parts: list[str] | None = None  # of the cell that is being read
        self._covered: dict[int, int] = {}  # column -> further rows that a cell above covers
        self._number, self._spans, self._ignored = "", (1, 1), 0
        self.feed(html)
        self.close()
        self._end_row()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("style", "script", "head", "title"):
            self._ignored += 1
        elif tag == "tr":
            self._end_row()
            self.rows.append([])
        elif tag in ("td", "th"):
            self._end_cell()
            self._parts, self._number = [], given.get("x:num", "") or _sheets_number(given.get("data-sheets-value", ""))
            self._spans = _span(given.get("colspan", "")), _span(given.get("rowspan", ""))
        elif tag in ("br", "p", "div") and self._parts:
            self._parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script", "head", "title"):
            self._ignored = max(0, self._ignored - 1)
        elif tag in ("tr", "table"):
            self._end_row()
        elif tag in ("td", "th"):
            self._end_cell()

    def handle_data(self, data: str) -> None:
        if self._parts is not None and not self._ignored:
            self._parts.append(data)

    def _end_row(self) -> None:
        self._end_cell()
        if self.rows:
            self._skip_covered(self.rows[-1])

    def _end_cell(self) -> None:
        if self._parts is None:
            return
        text = " ".join("".join(self._parts).split())
        if not self.rows:
            self.rows.append([])
        row, (across, down) = self.rows[-1], self._spans
        self._skip_covered(row)
        for cell in [(text, self._number), *[("", "")] * (across - 1)]:
            self._covered[len(row)] = down - 1
            row.append(cell)
        self._parts = None

    def _skip_covered(self, row: list[tuple[str, str]]) -> None:
        while self._covered.get(len(row), 0) > 0:
            self._covered[len(row)] -= 1
            row.append(("", ""))


def _span(text: str) -> int:
    return max(1, min(int(text), _MAX_SPAN)) if text.isascii() and text.isdigit() else 1


def _sheets_number(text: str) -> str:
    """Return the whole number that Google Sheets tells of a cell beside its text, "" for anything else."""
    try:
        number = json.loads(text)["3"]
    except (ValueError, TypeError, KeyError):
        return ""
    whole = isinstance(number, int | float) and not isinstance(number, bool) and float(number).is_integer()
    return f"{number:.0f}" if whole else ""
