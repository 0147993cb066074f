"""Tables out: HTML and text for people; CSV and XLSX in which no cell runs as a formula."""

from __future__ import annotations

import csv
import io
import os
import shutil
import sys
from html import escape
from textwrap import wrap

import pandas as pd
import xlsxwriter

from itnio_nb.api.text import encodable, html_block, html_text
from itnio_nb.orders.export.cells import SIGNS, state_words
from itnio_nb.orders.export.formulas import escape_formula
from itnio_nb.orders.export.view import Choice, TableView, view_of, words_for_none
from itnio_nb.orders.models import SOURCE
from itnio_nb.orders.text_columns import cell_text

# Both where styles are taken away and where those of a notebook would have it otherwise.
_LEFT, _RIGHT = ' style="text-align:left"', ' align="right" style="text-align:right"'
_COLOURS = {
    state_words(name, word): sign.colour for name in ("state", "action") for word, sign in SIGNS.items() if word
}
_LONG = 40  # characters of a word that is broken rather than make a table wider
_NEXT = "\n"  # between cells, for those who take the tags away too
_LINE = "\ue000"  # holds the place of a line between rows: no cell has it, it would be an escape


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV: UTF-8 with its mark, every field quoted, no cell that would run as a formula."""
    texts = frame.map(lambda cell: escape_formula(cell_text(cell)))
    texts = texts.set_axis([escape_formula(str(name)) for name in frame.columns], axis=1)
    return texts.to_csv(index=False, quoting=csv.QUOTE_ALL).encode("utf-8-sig", "backslashreplace")


def as_xlsx(frame: pd.DataFrame, name: str, comment: str = "") -> bytes:
    """Return a table of text as a workbook of one sheet of this name: every cell as text, the headers as filters.

    `comment` is a property of the file.
    """
    data = io.BytesIO()
    with new_workbook(data) as book:
        book.set_properties({"comments": comment})
        sheet = book.add_worksheet(name)
        text, bold = book.add_format({"num_format": "@"}), book.add_format({"bold": True})
        sheet.set_column(0, len(frame.columns) - 1, 20, text)
        sheet.write_row(0, 0, frame.columns, bold)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, len(frame), len(frame.columns) - 1)
        for row, cells in enumerate(frame.itertuples(index=False, name=None), 1):
            for column, cell in enumerate(cells):
                sheet.write_string(row, column, encodable(cell), text)
    return data.getvalue()


def new_workbook(data: io.BytesIO) -> xlsxwriter.Workbook:
    """Return a workbook in which no text becomes a formula, a link or a number.

    In memory: else xlsxwriter would put the cells, passwords among them, into temporary files.
    """
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    return xlsxwriter.Workbook(data, options)


def table_as_html(table: pd.DataFrame, choice: Choice | None = None) -> str:
    """Return a table as HTML for a cell of a notebook, a page or a record: see `view` for what of it is shown.

    Text to the left, sentences wrapped, numbers to the right, states with sign and word. A named index is its first
    columns, the numbers of an unnamed one are left out, and orders begin with where they were read from. Everything
    is escaped. Code hosts and records take styles away: what is meant is said by words, order and `align` alone.
    For `choice` see `view_of`.
    """
    caption = f"<p>{html_text(table.attrs[SOURCE])}</p>" if SOURCE in table.attrs and table.index.name else ""
    if table.empty:
        return html_block(caption, f"<p>{words_for_none(table)}</p>")
    return html_block(caption, view_as_html(view_of(table, choice)))


def view_as_html(view: TableView, *, text: str = _LEFT, number: str = _RIGHT) -> str:
    """Return what is shown of a table as HTML, without anything around it.

    `text` and `number` are the attributes of the cells of such columns.
    """
    sides = [number if is_number else text for is_number in view.numbers]
    heads = "\n".join(
        f'<th scope="col"{side}>{escape(name)}</th>' for side, name in zip(sides, view.heads, strict=True)
    )
    lines = dict(view.lines)
    body = []
    for row, cells in enumerate(view.rows, 1):
        body.append(f"<tr>{_NEXT.join(map(_cell_as_html, cells, sides, view.states))}</tr>")
        if row in lines:
            body.append(f'<tr><td colspan="{len(sides)}"{text}><i>{escape(lines[row])}</i></td></tr>')
    above = " · ".join(f"{escape(name)} <b>{escape(words)}</b>" for name, words in view.above)
    rows = "\n".join(body)
    table = f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    return f"<p>{above}</p>\n{table}" if above else table


def _cell_as_html(words: str, side: str, is_state: bool) -> str:
    shown = escape(words)
    if is_state and (colour := _COLOURS.get(words)):
        style = f"border-left:4px solid {colour};background:{colour}29;padding:1px 6px;white-space:nowrap"
        shown = f'<span style="{style}">{shown.replace(" ", "&nbsp;")}</span>'
    if len(words) > _LONG and max(map(len, words.split(" "))) > _LONG:
        shown = f'<span style="overflow-wrap:anywhere">{shown}</span>'
    return f"<td{side}>{shown}</td>"


def table_as_text(table: pd.DataFrame, choice: Choice | None = None) -> str:
    """Return a table as text: what HTML shows, its cells wrapped where the terminal is not as wide.

    The width is that of the terminal that Python prints to, or `ITNIO_WIDTH`; elsewhere there is none.
    """
    if table.empty:
        return words_for_none(table)
    view, width = view_of(table, choice), _width()
    above = " · ".join(f"{name} {words}" for name, words in view.above)
    if above and width is not None:
        above = "\n".join(wrap(above, width))
    columns = list(zip(view.heads, *view.rows, strict=True))
    widths = [max(map(_cells_wide, column)) for column in columns]
    is_wide = width is not None and sum(widths) + 2 * len(widths) - 2 > width
    text = _wrapped(view, width or 0) if is_wide else _padded(view, widths)
    return f"{above}\n\n{text}" if above else text


def _padded(view: TableView, widths: list[int]) -> str:
    lines = dict(view.lines)
    text = []
    for number, cells in enumerate([tuple(view.heads), *view.rows]):
        rooms = [width - _cells_wide(cell) for cell, width in zip(cells, widths, strict=True)]
        padded = [
            " " * room + cell if is_number else cell + " " * room
            for cell, room, is_number in zip(cells, rooms, view.numbers, strict=True)
        ]
        text.append("  ".join(padded).rstrip())
        text += [lines[number]] if number in lines else []
    return "\n".join(text)


def _wrapped(view: TableView, width: int) -> str:
    from rich.console import Console  # here: it takes a while, and most tables are shown as HTML
    from rich.table import Table
    from rich.text import Text

    table, lines = Table(box=None, padding=(0, 1, 0, 0), header_style=""), dict(view.lines)
    for name, is_number, is_state in zip(view.heads, view.numbers, view.states, strict=True):
        is_short = is_number or is_state
        # At least 4 wide: however narrow the terminal is, no column is left out.
        table.add_column(
            Text(name), justify="right" if is_number else "left", overflow="fold", no_wrap=is_short, min_width=4
        )
    for number, cells in enumerate(view.rows, 1):
        table.add_row(*map(Text, cells))
        if number in lines:
            table.add_row(_LINE)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(table)
    between = iter(view.lines)
    shown = (next(between)[1] if line.strip() == _LINE else line for line in captured.get().splitlines())
    return "\n".join(line.rstrip() for line in shown)


def _cells_wide(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _width() -> int | None:
    """Return how many characters a line of the terminal has, None where there is no terminal."""
    told = os.environ.get("ITNIO_WIDTH", "")
    if told.isdecimal():
        return max(20, int(told))
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None
