"""The words of the trade: the API's limits, phone groups, states, receipts, and how an order splits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pandas as pd

# The one mapping between Python's words and the API's: attribute of PhoneGroup -> field on the wire.
WIRE = {
    "group_name": "groupName",
    "phone_name": "phoneName",
    "quantity": "quantity",
    "display_num": "displayNum",
    "app_id": "appId",
}
API_COLUMNS = tuple(WIRE.values())
FINDING_COLUMNS = ("row", "column", "value", "problem", "advice", "severity")

# Under this key the frame that `read_orders` returns carries its `Source` in `attrs`.
SOURCE = "itnio"


@dataclass(frozen=True)
class Limits:
    """What the API allows in a field. Another brand of the same API may differ: limits are data.

    Lengths are counted in code points. Source: the API document, except where a field says otherwise.
    """

    name_min: int = 4  # groupName and phoneName, characters
    name_max: int = 32
    group_max: int = 50  # phones in one request; a larger order is split
    display_min: int = 7  # displayNum, digits
    display_max: int = 13
    display_required: bool = True
    order_max: int = 100_000  # ours: a larger order is a display number in the wrong column


LIMITS = Limits()


class State(StrEnum):
    """What is known of a phone group. After a run, `planned` reads "not sent"."""

    PLANNED = "planned"
    SENDING = "sending"
    CREATED = "created"
    PARTIAL = "partial"
    EXISTS = "exists"
    REFUSED = "refused"
    UNKNOWN = "unknown"


# What a plan says of a group that was made once and is not in the account: by that it is told from an unknown one.
GONE = "no longer in the account"


class Action(StrEnum):
    """What a plan says that a group needs."""

    CREATE = "create"
    EXISTS = "exists"
    IN_DOUBT = "in doubt"


@dataclass(frozen=True)
class PhoneGroup:
    """One phone group: what one `sipAdd` request asks for. It validates nothing, so that a refusal can be met.

    >>> PhoneGroup("sipGroup", "sip", 30, "861000000", "4luaKsL2").to_wire()["groupName"]
    'sipGroup'
    """

    group_name: str  # unique in its application
    phone_name: str  # unique in its application; the phones are named after it
    quantity: int  # phones, 1–50
    display_num: str  # the number that a called person sees
    app_id: str  # the voice application that the phones belong to

    def to_wire(self) -> dict[str, str | int]:
        """Return the JSON body of the request, in the API's field names and order."""
        return {wire: getattr(self, name) for name, wire in WIRE.items()}


@dataclass(frozen=True)
class Receipt:
    """What one try told about one group."""

    state: State
    status: str  # the API's status, or "" where the API did not answer
    reason: str  # in the server's words, or what happened to the connection
    advice: str  # what it means, whether anything was created, what to do next
    at: datetime  # when it was known, UTC
    wait: float = 0.0  # seconds that the server asks all to wait before anything more is sent


class Repair(NamedTuple):
    """One cell that reading mended without loss."""

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
    headers: tuple[str, ...]  # as they stood, in their order
    columns: tuple[str, ...]  # the orders' columns that they became, in the same order
    repairs: tuple[Repair, ...] = ()
    details: str = ""  # encoding and delimiter, or the sheet

    def __copy__(self) -> Source:
        return self

    def __deepcopy__(self, memo: object) -> Source:
        return self

    def __str__(self) -> str:
        detail = f" ({self.details})" if self.details else ""
        header = f", headers in row {self.header_row}" if self.header_row else ""
        repaired = f", {count(len(self.repairs), 'cell')} repaired" if self.repairs else ""
        return f"{self.name}: {self.kind}{detail}{header}, {count(self.rows, 'order')}{repaired}"

    __repr__ = __str__


def count(number: int, noun: str) -> str:
    """Return a grammatical count: `count(1, "group")` is "1 group", `count(1200, "group")` "1,200 groups"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Return a time in words: `duration(2470)` is "41 min 10 s", `duration(0.4)` "0 s"."""
    whole = round(seconds)
    parts = [(whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    return " ".join(f"{number:,} {unit}" for number, unit in parts if number) or "0 s"


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def part_name(name: str, part: int) -> str:
    """Return the name of one part of a split order: the first keeps the name, later ones append `_2`, `_3` and so on.

    >>> [part_name("south", part) for part in (1, 2)]
    ['south', 'south_2']

    Not `-2`: `south-2` is itself a phone of `south`. Independent of the number of parts, so that asking
    for more later never renames what exists.
    """
    return name if part == 1 else f"{name}_{part}"


def cell_text(cell: object) -> str:
    """Return a cell as text. A whole number keeps all its digits and gains no `.0`; a hole is ""."""
    if isinstance(cell, str):
        return str(cell)
    if cell is None or cell is pd.NaT or cell is pd.NA:
        return ""
    if isinstance(cell, bool | np.bool_):
        return str(cell).upper()
    if isinstance(cell, float | np.floating):
        number = float(cell)
        if np.isnan(number):
            return ""
        return f"{number:.0f}" if number.is_integer() and abs(number) < 2**53 else repr(number)
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with every cell as Python text, holes as ""."""
    columns = {name: [cell_text(cell) for cell in frame[name].astype(object)] for name in frame.columns}
    return pd.DataFrame(columns, index=frame.index, columns=frame.columns, dtype=object)


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
    later = np.flatnonzero(part > 1)
    for column in ("groupName", "phoneName"):
        names = groups[column].to_numpy(dtype=object, copy=True)
        names[later] = [part_name(name, number) for name, number in zip(names[later], part[later], strict=True)]
        groups[column] = names
    return groups


def phone_groups(groups: pd.DataFrame) -> Iterator[PhoneGroup]:
    """Yield a `PhoneGroup` for each row of a table that has the API columns."""
    columns = [groups[wire].tolist() for wire in API_COLUMNS]
    for values in zip(*columns, strict=True):
        yield PhoneGroup(*values)
