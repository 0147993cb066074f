"""Where orders came from, what was repaired in them, and how an order splits into groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, LIMITS, Limits
from itnio_nb.api.text import plural
from itnio_nb.orders.text_columns import text_column, to_text_column

FINDING_COLUMNS = ("row", "column", "value", "problem", "advice", "severity")
# The columns that result files add. They are dropped when such a file is read again.
RESULT_COLUMNS = ("itnio_row", "itnio_state", "itnio_status", "itnio_reason", "itnio_advice", "itnio_sent_at")
# Under this key the frame that `read_orders` returns carries its `Source` in `attrs`.
SOURCE = "itnio"


class Repair(NamedTuple):
    """One cell that reading repaired without loss."""

    row: int
    column: str
    before: str
    after: str
    how: str
    advice: str


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

    def __copy__(self, _: object = None) -> Source:
        return self

    __deepcopy__ = __copy__

    def __str__(self) -> str:
        detail = f" ({self.details})" if self.details else ""
        header = f", headers in row {self.header_row}" if self.header_row else ""
        repaired = f", {plural(len(self.repairs), 'cell')} repaired" if self.repairs else ""
        return f"{self.name}: {self.kind}{detail}{header}, {plural(self.rows, 'order')}{repaired}"

    __repr__ = __str__


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
