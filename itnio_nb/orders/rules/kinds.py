"""Findings by kind: what one rule says of one column is one kind, whatever numbers and names its texts quote.

A finding has no rule's name: its kind is read from its problem and advice, without what differs from cell to cell.
Numbers are found in any text; a rule that quotes anything else has its words in `_QUOTING`.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import pandas as pd

from itnio_nb.orders.text_columns import TextColumn, to_text_column

SEVERITIES = ("error", "warning", "repaired")  # the worst first
KIND_COLUMNS = ("kind", "severity", "column", "problem", "count", "rows", "first_rows", "advice", "example")
FIRST_ROWS = 3
_MAX_LISTED = 3  # numbers that differ and are told one by one
_SAMPLED = 50  # texts that are looked at one by one at a time
_OTHER = "…"
# Words around what is quoted, from the beginning of a text to its end: names of others, other readings, new values.
_QUOTING = (
    ("differs from ", " in row [0-9,]+ only in [a-z, ]+"),
    ("becomes ", " when the order is split, a [a-z]+ name that row [0-9,]+ [a-z, ]+"),
    ("looks as if it had been read in another encoding than it was written in: it may be ", ""),
    ("[A-Z].*?: read as ", r"\."),
)
_QUOTES = [re.compile(f"({before})(.*)({after})", re.DOTALL) for before, after in _QUOTING]
_NUMBER = "[0-9]+(?:,[0-9]{3})*"
_COUNTED = r"( [a-z]+?)s?\b"  # the noun behind a number, in the singular or the plural
_NUMBERS = re.compile(f"({_NUMBER})")
_CONTROL = r"[\x00-\x1f\x7f-\x{9f}\x{2028}\x{2029}]"
# In a key, for what is quoted and for numbers: no text has them once control characters are blanks.
_QUOTE_MARK, _NUMBER_MARK = "\x01", "\x02"


class Kinds(NamedTuple):
    """The kinds of some findings, as `findings_by_kind` returns them, and which of them each finding is of."""

    table: pd.DataFrame
    numbers: np.ndarray  # for each finding the position of its kind in the table


class _Texts(NamedTuple):
    """A column of findings: the distinct texts, the distinct keys, and the codes of both for each finding."""

    texts: TextColumn
    text_codes: np.ndarray
    keys: np.ndarray
    key_codes: np.ndarray


def findings_by_kind(findings: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each kind of finding: one rule at one column with one severity, the worst first.

        findings_by_kind(check_orders(orders))

    Columns: `kind` (an identifier that stays the same from one check to the next), `severity`, `column`, `problem`
    and `advice` (true of all findings of the kind: what differs is "2 or 3", or "…"), `count` of findings, `rows`
    (how many they concern), `first_rows` (a tuple of up to three), `example` (the value of the first). In the order
    of severities, then of counts.
    """
    return find_kinds(findings).table


def find_kinds(findings: pd.DataFrame) -> Kinds:
    """Return the kinds of some findings, and for each finding the position of its kind."""
    severity = severity_codes(findings)
    column_codes, columns = to_text_column(findings["column"])[0].factorize()
    problem, advice = (_texts(findings[name]) for name in ("problem", "advice"))
    code = severity.astype(np.int64)
    for size, codes in (
        (len(columns), column_codes),
        (len(problem.keys), problem.key_codes),
        (len(advice.keys), advice.key_codes),
    ):
        code = code * max(size, 1) + codes
    _, first, kind, count = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -count, severity[first]))
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    kind, first = place[kind], first[order]
    head = [np.array(SEVERITIES, dtype=object)[severity[first]], columns.take(column_codes[first]).to_numpy()]
    keys = [texts.keys[texts.key_codes[first]] for texts in (problem, advice)]
    rows, first_rows = _rows(findings, kind, len(first))
    cells = {
        "kind": [_identifier(*parts) for parts in zip(*head, *keys, strict=True)],
        "severity": head[0],
        "column": head[1],
        "problem": _common_texts(problem, kind, len(first)),
        "count": count[order],
        "rows": rows,
        "first_rows": first_rows,
        "advice": _common_texts(advice, kind, len(first)),
        "example": to_text_column(findings["value"].iloc[first])[0].to_numpy(),
    }
    return Kinds(pd.DataFrame(cells, columns=list(KIND_COLUMNS)), kind)


def severity_codes(findings: pd.DataFrame) -> np.ndarray:
    """Return the place of each finding's severity in `SEVERITIES`; what is none of them, of a file, is a warning."""
    codes = pd.Index(SEVERITIES).get_indexer(pd.Index(findings["severity"].astype(object)))
    return np.where(codes < 0, SEVERITIES.index("warning"), codes)


