"""Repairs that lose nothing: what spreadsheets and people put around a value is taken away, and listed."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

import numpy as np

from itnio_nb.orders.models import Repair
from itnio_nb.orders.text_columns import BLANKS, TextColumn

# What no name is meant to have inside either; joiners (as in emoji) may be meant.
_INVISIBLE = r"[\x{ad}\x{180e}\x{200b}\x{2060}\x{feff}]"
_DASHES = r"\x{2010}-\x{2015}\x{2212}\x{fe63}\x{ff0d}-"
_SEPARATED = rf"^\+?[0-9(（][0-9 \x{{a0}}\x{{202f}}()（）/{_DASHES}]*$"
_DOTTED = r"^\+?[0-9]{1,4}(\.[0-9]{2,}){2,}$"
EXPONENT = re.compile(r"^([0-9])(?:[.,]([0-9]*))?[eE]\+?([0-9]{1,2})$")
_FULL_WIDTH = {"＋": "+", "．": ".", "，": ",", "Ｅ": "E", "ｅ": "e"}

_STORED_AS_NUMBER = "is a number where text belongs: a 0 at its beginning would be lost"

# One kind of repair: a mask of the cells that it changed, and how the finding puts it.
_Change = tuple[np.ndarray, str]


def repair(
    name: str, texts: TextColumn, rows: np.ndarray, numbers: np.ndarray | None
) -> tuple[TextColumn, list[Repair]]:
    """Return a column of the API's repaired, and each cell that changed or that was `numbers`, a number, in the file.

    Only what is certain is repaired: a number stays as it is unless nothing but its digits is left.
    """
    is_number = name in ("quantity", "displayNum")
    suspect = ~texts.are_digits() & (texts.lengths() > 0) if is_number else _suspect_names(texts)
    at, repaired = np.flatnonzero(suspect), texts
    changes: list[_Change] = []
    descriptions: dict[int, str] = {}
    if len(at):
        some, changes = _repair_numbers(texts.take(at), name) if is_number else _repair_names(texts.take(at))
        repaired = texts.put(suspect, some)
    if numbers is not None and name != "quantity":  # a quantity is meant to be a number
        descriptions = dict.fromkeys(np.flatnonzero(numbers & repaired.are_digits()).tolist(), _STORED_AS_NUMBER)
    for changed, how in changes:
        for place in at[changed].tolist():
            descriptions[place] = f"{descriptions[place]}; {how}" if place in descriptions else how
    places = np.array(sorted(descriptions), dtype=np.intp)
    before, after = (column.take(places).to_numpy().tolist() for column in (texts, repaired))
    cells = zip(rows[places].tolist(), before, after, map(descriptions.__getitem__, places.tolist()), strict=True)
    return repaired, [Repair(row, name, old, new, how, _advice(how, new)) for row, old, new, how in cells]


def _advice(how: str, cell: str) -> str:
    compare = how.startswith(_STORED_AS_NUMBER)
    return f"Compare {cell} with the true value." if compare else f"Nothing to do: read as {cell}."


def _suspect_names(texts: TextColumn) -> np.ndarray:
    suspect: np.ndarray = texts.differs(texts.strip(BLANKS + "'"))
    at = texts.non_ascii()
    suspect[at] |= texts.take(at).matches(_INVISIBLE)
    return suspect


def _repair_names(texts: TextColumn) -> tuple[TextColumn, list[_Change]]:
    stripped = texts.strip()
    visible = stripped.replace(_INVISIBLE, "")
    bare = visible.replace(r"^'([0-9=+@-])", r"\1")
    return bare, [
        (texts.differs(stripped), "had blanks around it"),
        (stripped.differs(visible), "had invisible characters in it"),
        (visible.differs(bare), "had an apostrophe before it"),
    ]


def _repair_numbers(texts: TextColumn, name: str) -> tuple[TextColumn, list[_Change]]:
    stripped = texts.strip().replace(_INVISIBLE, "")
    bare = stripped.replace(r"^'+", "")
    folded = bare.map_where(bare.matches(r"[^\x00-\x7f]"), lambda text: "".join(map(_ascii_digit, text)))
    whole = folded.replace(r"^(\+?[0-9]+)[.,]00?$", r"\1")  # not .000: that may be thousands
    unsigned = whole.replace(r"^\+", "")
    joined = unsigned
    if name == "displayNum":
        separated = whole.matches(_SEPARATED) | whole.matches(_DOTTED)
        joined = unsigned.put(separated, whole.take(np.flatnonzero(separated)).replace("[^0-9]", ""))
    written_out = joined.map_where(joined.matches(EXPONENT.pattern), _write_out)
    good = written_out.are_digits()
    return stripped.put(good, written_out.take(np.flatnonzero(good))), [
        (texts.differs(stripped), "had blanks around it"),
        (good & stripped.differs(bare), "had an apostrophe before it"),
        (good & bare.differs(folded), "was written in other digits"),
        (good & folded.differs(whole), "had .0 behind it"),
        (good & whole.differs(unsigned), "had a + before it"),
        (good & unsigned.differs(joined), "had separators in it"),
        (good & joined.differs(written_out), "was written with an exponent, with all its digits"),
    ]


def _ascii_digit(char: str) -> str:
    """Return a decimal digit of any script, or a full-width sign, in ASCII; any other character as it is."""
    digit = unicodedata.decimal(char, None)
    return _FULL_WIDTH.get(char, char) if digit is None else str(digit)


def exponent_digits(text: str) -> tuple[int, int] | None:
    """Return how many digits an exponent form has kept, and how many its number has; None for any other text."""
    form = EXPONENT.fullmatch(text)
    if form is None or form[1] == "0":
        return None
    return 1 + len(form[2] or ""), 1 + int(form[3])


def _write_out(text: str) -> str:
    """Write a number in exponent form out, where the form has kept all its digits."""
    digits = exponent_digits(text)
    return f"{Decimal(text.replace(',', '.')):f}".removesuffix(".") if digits and digits[0] >= digits[1] else text
