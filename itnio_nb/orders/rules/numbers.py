"""What a number may be instead, and what it may have lost: dates, extensions, two numbers in one cell, exponents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from itnio_nb.api.text import plural
from itnio_nb.orders.rules.hits import RuleHit
from itnio_nb.orders.rules.names import SHEET_ERROR, SHEET_ERROR_TEXTS
from itnio_nb.orders.text_columns import TextColumn

EXPONENT = re.compile(r"^([0-9])(?:[.,]([0-9]*))?[eE]\+?0*([0-9]{1,2})$")
# Digits and what people write between them; the rules below say where that is more than a separator.
SEPARATED = r"^\+?[0-9(][0-9 ()/-]*$|^\+?[0-9]{1,4}(\.[0-9]{2,}){2,}$"
_MAX_SHARED = 200  # groups that share one display number without a remark

_YEAR, _MONTH, _DAY = "(19|20)[0-9]{2}", "(0?[1-9]|1[0-2])", "(0?[1-9]|[12][0-9]|3[01])"


class Shape(NamedTuple):
    """A way of writing a display number that is not certain: its pattern, those that are meant after all, the words."""

    pattern: str
    problem: str
    advice: str
    certain: str = "^$"

    def matches(self, texts: TextColumn) -> np.ndarray:
        """Return a mask of the texts that are written so."""
        found = texts.matches(self.pattern)
        return found & ~texts.matches(self.certain) if found.any() else found


_ONE_NUMBER = "Write one number in a cell, the whole of it, digits only; order the others in rows of their own."
# Never dialled as it stands there: the row is not planned.
WRONG_SHAPES = (
    Shape(
        r"^(\+|00)?[0-9][0-9 .-]*\( ?0 ?\)",
        "has a (0) behind the country code, which is not dialled together with it",
        "Write the number without the 0, or without the country code: digits only.",
    ),
    Shape(
        rf"^{_YEAR}([-/.]){_MONTH}([-/.]){_DAY}( .*)?$|^{_DAY}([-/.]){_MONTH}([-/.]){_YEAR}( .*)?$"
        rf"|^{_MONTH}([-/.]){_DAY}([-/.]){_YEAR}( .*)?$",
        "is a date where a display number was: the spreadsheet has changed what was typed",
        "Format the column as text in the source, then type the number again.",
    ),
    Shape(
        r"^[0-9]{1,3}(\.[0-9]{1,3}){3}$",
        "is four numbers with dots between them, as an address of a network has",
        "Write the display number, digits only.",
    ),
    Shape(
        r"/ ?[0-9]{1,3}$|[0-9]{3,}.*- ?[0-9]{1,2}$|[0-9]{5,} ?\([0-9]{1,3}\)$",
        "has a short end, which may be an extension, a range or a second number",
        _ONE_NUMBER,
        certain=r"(^|[^0-9/])[0-9]{1,4}-[0-9]{2}-[0-9]{2}$",
    ),
    Shape(
        r"[0-9]{6,}[() ]*[/-][() ]*[0-9]{6,}|^\+?([0-9][() .-]*){7,}/ ?[0-9]{4,}",
        "is more than one number, or a range",
        _ONE_NUMBER,
    ),
)
# What may be meant as it stands there: planned, and told.
DOUBTFUL_SHAPES = (
    Shape(
        r"[0-9]{4,}- ?[0-9]{3}$|[0-9]{5,} [0-9]{1,3}$",
        "has a short end, which may be an extension",
        "Compare with the source: is all of it the number to be shown?",
        certain=r"(^|[^0-9])[0-9]{1,3}- ?[0-9]{3}$",
    ),
    Shape(
        r"^[0-9]{6,} +[0-9]{6,}$",
        "has two long parts, which may be two numbers",
        "Compare with the source: one number in a cell.",
    ),
    Shape(
        r"^([0-9]{2}[ ./-]){5}[0-9]{2}$",
        "is six pairs of digits, which may be a time or an address of a device",
        "Compare with the source: is it the number to be shown?",
    ),
    Shape(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        "is written as a date is",
        "Compare with the source: is it the number to be shown?",
    ),
    Shape(
        r"^\+[0-9]{1,3}[ ./()-]+0",
        "has a 0 behind the country code, which few countries dial",
        "Compare with the source: write the number as it is dialled from abroad.",
        certain=r"^\+(39|378|379|225|229|241|242)[ ./()-]",  # Italy and others have it there
    ),
)


def damaged_numbers(column: str, texts: TextColumn) -> Iterator[RuleHit]:
    """Find numbers that have lost digits to an exponent, are errors of the spreadsheet, or may be something else."""
    exponent = texts.matches(EXPONENT.pattern)
    problems = [_exponent_problem(text) for text in texts.take(np.flatnonzero(exponent)).to_numpy()]
    advice = "The others are lost here: format the column as text in the source, then type the number again."
    yield RuleHit(exponent, column, problems, advice)
    yield RuleHit(texts.matches(SHEET_ERROR), column, *SHEET_ERROR_TEXTS)
    if column == "displayNum":
        explained = np.zeros(len(texts), dtype=bool)
        for shape in WRONG_SHAPES:
            where = shape.matches(texts) & ~explained
            explained |= where
            yield RuleHit(where, column, shape.problem, shape.advice)


def exponent_digits(text: str) -> tuple[int, int] | None:
    """Return how many digits an exponent form has kept, and how many its number has; None for any other text."""
    form = EXPONENT.fullmatch(text)
    if form is None or form[1] == "0":
        return None
    return 1 + len(form[2] or ""), 1 + int(form[3])


def _exponent_problem(text: str) -> str:
    digits = exponent_digits(text)
    if digits is None:
        return "is written with an exponent"
    kept, whole = digits
    return f"keeps {kept} of its {whole} digits" if kept < whole else "has digits behind the point"


def prefixed_numbers(texts: TextColumn, good: np.ndarray) -> Iterator[RuleHit]:
    """Doubt numbers that begin with the prefix of a call to another country."""
    advice = "Write the country code without it, if that is what it is; otherwise nothing is to be done."
    problem = "begins with 00, the prefix of a call to another country"
    yield RuleHit(good & texts.matches("^00"), "displayNum", problem, advice, "warning")


def shorter_numbers(texts: TextColumn, good: np.ndarray) -> Iterator[RuleHit]:
    """Suspect a lost leading zero where one number has one digit less than nearly all others."""
    size = texts.lengths()
    if good.sum() >= 5:
        usual = int(np.bincount(size[good]).argmax())
        short = good & (size == usual - 1)
        if (size[good] == usual).mean() >= 0.8 and short.any():
            problem = f"has {plural(usual - 1, 'digit')}, nearly all others {usual}: a 0 at its beginning may be lost"
            yield RuleHit(short, "displayNum", problem, "Compare with the source.", "warning")


def shared_numbers(texts: TextColumn, good: np.ndarray, parts: np.ndarray) -> Iterator[RuleHit]:
    """Remark one display number for hundreds of groups, at the first of them."""
    at = np.flatnonzero(good)
    if parts[at].sum() <= _MAX_SHARED:
        return
    code, _ = pd.factorize((texts.take(at) if len(at) < len(texts) else texts).integers())
    groups = np.bincount(code, weights=parts[at])
    many = np.flatnonzero(groups > _MAX_SHARED)
    firsts = sorted((int(at[np.argmax(code == number)]), int(groups[number])) for number in many)
    where = np.zeros(len(texts), dtype=bool)
    where[[first for first, _ in firsts]] = True
    problems = [f"is the display number of {plural(size, 'group')}" for _, size in firsts]
    yield RuleHit(where, "displayNum", problems, "Nothing to do, if all of them are to show this number.", "warning")