def without_numbers(texts: TextColumn) -> TextColumn:
    """Return texts with a mark for each number, and the noun behind it in the singular."""
    return texts.replace(f"{_NUMBER}(?:{_COUNTED})?", rf"{_NUMBER_MARK}\1")


def _texts(cells: pd.Series) -> _Texts:
    text_codes, texts = to_text_column(cells)[0].replace(_CONTROL, " ").factorize()
    keys = texts
    for before, after in _QUOTING:
        keys = keys.replace(f"(?s)^({before}).*({after})$", rf"\1{_QUOTE_MARK}\2")
    key_codes, keys = without_numbers(keys).factorize()
    return _Texts(texts, text_codes, keys.to_numpy(), key_codes[text_codes])


def _identifier(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def _rows(findings: pd.DataFrame, kind: np.ndarray, size: int) -> tuple[np.ndarray, list[tuple[object, ...]]]:
    """Return how many rows each kind concerns, and the first of them; a finding of a whole column has many."""
    row = findings["row"].to_numpy(dtype=object)
    some = pd.DataFrame({"kind": kind, "row": row, "rows": 1})
    if "rows" in findings.columns:
        some["rows"] = pd.to_numeric(findings["rows"], errors="coerce").fillna(1).clip(lower=1).to_numpy(dtype=np.int64)
    some = some.drop_duplicates(["kind", "row"])
    number = np.bincount(some["kind"], weights=some["rows"], minlength=size).astype(np.int64)
    heads = some.groupby("kind").head(FIRST_ROWS)
    return number, [tuple(rows.tolist()) for _, rows in heads.groupby("kind", sort=True)["row"]]


def _common_texts(texts: _Texts, kind: np.ndarray, size: int) -> list[str]:
    """Return for each kind a text that is true of all its findings."""
    pairs = np.sort(pd.unique(kind * max(len(texts.texts), 1) + texts.text_codes))
    kinds, codes = np.divmod(pairs, max(len(texts.texts), 1))
    ends = np.searchsorted(kinds, np.arange(size + 1))
    return [_common_text(texts.texts.take(codes[ends[at] : ends[at + 1]])) for at in range(size)]


def _common_text(texts: TextColumn) -> str:
    """Return a text that is true of all these of one kind, each another: up to three numbers are told, else "…"."""
    words = _Words(texts.take(slice(0, 1)).to_numpy()[0])
    rest = texts.take(slice(1, None))
    while len(rest):
        for text in rest.take(slice(0, _SAMPLED)).to_numpy():
            words.add(text)
        rest = rest.take(slice(_SAMPLED, None))
        rest = rest.take(np.flatnonzero(~rest.matches(words.pattern())))
    return str(words)


class _Words:
    """What texts of one kind have in common, and what stands in the places where they may differ."""

    def __init__(self, text: str) -> None:
        self._fixed, differing = _pieces(text)
        self._values = [{value} for value in differing]

    def add(self, text: str) -> None:
        """Take in one more text of the same kind."""
        fixed, differing = _pieces(text)
        self._fixed = [max(pair, key=len) for pair in zip(self._fixed, fixed, strict=True)]  # the plural
        for values, value in zip(self._values, differing, strict=True):
            values.add(value)

    def pattern(self) -> str:
        """Return the pattern of the texts that `str` is true of already."""
        parts = [re.escape(self._fixed[0])]
        for values, fixed in zip(self._values, self._fixed[1:], strict=True):
            noun = re.match(_COUNTED, fixed)
            counted = f"{re.escape(noun[1])}s?{re.escape(fixed[noun.end() :])}" if noun else re.escape(fixed)
            told = f"(?:{'|'.join(map(re.escape, values))})" if _told(values) != _OTHER else ".*"
            parts.append(told + counted)
        return f"(?s)^{''.join(parts)}$"

    def __str__(self) -> str:
        told = self._fixed[0]
        for values, fixed in zip(self._values, self._fixed[1:], strict=True):
            value = _told(values)
            told += value + (fixed.removeprefix(".") if value == _OTHER else fixed)
        return told


def _pieces(text: str) -> tuple[list[str], list[str]]:
    """Return the words of a text that are the same for its kind, and what stands between them."""
    for quote in _QUOTES:
        if found := quote.fullmatch(text):
            pieces = [*_NUMBERS.split(found[1]), found[2], *_NUMBERS.split(found[3])]
            break
    else:
        pieces = _NUMBERS.split(text)
    return pieces[::2], pieces[1::2]


def _told(values: set[str]) -> str:
    """Return values as they are told: one, or up to three numbers, or that they are others."""
    if len(values) == 1:
        return next(iter(values))
    if len(values) > _MAX_LISTED or not all(map(_NUMBERS.fullmatch, values)):
        return _OTHER
    *first, last = sorted(values, key=lambda value: int(value.replace(",", "")))
    return f"{', '.join(first)} or {last}"
