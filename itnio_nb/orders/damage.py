"""What was lost before the file came here, and what looks as if: spreadsheets turn values into other things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from itnio_nb.api.text import plural
from itnio_nb.orders.repair import EXPONENT, exponent_digits
from itnio_nb.orders.text_columns import TextColumn, has_controls

_CONTROL = r"[\x00-\x1f\x7f-\x{9f}\x{2028}\x{2029}]"
_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE = rf"^([0-9]{{1,2}}-{_MONTH}(-[0-9]{{2,4}})?|{_MONTH}-[0-9]{{2}}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}( [0-9:]+)?)$"
_SLASHED_DATE = r"^[0-9]{1,2}/[0-9]{1,2}/([0-9]{2}|[0-9]{4})$"
_SHEET_ERROR = r"^#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|#+)$"
_TRUTH_VALUE = "^(TRUE|FALSE)$"
_REPLACED = r"\x{fffd}"
# UTF-8 that was read as Windows-1252: é becomes Ã©, – becomes â€“.
_MOJIBAKE = r"[\x{c2}\x{c3}][\x{80}-\x{bf}]|\x{e2}\x{20ac}"
# All that damages a name, in one pattern: it is rare, so only what matches is examined.
_ASCII_DAMAGE = "|".join((_DATE, _SLASHED_DATE, _TRUTH_VALUE, _SHEET_ERROR))
_NAME_DAMAGE = "|".join((_CONTROL, _ASCII_DAMAGE, _REPLACED, _MOJIBAKE))
_SHEET_ERROR_TEXTS = "is an error of the spreadsheet, not a value", "Mend the formula in the source, or type the value."
_MAX_SHARED = 200  # groups that share one display number without a remark


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


def damaged_names(column: str, noun: str, texts: TextColumn) -> Iterator[RuleHit]:
    """Find names that a spreadsheet has turned into something else, that lost characters or hold control characters."""
    suspect = texts.matches(f"{_CONTROL}|{_ASCII_DAMAGE}" if has_controls(texts) else _ASCII_DAMAGE)
    non_ascii = texts.non_ascii()
    suspect[non_ascii] |= texts.take(non_ascii).matches(_NAME_DAMAGE)
    at = np.flatnonzero(suspect)
    if len(at):
        yield from expand_hits(_name_damage(column, noun, texts.take(at)), at, len(texts))


def _name_damage(column: str, noun: str, texts: TextColumn) -> Iterator[RuleHit]:
    again = f"Format the column as text in the source, then type the {noun} again."
    broken = "contains a line break or another control character"
    changed = f"is a date where a {noun} was: the spreadsheet has changed what was typed"
    lost = "has characters that were lost when the file was converted (�)"
    misread = "looks as if it had been read in another encoding than it was written in"
    for pattern, problem, advice, severity in (
        (_CONTROL, broken, f"Type the {noun} again on one line.", "error"),
        (f"{_DATE}|{_SLASHED_DATE}", changed, again, "error"),
        (_TRUTH_VALUE, "is a truth value of the spreadsheet, not text", again, "error"),
        (_SHEET_ERROR, *_SHEET_ERROR_TEXTS, "error"),
        (_REPLACED, lost, "Save the source again as XLSX or CSV UTF-8, and read that.", "error"),
        (_MOJIBAKE, misread, "Compare with the source; save that as XLSX or CSV UTF-8.", "warning"),
    ):
        yield RuleHit(texts.matches(pattern), column, problem, advice, severity)


def damaged_numbers(column: str, texts: TextColumn) -> Iterator[RuleHit]:
    """Find numbers that have lost digits to an exponent, or are errors of the spreadsheet."""
    exponent = texts.matches(EXPONENT.pattern)
    problems = [_exponent_problem(text) for text in texts.take(np.flatnonzero(exponent)).to_numpy()]
    advice = "The others are lost here: format the column as text in the source, then type the number again."
    yield RuleHit(exponent, column, problems, advice)
    yield RuleHit(texts.matches(_SHEET_ERROR), column, *_SHEET_ERROR_TEXTS)


def _exponent_problem(text: str) -> str:
    digits = exponent_digits(text)
    return f"keeps {digits[0]} of its {digits[1]} digits" if digits else "is written with an exponent"


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
