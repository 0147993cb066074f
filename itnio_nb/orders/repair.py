"""Repairs that lose nothing: what spreadsheets and people put around a value is taken away, and listed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from itnio_nb.api.text import shortened
from itnio_nb.orders.models import SHOWN_AS_DATE, Repair
from itnio_nb.orders.rules.column_bytes import has_any
from itnio_nb.orders.rules.numbers import DOUBTFUL_SHAPES, EXPONENT, SEPARATED, WRONG_SHAPES, exponent_digits
from itnio_nb.orders.text_columns import BLANKS, CONTROLS, TextColumn, text_column

# What no name is meant to have inside either; joiners (as in emoji) may be meant.
_INVISIBLE = r"[\x{ad}\x{61c}\x{180e}\x{200b}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{feff}]"
_QUOTED = r'^=?"([^"]*)"$'
# Numbers that no date of our time has: those of phones are larger, quantities smaller.
_TYPED = {"displayNum": re.compile("[1-9][0-9]{6,}"), "quantity": re.compile("[1-9][0-9]{0,3}")}
_FORMULA_TEXT = r'^="([^"]*)"$'
_POINT_ZERO = "^([0-9]+)[.,]0$"
_FULL_WIDTH = dict(zip("＋．，Ｅｅ＝＂", '+.,Ee="', strict=True))
# What people write between digits, in the one character that rules know.
_SEPARATORS = str.maketrans(
    {"（": "(", "）": ")", "／": "/"}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-")
    | dict.fromkeys("\xa0\u2007\u2009\u202f\u3000", " ")
)

_MENDED = ("quantity", "displayNum")  # the columns that hold numbers


class _Change(NamedTuple):
    """One kind of repair: a mask of the cells that it changed, how the finding puts it; advice where it is doubtful."""

    where: np.ndarray
    how: str
    doubt: str = ""


def repair(name: str, texts: TextColumn, rows: np.ndarray) -> tuple[TextColumn, list[Repair]]:
    """Return a column of the API's repaired, and what is to be told of each cell that changed.

    Only what is certain is repaired: a number stays as it is unless nothing but its digits is left. What is read
    in the way that it is most likely meant, and may be meant otherwise, is a warning.
    """
    is_number = name in _MENDED
    suspect = ~texts.are_digits() & (texts.lengths() > 0) if is_number else _suspect_names(texts)
    at, repaired = np.flatnonzero(suspect), texts
    told: list[Repair] = []
    if len(at):
        some, changes = _repair_numbers(texts.take(at), name) if is_number else _repair_names(texts.take(at))
        if changes := [change for change in changes if change.where.any()]:
            repaired = texts.put(suspect, some)
            told = _describe(name, texts, repaired, rows, at, changes)
    return repaired, told


def put_typed_numbers(
    name: str, texts: TextColumn, rows: np.ndarray, typed: Mapping[int, str]
) -> tuple[TextColumn, list[Repair]]:
    """Return a column of numbers with those that were typed into cells whose format shows a date, each told.

    What may be a true date stays one.
    """
    places = [at for at, row in enumerate(rows.tolist()) if _TYPED[name].fullmatch(typed.get(row, ""))] if typed else []
    if not places:
        return texts, []
    where = np.zeros(len(texts), dtype=bool)
    where[places] = True
    shown, numbers = texts.take(np.array(places)).to_numpy().tolist(), [typed[int(rows[at])] for at in places]
    cells = zip(places, shown, numbers, strict=True)
    told = [
        Repair(int(rows[at]), name, old, new, SHOWN_AS_DATE, f"Compare {new} with the source.", "warning")
        for at, old, new in cells
    ]
    return texts.put(where, text_column(numbers)), told


def _describe(
    name: str, texts: TextColumn, repaired: TextColumn, rows: np.ndarray, at: np.ndarray, changes: list[_Change]
) -> list[Repair]:
    """Return what was done to each cell, in the order of rows; where there is a doubt, that is what is told."""
    how: dict[int, list[str]] = {}
    doubts: dict[int, tuple[str, str]] = {}
    for change in changes:
        for place in at[change.where].tolist():
            if change.doubt:
                doubts.setdefault(place, (change.how, change.doubt))
            else:
                how.setdefault(place, []).append(change.how)
    places = np.array(sorted({*how, *doubts}), dtype=np.intp)
    before, after = (column.take(places).to_numpy().tolist() for column in (texts, repaired))
    told = []
    for place, row, old, new in zip(places.tolist(), rows[places].tolist(), before, after, strict=True):
        problem, advice = doubts.get(place, ("; ".join(how.get(place, ())), "Nothing to do"))
        read_as = f"{advice.removesuffix('.')}: read as {shortened(new)}." if old != new else advice
        told.append(Repair(row, name, old, new, problem, read_as, "warning" if place in doubts else "repaired"))
    return told


def _suspect_names(texts: TextColumn) -> np.ndarray:
    suspect = texts.differs(texts.strip(BLANKS + "'\""))
    if has_any(texts, ".,"):
        suspect |= texts.matches(_POINT_ZERO)
    at = texts.non_ascii()
    suspect[at] |= texts.take(at).matches(_INVISIBLE)
    return suspect


def _repair_names(texts: TextColumn) -> tuple[TextColumn, list[_Change]]:
    stripped = texts.strip()
    visible = stripped.replace(_INVISIBLE, "")
    bare = visible.replace(r"^'([0-9=+@-])", r"\1")
    value = bare.replace(_FORMULA_TEXT, r"\1")
    unquoted = value.replace(_QUOTED, r"\1").strip()
    whole = unquoted.replace(_POINT_ZERO, r"\1")
    return whole, [
        _Change(texts.differs(stripped), "had blanks around it"),
        _Change(stripped.differs(visible), "had invisible characters in it"),
        _Change(visible.differs(bare), "had an apostrophe before it"),
        _Change(bare.differs(value), 'had ="" around it'),
        _Change(value.differs(unquoted), "had quotes around it", "Compare with the source: do they belong to it?"),
        _Change(
            unquoted.differs(whole),
            "had .0 behind it, as a program writes that takes a name for a number",
            "Compare with the source: does it belong to the name?",
        ),
    ]


def _repair_numbers(texts: TextColumn, name: str) -> tuple[TextColumn, list[_Change]]:
    trimmed = texts.strip()
    stripped = trimmed.strip(BLANKS + CONTROLS).replace(_INVISIBLE, "")
    folded = stripped.map_where(stripped.matches(r"[^\x00-\x7f]"), lambda text: "".join(map(_ascii, text)))
    bare = folded.replace(r"^'+", "")
    value = bare.replace(_QUOTED, r"\1").replace(r"^=([+0-9])", r"\1").strip()
    whole = value.replace(r"^(\+?[0-9]+)[.,]00?$", r"\1")  # not .000: that may be thousands
    unsigned = whole.replace(r"^\+", "")
    joined, doubts = unsigned, list[_Change]()
    if name == "displayNum":
        plain = whole.map_where(whole.matches(r"[^\x00-\x7f]"), lambda text: text.translate(_SEPARATORS))
        separated = plain.matches(SEPARATED) & ~np.logical_or.reduce([shape.matches(plain) for shape in WRONG_SHAPES])
        joined = unsigned.put(separated, plain.take(np.flatnonzero(separated)).replace("[^0-9]", ""))
        doubts = [_Change(separated & shape.matches(plain), shape.problem, shape.advice) for shape in DOUBTFUL_SHAPES]
    written_out = joined.map_where(joined.matches(EXPONENT.pattern), _write_out)
    good = written_out.are_digits()
    return stripped.put(good, written_out.take(np.flatnonzero(good))), [
        *doubts,
        _Change(texts.differs(trimmed), "had blanks around it"),
        _Change(trimmed.differs(stripped), "had invisible characters in it"),
        _Change(good & stripped.differs(folded), "was written in other digits"),
        _Change(good & folded.differs(bare), "had an apostrophe before it"),
        _Change(good & bare.differs(value), 'had quotes or ="" around it'),
        _Change(good & value.differs(whole), "had .0 behind it"),
        _Change(good & whole.differs(unsigned), "had a + before it"),
        _Change(good & unsigned.differs(joined), "had separators in it"),
        _Change(good & joined.differs(written_out), "was written with an exponent, with all its digits"),
    ]


def _ascii(char: str) -> str:
    """Return a decimal digit of any script, or a full-width sign, in ASCII; any other character as it is."""
    digit = unicodedata.decimal(char, None)
    return _FULL_WIDTH.get(char, char) if digit is None else str(digit)


def _write_out(text: str) -> str:
    """Write a number in exponent form out, where the form has kept all its digits and none behind the point."""
    digits = exponent_digits(text)
    number = Decimal(text.replace(",", "."))
    return f"{number.to_integral_value():f}" if digits and digits[0] >= digits[1] and number % 1 == 0 else text
