"""Edits of orders in the grid: a block of cells put into them, and the steps that can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.orders.formats.clipboard import Block, without_headers
from itnio_nb.orders.read import LAST_ROW

STEPS = 20  # that can be undone


class Edit(NamedTuple):
    """A block of cells for some rows and columns; lines beyond the rows are rows that are added."""

    words: str  # what was done: "Edit", "Paste", …
    rows: Sequence[int]
    columns: Sequence[str]
    cells: Block
    has_headers: bool = False  # whether the block had a line of headers, which was left out


class State(NamedTuple):
    """Orders and their findings, whether they were edited, which orders they are, and what was done next."""

    orders: pd.DataFrame
    findings: pd.DataFrame
    edited: bool = False
    version: int = 0
    words: str = ""


def edit_of_paste(
    block: Block, rows: Sequence[int], columns: Sequence[str], size: tuple[int, int], known: Sequence[str] = ()
) -> Edit:
    """Return the edit that puts a block from the clipboard into the cells from the selected one on.

    `rows` and `columns` are those from the first selected cell on, `size` how many of them are selected. One cell, or
    a block that fits into what is selected several times, fills it. A first line of headers says which of the `known`
    columns the others are for. `InputError` where the block is wider than the columns that are left, or empty.
    """
    if not columns:
        raise InputError("Nobody types into this column: select a cell of another one. Nothing was pasted.")
    lines, names = without_headers(block, list(columns), list(known or columns))
    has_headers = len(lines) < len(block)
    lines = [line[: len(names)] if not any(map(str.strip, line[len(names) :])) else line for line in lines]
    width = max(map(len, lines), default=0)
    if not width:
        raise InputError("There are no cells on the clipboard: copy some in the spreadsheet first.")
    if width > len(names):
        raise InputError(
            f"The block has {plural(width, 'column')}, and from {columns[0]} on there "
            f"{'is' if len(names) == 1 else 'are'} {len(names)}: select a cell further left. Nothing was pasted."
        )
    height, wide = size
    fits = height >= len(lines) and wide >= width and height % len(lines) == 0 and wide % width == 0
    if fits and not has_headers:
        names = list(columns[:wide])
        filled = [[*line, *[""] * (width - len(line))] * (wide // width) for line in lines]
        lines = filled * (height // len(lines))
    return Edit("Paste", rows[: len(lines)], names, lines, has_headers)


def apply_edit(orders: pd.DataFrame, edit: Edit) -> tuple[pd.DataFrame, list[int]]:
    """Return orders with an edit made, and its rows; a row or column that is gone meanwhile is left out.

    Rows that are added have numbers of their own after all others, and the application that most rows have.
    """
    lines = edit.cells
    while len(lines) > len(edit.rows) and not any(cell.strip() for cell in lines[-1]):
        lines = lines[:-1]  # of a column that was copied as a whole
    added = _new_rows(orders, len(lines) - len(edit.rows))
    rows = [*edit.rows[: len(lines)], *added.index.tolist()]
    edited = pd.concat([orders, added]) if len(added) else orders.copy()
    edited.attrs = orders.attrs
    places = edited.index.get_indexer(pd.Index(rows))
    for at, name in enumerate(edit.columns):
        there = [number for number, line in enumerate(lines) if at < len(line) and places[number] >= 0]
        if name in edited.columns and there:
            cells = edited[name].to_numpy(dtype=object, copy=True)
            cells[places[there]] = [lines[number][at] for number in there]
            edited[name] = pd.Series(cells, index=edited.index, dtype=edited[name].dtype)
    return edited, rows


def _new_rows(orders: pd.DataFrame, number: int) -> pd.DataFrame:
    if number <= 0:
        return orders.iloc[:0]
    first = 1 + (int(orders.index.max()) if len(orders) else 1)
    if first + number - 1 > LAST_ROW:
        raise InputError(f"A spreadsheet has {LAST_ROW:,} rows: there is no room for {plural(number, 'row')} more.")
    index = pd.Index(np.arange(first, first + number), name="row")
    added = pd.DataFrame("", index=index, columns=orders.columns, dtype=str)
    apps = orders["appId"][orders["appId"] != ""].mode()
    return added.assign(appId=apps.iloc[0] if len(apps) else "")


class History:
    """The states of before, for Undo and Redo: the last 20 steps."""

    def __init__(self) -> None:
        self._before: list[State] = []
        self._after: list[State] = []

    @property
    def undo_words(self) -> str:
        """What would be undone, "" where nothing can be."""
        return self._before[-1].words if self._before else ""

    @property
    def redo_words(self) -> str:
        """What would be done again, "" where nothing can be."""
        return self._after[-1].words if self._after else ""

    def keep(self, before: State) -> None:
        """Keep the state before a step, with the words of that step; what was undone is forgotten."""
        self._before = [*self._before, before][-STEPS:]
        self._after = []

    def undo(self, now: State) -> State:
        """Return the state before the last step; `now` is kept for Redo, under that step's words."""
        if not self._before:
            raise InputError("There is nothing to undo.")
        *self._before, before = self._before
        self._after.append(now._replace(words=before.words))
        return before

    def redo(self, now: State) -> State:
        """Return the state after the step that was undone last."""
        if not self._after:
            raise InputError("There is nothing to do again.")
        *self._after, after = self._after
        self._before.append(now._replace(words=after.words))
        return after
