"""Columns of text, all rows at once: the home of pyarrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

# Blanks of any kind, those of no width too.
_RANGES = ((0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0xAD, 0xAD), (0x1680, 0x1680), (0x180E, 0x180E))
_MORE_RANGES = ((0x2000, 0x200F), (0x2028, 0x202F), (0x205F, 0x2064), (0x3000, 0x3000), (0xFEFF, 0xFEFF))
BLANKS = "".join(chr(code) for first, last in (*_RANGES, *_MORE_RANGES) for code in range(first, last + 1))
# Those that no name is meant to have inside either; joiners (as in emoji) may be meant.
INVISIBLE = r"\x{ad}\x{180e}\x{200b}\x{2060}\x{feff}"
DTYPE = pd.StringDtype(storage="pyarrow", na_value=np.nan)  # pandas 3 calls it str
_LONE = re.compile("[\ud800-\udfff]")  # half of a pair: no text that can be written

Column = Any  # a pyarrow StringArray; pyarrow has no types


def column(cells: Iterable[str]) -> Column:
    """Return cells of text as a column. Half of a surrogate pair, which no file has, becomes a control character."""
    cells = cells if isinstance(cells, np.ndarray) else list(cells)
    try:
        made = pa.array(cells, type=pa.large_string(), from_pandas=False)
    except UnicodeEncodeError:
        made = pa.array([_LONE.sub("\x1a", cell) for cell in cells], type=pa.large_string())
    return made


def column_of(cells: pd.Series, as_text: Callable[[object], str]) -> tuple[Column, bool]:
    """Return cells of any kind as a column, and whether all were text already."""
    if cells.dtype == DTYPE and not cells.hasnans:
        made = pa.array(cells.array, type=pa.large_string())
        return (made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made), True
    array = cells.astype(object).to_numpy(dtype=object)
    try:
        made = pa.array(array, type=pa.large_string(), from_pandas=False)
    except (UnicodeEncodeError, pa.ArrowException, TypeError):
        made = None
    if made is not None and not made.null_count and not any(isinstance(cell, bytes) for cell in array):
        return made, True
    return column([as_text(cell) for cell in array]), False


def series(texts: Column, index: pd.Index) -> pd.Series:
    """Return a column as one of a DataFrame: text that takes no Python object for each cell."""
    return pd.Series(pd.array(texts, dtype=DTYPE), index=index, copy=False)


def objects(texts: Column) -> np.ndarray:
    """Return a column as an array of Python texts."""
    array: np.ndarray = texts.to_numpy(zero_copy_only=False)
    return array.astype(object, copy=False)


def lengths(texts: Column) -> np.ndarray:
    """Return how many code points each text has."""
    return np.asarray(pc.utf8_length(texts))


def matches(texts: Column, pattern: str) -> np.ndarray:
    """Tell which texts a pattern of RE2 is found in."""
    return np.asarray(pc.match_substring_regex(texts, pattern))


def foreign(texts: Column) -> np.ndarray:
    """Return the positions of the texts that are not ASCII."""
    return np.flatnonzero(~np.asarray(pc.string_is_ascii(texts)))


def contains(texts: Column, part: str) -> np.ndarray:
    """Tell which texts have a part somewhere."""
    return np.asarray(pc.match_substring(texts, part))


def starts(texts: Column, beginning: str) -> np.ndarray:
    """Tell which texts start so."""
    return np.asarray(pc.starts_with(texts, beginning))


def trimmed(texts: Column) -> Column:
    """Return the texts without the blanks around them, of whatever kind."""
    return pc.utf8_trim(texts, BLANKS)


def replaced(texts: Column, pattern: str, by: str) -> Column:
    """Return the texts with what a pattern finds replaced, everywhere in each."""
    return pc.replace_substring_regex(texts, pattern, by)


def by_byte(texts: Column, table: bytes) -> Column:
    """Return the texts with each ASCII character replaced by the one that a table of 256 has for it."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return texts
    translated = pa.py_buffer(data.to_pybytes().translate(table))
    return pa.Array.from_buffers(texts.type, len(texts), [None, offsets, translated], offset=texts.offset)


def differ(one: Column, other: Column) -> np.ndarray:
    """Tell where two columns differ."""
    return np.asarray(pc.not_equal(one, other))


def chosen(where: np.ndarray, one: Column, other: Column) -> Column:
    """Return `one` where it says so, else `other`."""
    return pc.if_else(pa.array(where), one, other)


def some(texts: Column, at: np.ndarray) -> Column:
    """Return the texts at these positions."""
    return texts.take(pa.array(at))


def put(texts: Column, where: np.ndarray, some_texts: Column) -> Column:
    """Return the texts with others in the places of a mask, in order."""
    return pc.replace_with_mask(texts, pa.array(where), some_texts)


def are_digits(texts: Column) -> np.ndarray:
    """Tell which texts are ASCII digits, at least one, and nothing else."""
    return np.asarray(pc.ascii_is_decimal(texts))


def integers(texts: Column) -> np.ndarray:
    """Return texts of digits, at most 18 of them, as whole numbers."""
    return np.asarray(pc.cast(texts, pa.int64()))


def distinct(texts: Column) -> tuple[Column, np.ndarray]:
    """Return the different texts, and for each text which of them it is."""
    encoded = texts.dictionary_encode()
    return encoded.dictionary, np.asarray(encoded.indices)


def codes(texts: Column) -> np.ndarray:
    """Return a number for each text: the same for the same text."""
    return distinct(texts)[1]


def has_controls(texts: Column) -> bool:
    """Whether any text has an ASCII control character."""
    data = texts.buffers()[2]
    if data is None:
        return False
    bytes_ = np.frombuffer(data, dtype=np.uint8)
    return bool(((bytes_ < 0x20) | (bytes_ == 0x7F)).any())


def read_regular_csv(data: bytes, delimiter: str, columns: int) -> list[Column] | None:
    """Read UTF-8 text of so many columns; None where it is not regular: somebody more patient reads that."""
    names = [str(at) for at in range(columns)]
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(data),
            read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=max(1 << 20, len(data) // 8 + 1)),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in data),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    return [table.column(name).combine_chunks() for name in names]
