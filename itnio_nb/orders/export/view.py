"""What is shown of a table: problems first, what is all the same folded, columns that say nothing left out.

HTML and text are made of one `TableView`, so that a notebook, a form, a record and a terminal show the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.api.text import printable_line
from itnio_nb.orders.export.cells import SIGNS, STATUS_COLUMNS, cell_words, column_words, more_words
from itnio_nb.orders.models import FINDING_COLUMNS, SOURCE

_MAX_ROWS, _END_ROWS = 60, 10  # a table without states is shown whole up to the first, else so many rows of each end
_MAX_PROBLEMS, _LEAST = 50, 5  # rows of problems that are shown, and of each kind of them at the least
_UNFOLDED, _EXAMPLES = 10, 5  # groups that are all well are shown up to the first, else so many of them
# Of groups in these states there is nothing to say, unless a row says something of its own.
_QUIET = ("planned", "sending", "being sent", "created", "create", "reset", "exists")
DIFFERS = " asked for"  # stands in the reason of a group that is there otherwise than it was asked for
_LISTING = {"phoneName", "account", "password"}
_LOG = ("at", "started", "receipt")  # what a table in the order of time begins with
_NAMES = {*API_COLUMNS, "account", "password"} - {"quantity"}  # also those that are made of digits
_NUMBER = re.compile(r"[-+−]?(0|[1-9][0-9]{0,2}(,[0-9]{3})+|[1-9][0-9]*)(\.[0-9]+)?")  # no leading zero: that is a name
# What each row is about, however many are alike.
_ALWAYS = {*FINDING_COLUMNS[:4], "groupName", "phoneName", "account", "check", "found", "groups", "phones"}
_FEWEST = 3  # rows from which on what they share is named once


class Kind(NamedTuple):
    """Rows of one state; `telling` are those that need attention though their state is a good one."""

    word: str
    telling: bool
    positions: Sequence[int]

    @property
    def folds(self) -> bool:
        """Whether a few of them stand for all."""
        return self.word in _QUIET and not self.telling

    @property
    def rank(self) -> tuple[bool, int]:
        """Where they stand: problems, then what is well, each the worst first."""
        return self.folds, (*SIGNS, self.word).index(self.word)


@dataclass(frozen=True)
class Choice:
    """The rows of a table that are shown, in that order, and the lines that stand for the others.

    `lines` are pairs: after how many rows, words. `shared` are columns in which all rows of the table have the same,
    where that is known of more rows than are given.
    """

    positions: list[int]
    lines: list[tuple[int, str]] = field(default_factory=list)
    shared: Collection[str] | None = None


@dataclass(frozen=True)
class TableView:
    """A table as it is shown: heads, which columns are of numbers, words row by row, lines between them.

    `above` has what stands in every row, pairs of column and words; `states` are the columns whose cells are states.
    """

    heads: list[str]
    numbers: list[bool]
    states: list[bool]
    rows: list[tuple[str, ...]]
    lines: list[tuple[int, str]]
    above: list[tuple[str, str]]


def view_of(table: pd.DataFrame, choice: Choice | None = None, first: int | None = None) -> TableView:
    """Return what is shown of a table; only the cells that are shown are looked at one by one.

    `choice`: the table has the chosen rows alone, in their order. `first`: of a table without states its first rows
    are shown, not its ends.
    """
    flat = _flat(table)
    status = None if SOURCE in table.attrs else _status_of(flat)
    is_ours = status is not None or (set(flat.columns) >= _LISTING and SOURCE not in table.attrs)
    if choice is None:
        choice = _chosen(flat, status, first)
        shown = flat.iloc[choice.positions]
    else:
        shown = flat
    names = [printable_line(str(name)) for name in flat.columns]
    cells = [shown.iloc[:, at].tolist() for at in range(len(names))]
    words = [column_words(name, column) for name, column in zip(flat.columns, cells, strict=True)]
    above, hidden = _said_once(flat, words, status, choice.shared) if is_ours else ([], set())
    kept = [at for at in range(len(names)) if at not in hidden]
    return TableView(
        [names[at] for at in kept],
        [_are_numbers(flat.columns[at], cells[at]) for at in kept],
        [flat.columns[at] in STATUS_COLUMNS for at in kept],
        list(zip(*(words[at] for at in kept), strict=True)),
        choice.lines,
        above,
    )


def words_for_none(table: pd.DataFrame) -> str:
    """Return what is said of a table without rows."""
    names = set(map(str, table.columns))
    if names >= set(FINDING_COLUMNS):
        return "Nothing to mend."
    if SOURCE in table.attrs:
        return "No orders."
    if names >= _LISTING:
        return "No phones."
    return "No groups." if "groupName" in names and names & set(STATUS_COLUMNS) else "No rows."


def choose(kinds: Iterable[Kind]) -> Choice:
    """Choose the rows that are shown: problems up to a limit, five of those that are well, a line for the others.

    >>> choose([Kind("created", False, range(0, 40)), Kind("refused", False, [40])])
    Choice(positions=[40, 0, 1, 2, 3, 4], lines=[(6, '35 more created')], shared=None)
    """
    merged: dict[tuple[str, bool], list[int]] = {}
    for kind in kinds:
        merged.setdefault((kind.word, kind.telling), []).extend(kind.positions)
    room, positions, lines = _MAX_PROBLEMS, list[int](), list[tuple[int, str]]()
    for kind in sorted((Kind(*key, at) for key, at in merged.items()), key=lambda one: one.rank):
        size = len(kind.positions)
        most = (size if size <= _UNFOLDED else _EXAMPLES) if kind.folds else max(room, _LEAST)
        if most == size - 1:  # a line for one row is no shorter than the row
            most = size
        positions += sorted(kind.positions)[:most]
        room -= 0 if kind.folds else min(size, most)
        if size > most:
            lines.append((len(positions), f"{'' if kind.folds else 'and '}{more_words(size - most, kind.word)}"))
    return Choice(positions, lines)


def _flat(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with one line of heads, its index as columns where that has a name, or words."""
    if table.columns.nlevels > 1:
        heads = [" · ".join(filter(None, map(str, name))) for name in table.columns]
        table = table.set_axis(pd.Index(heads), axis=1)
    if any(name is not None for name in table.index.names) or not is_integer_dtype(table.index.dtype):
        table = table.rename_axis(index=lambda name: name or "").reset_index(allow_duplicates=True)
    return table


