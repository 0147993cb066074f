"""Names that are there twice, that splitting makes twice, or that only look the same."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import numpy as np
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, Limits
from itnio_nb.orders.damage import RuleHit, expand_hits
from itnio_nb.orders.models import split_orders
from itnio_nb.orders.text_columns import (
    Column,
    by_byte,
    codes,
    contains,
    foreign,
    matches,
    objects,
    put,
    replaced,
    some,
)
from itnio_nb.orders.text_columns import column as column_of_texts

_ALIKE = str.maketrans("аеорсухіјѕԁһӏвкмнтαορνικ", "aeopcyxijsdhlbkmhtaopvik")  # letters that look like Latin ones
_ALIKE_ASCII = bytes(range(256)).lower().replace(b"0", b"o").replace(b"1", b"l")


def find_duplicates(
    column: str,
    noun: str,
    text: dict[str, Column],
    apps: np.ndarray,
    phones: np.ndarray,
    rows: np.ndarray,
    limits: Limits,
) -> Iterator[RuleHit]:
    """Find names that are there twice, also where splitting makes them, and names that only look so.

    Looked for among the few rows that it may concern: those whose looks stand twice, and those that may meet a part.
    """
    looks = codes(confusable_keys(text[column]))
    twice = pd.Series(apps.astype(np.int64) * len(looks) + looks).duplicated(keep=False).to_numpy(copy=True)
    at = np.flatnonzero(twice)
    names = some(text[column], at)
    yield from expand_hits(
        find_confusables(column, noun, apps[at], looks[at], codes(names), names, rows[at]), at, len(rows)
    )
    at = np.flatnonzero(twice | _may_meet_a_part(text[column], phones, limits))
    if len(at):
        yield from expand_hits(_duplicates(column, noun, text, at, phones, rows, limits), at, len(rows))


def _may_meet_a_part(texts: Column, phones: np.ndarray, limits: Limits) -> np.ndarray:
    """Return the rows whose name, or whose parts' names, splitting may have made twice.

    A part ends in _2, _3, …: it may meet a name that ends so, if what stands before is the name of one that is
    split. Two split ones whose parts meet are such a pair too: one name is the other's with such an end.
    """
    met = np.zeros(len(texts), dtype=bool)
    split = np.flatnonzero(phones > limits.group_max)
    ends = np.flatnonzero(contains(texts, "_")) if len(split) else split
    if len(ends):
        before = pd.Index(objects(replaced(some(texts, ends), "_[0-9]+$", "")))
        own = pd.Index(objects(some(texts, split)))
        met[split[own.isin(before)]] = True
        met[ends[before.isin(own)]] = True
    return met


def _duplicates(
    column: str,
    noun: str,
    text: dict[str, Column],
    at: np.ndarray,
    phones: np.ndarray,
    rows: np.ndarray,
    limits: Limits,
) -> Iterator[RuleHit]:
    """Find duplicates among the orders at these positions; the first stands, each later row has the error."""
    orders = pd.DataFrame({name: objects(some(text[name], at)) for name in API_COLUMNS}, dtype=object)
    groups = split_orders(orders.assign(quantity=phones[at]), limits)
    key = ["appId", column]
    shared = groups[groups.duplicated(key, keep=False) & (groups[column] != "")]
    first = shared.groupby(key, sort=False)[["row", "part"]].transform("first")
    shared = shared.assign(first_row=first["row"], first_part=first["part"])
    later = shared[shared["row"] != shared["first_row"]].drop_duplicates("row")
    where = np.zeros(len(at), dtype=bool)
    where[later["row"].to_numpy(dtype=np.intp)] = True
    stands = rows[at[later["first_row"].to_numpy(dtype=np.intp)]]
    columns = (later[column], later["part"], stands, later["first_part"])
    told = zip(*(cells.tolist() for cells in columns), strict=True)
    problem = [_taken(noun, *cells) for cells in told]
    yield RuleHit(where, column, problem, f"Give one of the two rows another {noun}, or delete it.")


def _taken(noun: str, name: str, part: int, first_row: int, first_part: int) -> str:
    here = f"is a {noun} that" if part == 1 else f"becomes {name} when the order is split, a {noun} that"
    there = "has" if first_part == 1 else "also makes when it is split,"
    return f"{here} row {first_row} {there} in the same application"


def find_confusables(
    column: str, noun: str, apps: np.ndarray, looks: np.ndarray, names: np.ndarray, texts: Column, rows: np.ndarray
) -> Iterator[RuleHit]:
    """Suspect names of one application that differ only in case, or in letters that look alike.

    `apps`, `looks` and `names` are the codes of the applications, of what the names look like and of the names.
    """
    key = pd.DataFrame({"app": apps, "look": looks, "name": names, "at": np.arange(len(names))})
    key = key.drop_duplicates(["app", "name"])
    key = key[key.duplicated(["app", "look"], keep=False)]
    if key.empty:
        return
    first = key.groupby(["app", "look"], sort=False)["at"].transform("first").to_numpy()
    at = key["at"].to_numpy()
    later = at != first
    where = np.zeros(len(names), dtype=bool)
    where[at[later]] = True
    known = objects(some(texts, first[later]))
    problem = [
        f"differs from {name} in row {row} only in case or in letters that look alike"
        for name, row in zip(known, rows[first[later]].tolist(), strict=True)
    ]
    yield RuleHit(where, column, problem, f"Compare the two: is it the same {noun}?", "warning")


def confusable_keys(texts: Column) -> Column:
    """Return what each text looks like: without case, and with one letter for those that look like it."""
    at = foreign(texts)
    at = at[matches(some(texts, at), r"[\x{c0}-\x{52f}\x{1e00}-\x{1fff}\x{ff01}-\x{ff5e}]")]
    if len(at):
        cells = [unicodedata.normalize("NFKC", text).casefold().translate(_ALIKE) for text in objects(some(texts, at))]
        where = np.zeros(len(texts), dtype=bool)
        where[at] = True
        texts = put(texts, where, column_of_texts(cells))
    return by_byte(texts, _ALIKE_ASCII)
