"""The cells of a file before anything is known of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Number
from typing import NamedTuple

import numpy as np

from itnio_nb.orders.text_columns import TextColumn


class Doubt(NamedTuple):
    """What may be wrong in a file without any cell that looks so: told once, at the first of its rows."""

    rows: Sequence[int] | np.ndarray  # none for the file as a whole, which is told at the first order
    column: int | None  # its position: only where it is a column of the API; None for the first of those
    problem: str
    advice: str


@dataclass(frozen=True)
class RawTable:
    """Cells as they stand in a file, headers included."""

    columns: list[TextColumn]
    rows: np.ndarray  # the number that the spreadsheet shows for each row
    kind: str  # "XLSX", "CSV", …
    details: str  # encoding and delimiter, or the sheet
    numbers: Sequence[np.ndarray | None] = ()  # for each column which cells were numbers, None where all were text
    widths: np.ndarray | None = None  # the number of cells of each row, where that differs
    typed: Sequence[Mapping[int, str]] = ()  # for each column, by row number: what was typed where a date is shown
    slipped: Mapping[int, str] = field(default_factory=dict)  # rows wider than their header: what is told of each
    hidden: np.ndarray = field(default_factory=lambda: np.array([], dtype=int))  # numbers of rows that nobody sees
    guess: str = ""  # the encoding, where it was guessed
    doubts: Sequence[Doubt] = ()
    comments: str = ""  # in the file's properties
    sheet: str = ""  # of a workbook, and all of its sheets that are shown
    sheets: tuple[str, ...] = ()

    def take(self, at: np.ndarray | slice) -> RawTable:
        """Return the rows at some positions."""
        return replace(
            self,
            columns=[texts.take(at) for texts in self.columns],
            rows=self.rows[at],
            numbers=[None if numbers is None else numbers[at] for numbers in self.numbers],
            widths=None if self.widths is None else self.widths[at],
        )

    def head(self, size: int, start: int = 0) -> list[list[str]]:
        """Return the cells of the first rows, or of some rows from a position on."""
        columns = (texts.take(slice(start, start + size)).to_numpy().tolist() for texts in self.columns)
        return [list(cells) for cells in zip(*columns, strict=True)]

    def filled(self, first_column: int = 0) -> np.ndarray:
        """Return a mask of the rows in which any cell, from a column on, holds more than blanks."""
        filled = np.zeros(len(self.rows), dtype=bool)
        for texts in self.columns[first_column:]:
            filled |= texts.strip().lengths() > 0
            if filled.all():
                break
        return filled


def are_numbers(cells: Sequence[object]) -> np.ndarray:
    """Return a mask of the cells that are numbers; a truth value is none."""
    numbers = {kind for kind in set(map(type, cells)) - {bool} if issubclass(kind, Number)}
    if not numbers:
        return np.zeros(len(cells), dtype=bool)
    return np.fromiter((kind in numbers for kind in map(type, cells)), dtype=bool, count=len(cells))