def _status_of(flat: pd.DataFrame) -> int | None:
    """Return the place of the column by which rows are ordered; None where there is none with our words."""
    names = flat.columns.tolist()
    for name in STATUS_COLUMNS:
        if name in names:
            column = flat.iloc[:, names.index(name)]
            try:
                return names.index(name) if {*map(str, column.unique())} <= {*SIGNS} and len(flat) else None
            except TypeError:  # lists
                return None
    return None


def _chosen(flat: pd.DataFrame, status: int | None, first: int | None) -> Choice:
    size = len(flat)
    if status is not None and flat.columns[0] not in _LOG:
        return choose(_kinds(flat, status))
    if size <= (_MAX_ROWS if first is None else first):
        return Choice(list(range(size)))
    if first is not None:
        return Choice(list(range(first)))
    ends = [*range(_END_ROWS), *range(size - _END_ROWS, size)]
    return Choice(ends, [(_END_ROWS, f"{size - 2 * _END_ROWS:,} more rows")])


def _kinds(flat: pd.DataFrame, status: int) -> list[Kind]:
    codes, words = pd.factorize(flat.iloc[:, status].astype(str))
    names = flat.columns.tolist()
    telling = _telling(flat, names, names[status])
    of_groups = "groupName" in names and names[status] not in ("severity", "result")
    kinds = []
    for at, word in enumerate(words):
        mine = codes == at
        for is_telling in (True, False):
            found = np.flatnonzero(mine & (telling == is_telling)).tolist()
            kinds += [Kind(word, is_telling or not of_groups, found)] if found else []
    return kinds


def _telling(flat: pd.DataFrame, names: list[Any], status: object) -> np.ndarray:
    """Tell which rows say something of their own, though their state may be a good one."""
    telling = np.zeros(len(flat), dtype=bool)
    for name in ("reason", "why"):
        if name in names:
            telling |= flat.iloc[:, names.index(name)].astype(str).str.contains(DIFFERS, regex=False).to_numpy(bool)
    if status == "after" and "advice" in names:  # of a reconciliation: what was resolved, and what differs
        telling |= (flat.iloc[:, names.index("advice")].astype(str) != "").to_numpy(bool)
    return telling


def _said_once(
    flat: pd.DataFrame, words: list[list[str]], status: int | None, shared: Collection[str] | None
) -> tuple[list[tuple[str, str]], set[int]]:
    """Return what stands in every row, and the columns that need not be shown: those, and empty ones."""
    above, hidden = list[tuple[str, str]](), set[int]()
    for at, column in enumerate(words):
        name = flat.columns[at]
        if at == status or len(set(column)) != 1 or (column[0] and (name in _ALWAYS or len(column) < _FEWEST)):
            continue
        if _all_alike(flat.iloc[:, at], column[0]) if shared is None else name in shared:
            hidden.add(at)
            above += [(printable_line(str(name)), column[0])] if column[0] else []
    return above, hidden


def _all_alike(column: pd.Series[Any], words: str) -> bool:
    try:
        different = column.drop_duplicates()
    except TypeError:  # lists
        return False
    return len(different) <= _FEWEST and {*column_words(column.name, different.tolist())} == {words}


def _are_numbers(name: object, cells: list[Any]) -> bool:
    """Tell whether a column has nothing but numbers; names and phone numbers are none, whatever they are made of."""
    if name in _NAMES:
        return False
    filled = [cell for cell in cells if cell_words(cell).strip()]
    return bool(filled) and all(map(_is_number, filled))


def _is_number(cell: object) -> bool:
    if isinstance(cell, str):
        return bool(_NUMBER.fullmatch(cell.strip()))
    return isinstance(cell, Number) and not isinstance(cell, (bool, np.bool_))
