"""Warnings that somebody has looked at and accepted: of these cells with these values, and of no others."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from itnio_nb.orders.rules.kinds import SEVERITIES, severity_codes, without_numbers
from itnio_nb.orders.text_columns import to_text_column

_MARK = re.compile("[0-9a-f]{16}")
_VERSION = 1
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Accepted:
    """A set of accepted warnings, each known by its row, column, value and problem. It is never changed.

        accepted = Accepted().add(findings)        # the warnings among them
        open_findings = findings[~accepted.mask(findings)]
        accepted = Accepted.from_json(accepted.to_json())

    An edit of the cell, another problem in it and the same one in another row are open again. Numbers in a problem
    make no difference: they tell of other cells ("is the display number of 250 groups"). Errors and repairs are never
    accepted. A value is compared as the finding quotes it, which leaves the middle of more than 78 characters out.
    """

    marks: frozenset[int] = frozenset()

    def add(self, findings: pd.DataFrame) -> Accepted:
        """Return a set that has the warnings among these findings too."""
        return Accepted(self.marks.union(_marks(findings[_are_warnings(findings)]).tolist()))

    def remove(self, findings: pd.DataFrame) -> Accepted:
        """Return a set without these findings: they are open again."""
        return Accepted(self.marks.difference(_marks(findings[_are_warnings(findings)]).tolist()))

    def mask(self, findings: pd.DataFrame) -> np.ndarray:
        """Return a mask of the findings that are accepted."""
        accepted = np.zeros(len(findings), dtype=bool)
        warnings = np.flatnonzero(_are_warnings(findings))
        if self.marks and len(warnings):
            marks = np.fromiter(self.marks, dtype=np.uint64, count=len(self.marks))
            accepted[warnings] = np.isin(_marks(findings.iloc[warnings]), marks)
        return accepted

    def to_json(self) -> str:
        """Return the set as JSON, without any value of a cell."""
        return json.dumps({"version": _VERSION, "accepted": [f"{mark:016x}" for mark in sorted(self.marks)]})

    @classmethod
    def from_json(cls, text: object) -> Accepted:
        """Return the set that `to_json` wrote; of anything else what can be read of it, which may be nothing."""
        try:
            kept = json.loads(text)["accepted"] if isinstance(text, str | bytes) else ()
        except (KeyError, TypeError, ValueError, RecursionError):
            kept = ()
        marks = kept if isinstance(kept, list) else ()
        return cls(frozenset(int(mark, 16) for mark in marks if isinstance(mark, str) and _MARK.fullmatch(mark)))


def _are_warnings(findings: pd.DataFrame) -> np.ndarray:
    return np.asarray(severity_codes(findings) == SEVERITIES.index("warning"))


def _marks(findings: pd.DataFrame) -> np.ndarray:
    """Return for each finding a number of 64 bits made of its row, column, value and problem."""
    row = findings["row"].infer_objects()
    column, value, problem = (to_text_column(findings[name])[0] for name in ("column", "value", "problem"))
    texts = [one.to_numpy() for one in (column, value, without_numbers(problem))]
    is_number = pd.api.types.is_integer_dtype(row)
    marks = np.zeros(len(findings), dtype=np.uint64)
    for cells in (row.to_numpy(np.int64) if is_number else to_text_column(row)[0].to_numpy(), *texts):
        marks = (marks ^ pd.util.hash_array(cells)) * _SPREAD
        marks ^= marks >> np.uint64(29)
    return marks
