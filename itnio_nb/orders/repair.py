"""Repairs that lose nothing: what spreadsheets and people put around a value is taken away, and listed."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

import numpy as np

from itnio_nb.orders.text_columns import (
    INVISIBLE,
    Column,
    are_digits,
    chosen,
    column,
    differ,
    foreign,
    lengths,
    matches,
    objects,
    put,
    replaced,
    some,
    starts,
    trimmed,
)

_DASHES = r"\x{2010}-\x{2015}\x{2212}\x{fe63}\x{ff0d}-"
_SEPARATED = rf"^\+?[0-9(（][0-9 \x{{a0}}\x{{202f}}()（）/{_DASHES}]*$"
_DOTTED = r"^\+?[0-9]{1,4}(\.[0-9]{2,}){2,}$"
_EXPONENT = re.compile(r"(\d)[.,]?(\d*)[eE]\+?(\d{1,2})")

# One stage: where it changed a cell, and how that is told.
Hows = list[tuple[np.ndarray, str]]


def repair(name: str, texts: Column) -> tuple[Column, Hows]:
    """Return a column of the API's with every repair made, and where each kind of repair was made.

    Only what is certain: a number stays as it is unless nothing but its digits is left.
    """
    of_number = name in ("quantity", "displayNum")
    where = _unclean_numbers(texts) if of_number else _unclean_names(texts)
    at = np.flatnonzero(where)
    if not len(at):
        return texts, []
    mended, hows = _mend_number(some(texts, at), name) if of_number else _mend_name(some(texts, at))
    told = []
    for changed, how in hows:
        if changed.any():
            expand_hits = np.zeros(len(texts), dtype=bool)
            expand_hits[at[changed]] = True
            told.append((expand_hits, how))
    return (put(texts, where, mended), told) if told else (texts, [])


def _unclean_numbers(texts: Column) -> np.ndarray:
    return ~are_digits(texts) & (lengths(texts) > 0)


def _unclean_names(texts: Column) -> np.ndarray:
    unclean: np.ndarray = differ(texts, trimmed(texts)) | starts(texts, "'")
    at = foreign(texts)
    unclean[at] |= matches(some(texts, at), f"[{INVISIBLE}]")
    return unclean


def _mend_name(texts: Column) -> tuple[Column, Hows]:
    stripped = trimmed(texts)
    visible = replaced(stripped, f"[{INVISIBLE}]", "")
    bare = replaced(visible, r"^'([0-9=+@-])", r"\1")
    hows = [
        (differ(texts, stripped), "had blanks around it"),
        (differ(stripped, visible), "had invisible characters in it"),
        (differ(visible, bare), "had an apostrophe before it"),
    ]
    return bare, hows


def _mend_number(texts: Column, name: str) -> tuple[Column, Hows]:
    stripped = replaced(trimmed(texts), f"[{INVISIBLE}]", "")
    bare = replaced(stripped, r"^'+", "")
    folded = _fold_digits(bare)
    whole = replaced(folded, r"^(\+?[0-9]+)[.,]00?$", r"\1")  # not .000: that may be thousands
    joined = replaced(whole, r"^\+", "")
    if name == "displayNum":
        separated = matches(whole, _SEPARATED) | matches(whole, _DOTTED)
        joined = chosen(separated, replaced(whole, "[^0-9]", ""), joined)
    written_out = _write_out(joined)
    good = are_digits(written_out)
    plus = matches(whole, r"^\+")
    hows = [
        (differ(texts, stripped), "had blanks around it"),
        (good & differ(stripped, bare), "had an apostrophe before it"),
        (good & differ(bare, folded), "was written in other digits"),
        (good & differ(folded, whole), "had .0 behind it"),
        (good & plus, "had a + before it"),
        (good & differ(replaced(whole, r"^\+", ""), joined), "had separators in it"),
        (good & differ(joined, written_out), "was written with an exponent, with all its digits"),
    ]
    return chosen(good, written_out, stripped), hows


def _fold_digits(texts: Column) -> Column:
    """Write the decimal digits of any script, and full-width signs, in ASCII."""
    where = matches(texts, r"[^\x00-\x7f]")
    if not where.any():
        return texts
    folded = ["".join(map(_folded, text)) for text in objects(some(texts, np.flatnonzero(where)))]
    return put(texts, where, column(folded))


def _folded(char: str) -> str:
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    return {"＋": "+", "．": ".", "，": ",", "Ｅ": "E", "ｅ": "e"}.get(char, char)


def exponent_digits(text: str) -> tuple[int, int] | None:
    """Return how many digits an exponent form has kept, and how many its number has; None for any other text."""
    form = _EXPONENT.fullmatch(text)
    if form is None or form[1] == "0":
        return None
    return 1 + len(form[2]), 1 + int(form[3])


def _write_out(texts: Column) -> Column:
    """Write numbers in exponent form out, where the form has kept all their digits."""
    where = matches(texts, r"^[0-9]([.,][0-9]*)?[eE]\+?[0-9]{1,2}$")
    if not where.any():
        return texts
    cells = [
        f"{Decimal(text.replace(',', '.')):f}" if (kept := exponent_digits(text)) and kept[0] >= kept[1] else text
        for text in objects(some(texts, np.flatnonzero(where)))
    ]
    return put(texts, where, column([cell.removesuffix(".") for cell in cells]))
