"""Names that are there twice, that splitting makes twice, or that only look the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import numpy as np
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, Limits
from itnio_nb.api.text import shortened
from itnio_nb.orders.models import split_orders
from itnio_nb.orders.rules.column_bytes import has_any, hashes
from itnio_nb.orders.rules.hits import RuleHit, expand_hits
from itnio_nb.orders.text_columns import TextColumn, translate_ascii

_LOOKALIKES = str.maketrans("аеорсухіјѕԁһӏвкмнтαορνικ", "aeopcyxijsdhlbkmhtaopvik")  # letters that look like Latin
# Letters that are written in several ways or look like others, blanks, dashes, what nobody sees.
_MAY_FOLD = (
    r"[\x{a0}-\x{52f}\x{1100}-\x{11ff}\x{17b4}\x{17b5}\x{180b}-\x{180f}\x{1e00}-\x{206f}\x{2212}\x{2800}\x{3000}"
    r"\x{3099}\x{309a}\x{3164}\x{fe00}-\x{fe0f}\x{fe58}\x{fe63}\x{feff}-\x{ffef}\x{e0000}-\x{e0fff}]|  "
)
_INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_DASH = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_BLANKS = re.compile(r"\s+")
_ASCII_LOOKALIKES = bytes(range(256)).lower().replace(b"0", b"o").replace(b"1", b"l")


def find_duplicates(
    column: str, noun: str, texts: TextColumn, apps: np.ndarray, phones: np.ndarray, rows: np.ndarray, limits: Limits
) -> Iterator[RuleHit]:
    """Find names that are there twice in one application, also where splitting makes them, or that only look so.

    `apps` has a code for each application, `phones` how many phones each order asks for. Compared are only the
    few rows that it may concern: those that look like another one, and those that may meet a part.
    """
    keys = hashes(confusable_keys(texts))
    twice = pd.Series(keys ^ (apps.astype(np.int64) << 40)).duplicated(keep=False).to_numpy(copy=True)
    at = np.flatnonzero(twice)
    yield from expand_hits(find_confusables(column, noun, texts.take(at), apps[at], keys[at], rows[at]), at, len(rows))
    at = np.flatnonzero(twice | _may_meet_a_part(texts, phones, limits))
    if len(at):
        hits = _duplicates(column, noun, texts.take(at), apps[at], phones[at], rows[at], limits)
        yield from expand_hits(hits, at, len(rows))


def _may_meet_a_part(texts: TextColumn, phones: np.ndarray, limits: Limits) -> np.ndarray:
    """Return a mask of the rows whose name, or whose parts' names, splitting may have made twice.

    A part ends in _2, _3, …: it may meet a name that ends so, if what stands before is the name of one that is
    split. Two split ones whose parts meet are such a pair too: one name is the other's with such an end.
    """
    met = np.zeros(len(texts), dtype=bool)
    split = np.flatnonzero(phones > limits.group_max)
    ends = np.flatnonzero(texts.matches("_", literal=True)) if len(split) and has_any(texts, "_") else split[:0]
    if len(ends):
        before = pd.Index(texts.take(ends).replace("_[0-9]+$", "").to_numpy())
        own = pd.Index(texts.take(split).to_numpy())
        met[split[own.isin(before)]] = True
        met[ends[before.isin(own)]] = True
    return met


def _duplicates(
    column: str, noun: str, texts: TextColumn, apps: np.ndarray, phones: np.ndarray, rows: np.ndarray, limits: Limits
) -> Iterator[RuleHit]:
    """Find duplicates among some orders; the first stands, each later row has the error."""
    orders = pd.DataFrame(dict.fromkeys(API_COLUMNS, texts.to_numpy())).assign(appId=apps, quantity=phones)
    groups = split_orders(orders, limits)
    key = ["appId", column]
    shared = groups[groups.duplicated(key, keep=False) & (groups[column] != "")]
    first = shared.groupby(key, sort=False)[["row", "part"]].transform("first")
    shared = shared.assign(first_row=first["row"], first_part=first["part"])
    later = shared[shared["row"] != shared["first_row"]].drop_duplicates("row")
    where = np.zeros(len(rows), dtype=bool)
    where[later["row"].to_numpy(dtype=np.intp)] = True
    first_rows = rows[later["first_row"].to_numpy(dtype=np.intp)]
    cells = zip(later[column], later["part"], first_rows.tolist(), later["first_part"], strict=True)
    problems = [_duplicate_problem(noun, *cell) for cell in cells]
    yield RuleHit(where, column, problems, f"Give one of the two rows another {noun}, or delete it.")


def _duplicate_problem(noun: str, name: str, part: int, first_row: int, first_part: int) -> str:
    here = f"is a {noun} that" if part == 1 else f"becomes {shortened(name)} when the order is split, a {noun} that"
    there = "has" if first_part == 1 else "also makes when it is split,"
    return f"{here} row {first_row} {there} in the same application"


def find_confusables(
    column: str, noun: str, texts: TextColumn, apps: np.ndarray, keys: np.ndarray, rows: np.ndarray
) -> Iterator[RuleHit]:
    """Suspect names of one application that differ only in case, or in letters that look alike.

    `apps` and `keys` are numbers of the applications and of the names' confusable keys.
    """
    names = pd.DataFrame({"app": apps, "key": keys, "name": texts.factorize()[0], "at": np.arange(len(texts))})
    names = names.drop_duplicates(["app", "name"])
    names = names[names.duplicated(["app", "key"], keep=False)]
    if names.empty:
        return
    at = names["at"].to_numpy()
    first = names.groupby(["app", "key"], sort=False)["at"].transform("first").to_numpy()
    later = at != first
    where = np.zeros(len(texts), dtype=bool)
    where[at[later]] = True
    pairs = (texts.take(some).to_numpy().tolist() for some in (at[later], first[later]))
    problems = [
        f"differs from {shortened(name)} in row {row} only in {_difference(own, name)}"
        for own, name, row in zip(*pairs, rows[first[later]].tolist(), strict=True)
    ]
    yield RuleHit(where, column, problems, f"Compare the two: is it the same {noun}?", "warning")


def confusable_keys(texts: TextColumn) -> TextColumn:
    """Return what each text looks like: without case, with one letter, blank and dash for those that look like it."""
    where = texts.matches("  ", literal=True) if has_any(texts, " ") else np.zeros(len(texts), dtype=bool)
    at = texts.non_ascii()
    where[at] = texts.take(at).matches(_MAY_FOLD)
    return translate_ascii(texts.map_where(where, _latin_lookalike), _ASCII_LOOKALIKES)


def _latin_lookalike(text: str) -> str:
    return unicodedata.normalize("NFKC", _folded(text)).casefold().translate(_LOOKALIKES)


def _folded(text: str) -> str:
    """Return a text as it is seen: each letter written in one way, one blank and dash, nothing that nobody sees."""
    seen = _DASH.sub("-", _INVISIBLE.sub("", text))
    return unicodedata.normalize("NFC", _BLANKS.sub(" ", seen)).strip()


def _difference(name: str, other: str) -> str:
    same = _folded(name) == _folded(other)
    return "blanks, dashes or what nobody sees" if same else "case or in letters that look alike"
