"""What a rule has found: cells of one column, the problem and the advice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np


class RuleHit(NamedTuple):
    """The cells that one rule strikes: where (a mask over the rows), in which column, the problem and the advice."""

    where: np.ndarray
    column: str
    problem: str | list[str]  # one text for all, or one for each row that it strikes
    advice: str | list[str]
    severity: str = "error"


def expand_hits(hits: Iterable[RuleHit], at: np.ndarray, size: int) -> Iterator[RuleHit]:
    """Bring hits among the rows at some positions back to a mask over all rows."""
    for hit in hits:
        where = np.zeros(size, dtype=bool)
        where[at[hit.where]] = True
        yield hit._replace(where=where)
