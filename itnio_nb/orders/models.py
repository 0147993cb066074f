"""Where orders came from, what was repaired in them, and how an order splits into groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, LIMITS, Limits
from itnio_nb.api.text import listed, plural, shortened
from itnio_nb.orders.text_columns import text_column, to_text_column

FINDING_COLUMNS = ("row", "column", "value", "problem", "advice", "severity")
# The repair of a number that was typed into a cell with the format of a date.
SHOWN_AS_DATE = "is shown as a date or a time by the format of its cell, and was typed as a number"
# The columns that result files add. They are dropped when such a file is read again.
RESULT_COLUMNS = ("itnio_row", "itnio_state", "itnio_status", "itnio_reason", "itnio_advice", "itnio_sent_at")
# The order of the template, for its reader to write over.
EXAMPLE = {
    "groupName": "example-group",
    "phoneName": "example-phone",
    "quantity": "30",
    "displayNum": "8610850001",
    "appId": "4luaKsL2",
}
OURS = "itnio-nb: orders to be mended"  # in the properties of a file with findings
# Under this key the frame that `read_orders` returns carries its `Source` in `attrs`.
SOURCE = "itnio"


class Repair(NamedTuple):
    """One cell that reading repaired without loss; a `warning` or an `error` where it may be, or is, otherwise."""

    row: int
    column: str
    before: str
    after: str
    how: str
    advice: str
    severity: str = "repaired"


@dataclass(frozen=True, eq=False)
class Source:
    """Where orders came from: what was detected, the original headers, what was repaired.

    It travels in `orders.attrs`, which pandas copies at every operation: a copy is the object itself.
    """

    name: str  # the file's name, without its folder
    kind: str  # "XLSX", "CSV", "table", …
    rows: int  # orders read
    header_row: int  # the row that holds the headers, 0 where there is none
    headers: tuple[str, ...] = ()  # as they stood, in their order
    columns: tuple[str, ...] = ()  # the orders' columns that they became, in the same order
    repairs: tuple[Repair, ...] = ()
    details: str = ""  # encoding and delimiter, or the sheet
    sheet: str = ""  # of a workbook, and all of its sheets that are shown
    sheets: tuple[str, ...] = ()
    # For each column of the API the rows whose cells are numbers in the file, as first and last of each run of them.
    numbers: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)

    def are_numbers(self, column: str, rows: np.ndarray) -> np.ndarray:
        """Return a mask of the rows in which this column of the API is a number in the file."""
        runs = np.array(self.numbers.get(column, ()), dtype=np.int64).reshape(-1, 2)
        at = np.searchsorted(runs[:, 0], rows, side="right") - 1
        return (at >= 0) & (rows <= runs[:, 1][at]) if len(runs) else np.zeros(len(rows), dtype=bool)

    @property
    def label(self) -> str:
        """Return the file's name as a message says it: with the sheet, where there are several."""
        several = f", sheet {shortened(self.sheet)} of {listed(self.sheets)}" if len(self.sheets) > 1 else ""
        return f"{self.name}{several}"

    def __copy__(self, _: object = None) -> Source:
        return self

    __deepcopy__ = __copy__

    def __str__(self) -> str:
        detail = f" ({self.details})" if self.details else ""
        header = f", headers in row {self.header_row}" if self.header_row else ""
        made = sum(repair.before != repair.after for repair in self.repairs)
        repaired = f", {plural(made, 'cell')} repaired" if made else ""
        return f"{self.name}: {self.kind}{detail}{header}, {plural(self.rows, 'order')}{repaired}"

    __repr__ = __str__


def with_others(problem: str, others: int) -> str:
    """Return a problem of one cell of a column, and how many more cells of it have the same."""
    return f"{problem}, as {'is' if others == 1 else 'are'} {others:,} more in this column" if others else problem


def runs_of(rows: np.ndarray) -> list[tuple[int, int]]:
    """Return ascending row numbers as runs: the first and the last of each.

    >>> runs_of(np.array([2, 3, 4, 9]))
    [(2, 4), (9, 9)]
    """
    ends = np.flatnonzero(np.diff(rows) != 1)
    firsts, lasts = np.concatenate(([0], ends + 1)), np.concatenate((ends, [len(rows) - 1]))
    return list(zip(rows[firsts].tolist(), rows[lasts].tolist(), strict=True)) if len(rows) else []


def part_name(name: str, part: int) -> str:
    """Return the name of one part of a split order: the first keeps the name, later ones append `_2`, `_3` and so on.

    >>> [part_name("south", part) for part in (1, 2)]
    ['south', 'south_2']

    Not `-2`: `south-2` is itself a phone of `south`. Independent of the number of parts, so that asking
    for more later never renames what exists.
    """
    return name if part == 1 else f"{name}_{part}"


def split_orders(orders: pd.DataFrame, limits: Limits = LIMITS) -> pd.DataFrame:
    """Return one row for each group: the API columns (`quantity` as int), the `row` it came from, its `part`.

    Full groups of `limits.group_max` first, the remainder last. The quantities must be whole numbers from
    1; the order of the rows is kept. 3 orders of 120, 50 and 1 phones become 3 + 1 + 1 groups.
    """
    quantity = orders["quantity"].astype("int64").to_numpy()
    parts = -(-quantity // limits.group_max)
    at = np.repeat(np.arange(len(orders)), parts)
    part = np.arange(len(at)) - np.repeat(parts.cumsum() - parts, parts) + 1
    groups = orders[list(API_COLUMNS)].take(at)
    groups["row"] = groups.index
    groups["part"] = part
    groups["quantity"] = np.where(part < parts[at], limits.group_max, quantity[at] - (parts[at] - 1) * limits.group_max)
    groups = groups.reset_index(drop=True)
    later = part > 1
    for column in ("groupName", "phoneName") if later.any() else ():
        names, _ = to_text_column(groups[column])
        renamed = map(part_name, names.take(np.flatnonzero(later)).to_numpy(), part[later].tolist())
        groups[column] = names.put(later, text_column(renamed)).to_series(groups.index)
    return groups
