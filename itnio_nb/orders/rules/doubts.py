"""What is doubtful about a file as a whole, or about rows of it, where no cell looks so: each told at a cell."""

from __future__ import annotations

import json

import numpy as np

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.api.text import plural
from itnio_nb.orders.formats.encodings import other_readings
from itnio_nb.orders.formats.raw_table import Doubt, RawTable
from itnio_nb.orders.models import OURS, Repair, with_others
from itnio_nb.orders.text_columns import TextColumn

# What is to be done where cells have slipped.
SLIPPED = "put quotes around a cell that holds the delimiter, or name the missing columns"


def file_doubts(table: RawTable, names: dict[int, str], texts: list[TextColumn]) -> list[Repair]:
    """Return what is doubtful about the file as a whole, each at a cell of the API's columns."""
    if not len(table.rows):
        return []
    doubts = [*table.doubts, *_guessed(table, names, texts)]
    hidden = table.rows[np.isin(table.rows, table.hidden)]
    if len(hidden):
        which = "is one of" if len(hidden) > 1 else "is the only one of"
        problem = f"{which} {plural(len(hidden), 'row')} that nobody sees: hidden, filtered out, or in a folded outline"
        doubts.append(Doubt(hidden, None, problem, "Are these rows to be ordered? Show them, or delete them."))
    first = min(at for at, name in names.items() if name in API_COLUMNS)
    told = []
    for doubt in doubts:
        column = first if doubt.column is None else doubt.column
        at = np.flatnonzero(np.isin(table.rows, doubt.rows)) if len(doubt.rows) else np.array([0])
        if names.get(column) in API_COLUMNS and len(at):
            problem = doubt.problem if doubt.column is None else with_others(doubt.problem, len(at) - 1)
            cell = str(texts[column].take(at[:1]).to_numpy()[0])
            told.append(Repair(int(table.rows[at[0]]), names[column], cell, cell, problem, doubt.advice, "warning"))
    told += [
        Repair(row, names[first], cell, cell, problem, f"{SLIPPED.capitalize()}.", "error")
        for row, cell, problem in _slipped_cells(table, texts[first])
    ]
    return told + _kept_doubts(table, names, texts)


def _slipped_cells(table: RawTable, texts: TextColumn) -> list[tuple[int, str, str]]:
    """Return for each row whose cells have slipped its number, its cell in a column, and what is told."""
    at = np.flatnonzero(np.isin(table.rows, list(table.slipped)))
    cells = texts.take(at).to_numpy().tolist()
    return [(row, cell, table.slipped[row]) for row, cell in zip(table.rows[at].tolist(), cells, strict=True)]


def _kept_doubts(table: RawTable, names: dict[int, str], texts: list[TextColumn]) -> list[Repair]:
    """Return what `write_findings` kept of the doubts about the file that it was made from, of cells as they were."""
    mark, _, kept = table.comments.partition("\n")
    try:
        doubts = [Repair(*one) for one in json.loads(kept)] if mark == OURS and kept else []
    except (TypeError, ValueError):  # somebody else's words
        return []
    cells = {name: texts[at] for at, name in names.items() if name in API_COLUMNS}
    return [
        one
        for one in doubts
        if one.column in cells
        and len(at := np.flatnonzero(table.rows == one.row))
        and cells[one.column].array[int(at[0])].as_py() == one.before
    ]


def _guessed(table: RawTable, names: dict[int, str], texts: list[TextColumn]) -> list[Doubt]:
    """Return the doubt about an encoding that was guessed, at the first cell that it decides."""
    if not table.guess:
        return []
    decided = [
        (int(places[0]), at)
        for at, name in names.items()
        if name in API_COLUMNS and len(places := texts[at].non_ascii())
    ]
    if not decided:
        return []
    place, column = min(decided)
    cell = str(texts[column].take(np.array([place])).to_numpy()[0])
    other = other_readings(cell, table.guess)
    problem = f"was read as {table.guess}, which is a guess{f': it may be {other}' if other else ''}"
    return [
        Doubt(
            table.rows[place : place + 1], column, problem, "Compare with the source; save that as XLSX or CSV UTF-8."
        )
    ]
