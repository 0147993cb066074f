"""Words for the cells of a table: no value of Python's is shown as Python writes it, and each state has a sign."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_scalar

from itnio_nb.api.text import duration, printable_line

_MAX_CELL = 1000  # characters of a cell that are shown
_MAX_DEPTH, _MAX_ITEMS = 3, 20  # of a list in a list, and of one of them
_DECIMALS = 6


class Sign(NamedTuple):
    """How a state is seen: a sign for readers without colours, and the colour of its edge and its ground."""

    sign: str
    colour: str  # 3:1 on white and on #111; the words keep the ink of the page, since no colour has 4.5:1 on both


_GOOD, _THERE, _DOUBT, _BAD = "#2e9d4e", "#5b8def", "#b06fd8", "#d64545"
_PARTLY, _OPEN = "#c77700", "#8a8a8a"
# States, actions, severities and results of checks, the worst first: in this order they are shown.
SIGNS = {
    "error": Sign("✗", _BAD),
    "unknown": Sign("?", _DOUBT),
    "in doubt": Sign("?", _DOUBT),
    "partial": Sign("!", _PARTLY),
    "refused": Sign("✗", _BAD),
    "warning": Sign("!", _PARTLY),
    "": Sign("", ""),  # a group that the ledger has not made
    "planned": Sign("–", _OPEN),
    "sending": Sign("…", _DOUBT),
    "being sent": Sign("…", _DOUBT),
    "created": Sign("✓", _GOOD),
    "create": Sign("+", _GOOD),
    "reset": Sign("✓", _GOOD),
    "exists": Sign("✓", _THERE),
    "ok": Sign("✓", _GOOD),
    "repaired": Sign("✓", _THERE),
}
STATUS_COLUMNS = ("severity", "state", "action", "after", "before", "result")
_OF_RUN = {"planned": "not sent", "sending": "being sent"}  # how `state` reads, as in the summary of a run


def state_words(name: object, cell: object) -> str:
    """Return a state with its sign, `✓ created`; any other cell of such a column as `cell_words` has it.

    >>> state_words("state", "created"), state_words("state", "planned"), state_words("state", "Texas")
    ('✓ created', '– not sent', 'Texas')
    """
    word = str(cell)
    if not word or word not in SIGNS:
        return cell_words(cell)
    return f"{SIGNS[word].sign} {_OF_RUN.get(word, word) if name == 'state' else word}"


def more_words(number: int, word: str) -> str:
    """Return how many more rows there are of a state: `38 more created`, `1 more that exists`.

    >>> more_words(38, "created"), more_words(2, "error")
    ('38 more created', '2 more errors')
    """
    one = number == 1
    said = {"exists": "that exists" if one else "that exist", "create": "to create", "": "elsewhere"} | _OF_RUN
    if word in ("error", "warning"):
        said[word] = word if one else f"{word}s"
    return f"{number:,} more {said.get(word, word)}"


def column_words(name: object, cells: list[Any]) -> list[str]:
    """Return the words of a column's cells: states with their signs, fractions with as many decimals as each other."""
    if name in STATUS_COLUMNS:
        return [printable_line(state_words(name, cell)) for cell in cells]
    fractions = [cell for cell in cells if isinstance(cell, (float, np.floating)) and math.isfinite(cell)]
    decimals = max(map(_decimals, fractions), default=0)
    return [
        f"{cell:.{decimals}f}" if _is_fraction(cell) else _shortened(printable_line(cell_words(cell))) for cell in cells
    ]


def cell_words(cell: Any, depth: int = 0) -> str:
    """Return a cell as a person writes it: nothing for no value, `yes` and `no`, times to the second, lists by commas.

    >>> cell_words(None), cell_words(True), cell_words([1, 2.50]), cell_words(b"abc")
    ('', 'yes', '1, 2.5', 'abc')
    """
    if isinstance(cell, str):
        return str(cell)
    if isinstance(cell, (bytes, bytearray)):
        return cell.decode("utf-8", "backslashreplace")
    if isinstance(cell, Mapping):
        return _joined((f"{cell_words(key)}: {cell_words(one, depth + 1)}" for key, one in cell.items()), depth)
    if isinstance(cell, (list, tuple, set, frozenset, pd.Series, pd.Index)) or (
        isinstance(cell, np.ndarray) and cell.ndim
    ):
        return _joined((cell_words(one, depth + 1) for one in cell), depth)
    return _scalar_words(cell)


def _joined(parts: Any, depth: int) -> str:
    if depth >= _MAX_DEPTH:
        return "…"
    words = [part for part, _ in zip(parts, range(_MAX_ITEMS + 1), strict=False)]
    return ", ".join(words[:_MAX_ITEMS]) + (", …" if len(words) > _MAX_ITEMS else "")


def _scalar_words(cell: Any) -> str:
    if cell is None or (is_scalar(cell) and pd.isna(cell)):
        return ""
    if isinstance(cell, (bool, np.bool_)):
        return "yes" if cell else "no"
    if isinstance(cell, Integral):
        return str(int(cell))
    if isinstance(cell, Real):
        return f"{cell:.{_decimals(cell)}f}" if _is_fraction(cell) else f"{float(cell):g}".replace("inf", "infinite")
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M:%S %Z}".rstrip()
    if isinstance(cell, timedelta):
        return duration(cell.total_seconds())
    return f"{cell:%Y-%m-%d}" if isinstance(cell, date) else str(cell)


def _is_fraction(cell: Any) -> bool:
    """Tell whether a number is written with decimals, neither tiny nor huge."""
    if not isinstance(cell, (float, np.floating)) or not math.isfinite(cell):
        return False
    size = abs(float(cell))
    return size == 0 or 10.0**-_DECIMALS <= size < 10.0**15


def _decimals(cell: Any) -> int:
    """Return how many decimals a number needs, six at most."""
    if not _is_fraction(cell):
        return 0
    return len(f"{cell:.{_DECIMALS}f}".rstrip("0").partition(".")[2])


def _shortened(words: str) -> str:
    more = len(words) - _MAX_CELL
    return f"{words[:_MAX_CELL]}… ({more:,} more characters)" if more > 0 else words
