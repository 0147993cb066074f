"""What was lost before the file came here, and what looks as if: spreadsheets turn values into other things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from itnio_nb.api.text import plural
from itnio_nb.orders.repair import exponent_digits
from itnio_nb.orders.text_columns import Column, integers, lengths, matches, objects, some

_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DATE = rf"^([0-9]{{1,2}}-{_MONTH}(-[0-9]{{2,4}})?|{_MONTH}-[0-9]{{2}}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}( [0-9:]+)?)$"
_SLASHED = r"^[0-9]{1,2}/[0-9]{1,2}/([0-9]{2}|[0-9]{4})$"
_FAILED = r"^#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|#+)$"
_TRUTH = "^(TRUE|FALSE)$"
_REPLACED = r"\x{fffd}"
# UTF-8 that was read as Windows-1252: é becomes Ã©, – becomes â€“.
_MOJIBAKE = r"[\x{c2}\x{c3}][\x{80}-\x{bf}]|\x{e2}\x{20ac}"
_EXPONENT = r"^[0-9]([.,][0-9]*)?[eE]\+?[0-9]{1,2}$"
_MANY = 200  # groups that share one display number before that is remarked


# Whatever of these strikes a name: looked for at once, since it is rare.
ASCII_DAMAGE = "|".join((_DATE, _SLASHED, _TRUTH, _FAILED))
NAME_DAMAGE = "|".join((ASCII_DAMAGE, _REPLACED, _MOJIBAKE))


class RuleHit(NamedTuple):
    """What one rule has found: where (a mask over the rows), in which column, the problem and the advice, how bad."""

    where: np.ndarray
    column: str
    problem: str | list[str]  # one text for all, or one for each row that it strikes
    advice: str | list[str]
    severity: str = "error"


def damaged_names(column: str, noun: str, texts: Column) -> Iterator[RuleHit]:
    """Find names that a spreadsheet has turned into something else, or that lost characters on their way."""
    dated = matches(texts, _DATE) | matches(texts, _SLASHED)
    yield RuleHit(
        dated,
        column,
        f"is a date where a {noun} was: the spreadsheet has changed what was typed",
        f"Format the column as text in the source, then type the {noun} again.",
    )
    yield RuleHit(
        matches(texts, _TRUTH),
        column,
        "is a truth value of the spreadsheet, not text",
        f"Format the column as text in the source, then type the {noun} again.",
    )
    yield _failed(column, texts)
    yield RuleHit(
        matches(texts, _REPLACED),
        column,
        "has characters that were lost when the file was converted (�)",
        "Save the source again as XLSX or CSV UTF-8, and read that.",
    )
    yield RuleHit(
        matches(texts, _MOJIBAKE),
        column,
        "looks as if it had been read in another encoding than it was written in",
        "Compare with the source; save that as XLSX or CSV UTF-8.",
        "warning",
    )


def _failed(column: str, texts: Column) -> RuleHit:
    return RuleHit(
        matches(texts, _FAILED),
        column,
        "is an error of the spreadsheet, not a value",
        "Mend the formula in the source, or type the value.",
    )


def damaged_numbers(column: str, texts: Column) -> Iterator[RuleHit]:
    """Find numbers that have lost digits to an exponent, or are errors of the spreadsheet."""
    exponent = matches(texts, _EXPONENT)
    problem = [_exponent_words(text) for text in objects(some(texts, np.flatnonzero(exponent)))]
    advice = "The others are lost here: format the column as text in the source, then type the number again."
    yield RuleHit(exponent, column, problem, advice)
    yield _failed(column, texts)


def _exponent_words(text: str) -> str:
    kept = exponent_digits(text)
    return f"keeps {kept[0]} of its {kept[1]} digits" if kept else "is written with an exponent"


def shorter_numbers(texts: Column, good: np.ndarray) -> Iterator[RuleHit]:
    """Suspect a lost leading zero where one number has one digit less than nearly all others."""
    size = lengths(texts)
    if good.sum() >= 5:
        usual = int(np.bincount(size[good]).argmax())
        short = good & (size == usual - 1)
        if (size[good] == usual).mean() >= 0.8 and short.any():
            problem = f"has {plural(usual - 1, 'digit')}, nearly all others {usual}: a 0 at its beginning may be lost"
            yield RuleHit(short, "displayNum", problem, "Compare with the source.", "warning")


def shared_number(texts: Column, good: np.ndarray, parts: np.ndarray) -> Iterator[RuleHit]:
    """Remark one display number for hundreds of groups, at the first of them."""
    at = np.flatnonzero(good)
    if parts[at].sum() <= _MANY:
        return
    code, _ = pd.factorize(integers(some(texts, at)) if len(at) < len(texts) else integers(texts))
    groups = np.bincount(code, weights=parts[at])
    many = np.flatnonzero(groups > _MANY)
    firsts = sorted((int(at[np.argmax(code == number)]), int(groups[number])) for number in many)
    where = np.zeros(len(texts), dtype=bool)
    where[[first for first, _ in firsts]] = True
    problem = [f"is the display number of {plural(size, 'group')}" for _, size in firsts]
    yield RuleHit(where, "displayNum", problem, "Nothing to do, if all of them are to show this number.", "warning")


def expand_hits(found: Iterable[RuleHit], at: np.ndarray, size: int) -> Iterator[RuleHit]:
    """Bring what was found in some of the rows back to where these rows are."""
    for finding in found:
        where = np.zeros(size, dtype=bool)
        where[at[finding.where]] = True
        yield finding._replace(where=where)
