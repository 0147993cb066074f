"""Looks at the bytes of a whole column: cheap, before a pattern is tried or texts are compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from itnio_nb.orders.text_columns import TextColumn

_MAX_HASHED = 256  # bytes of a text
_ODD = np.uint64(0x9E3779B97F4A7C15)
_FIRST_BYTES = np.array([(1 << 8 * size) - 1 for size in range(9)], dtype=np.uint64)  # masks


def has_any(texts: TextColumn, characters: str) -> bool:
    """Return whether any text has one of these ASCII characters: a look at the bytes, before a pattern is tried."""
    data = texts.array.buffers()[2]
    contents = b"" if data is None else data.to_pybytes()
    return any(char in contents for char in characters.encode("ascii"))


def has_controls(texts: TextColumn) -> bool:
    """Return whether any text has an ASCII control character."""
    data = texts.array.buffers()[2]
    codes = np.frombuffer(b"" if data is None else data, dtype=np.uint8)
    return bool(((codes < 0x20) | (codes == 0x7F)).any())


def may_begin(texts: TextColumn, words: np.ndarray) -> np.ndarray:
    """Return a mask of the texts that begin with another character than a letter, or as one of some words.

    `words` is made by `first_letters`. A look at three bytes of each, before a pattern is tried.
    """
    _, offsets, data = texts.array.buffers()
    if data is None or not len(texts):
        return np.zeros(len(texts), dtype=bool)
    at = np.frombuffer(offsets, dtype=np.int64)[texts.array.offset :][: len(texts)]
    codes = np.concatenate((np.frombuffer(data, dtype=np.uint8), np.zeros(3, dtype=np.uint8)))
    first, second, third = codes[at], codes[at + 1], codes[at + 2]
    letters = (first | 0x20) - ord("a") < 26
    return np.asarray(~letters | words[_letters_code(first, second, third)])


def hashes(texts: TextColumn) -> np.ndarray:
    """Return a number of 64 bits for each text: the same within a column for the same text, else another.

    Eight bytes of all texts at a time: five times as fast as `factorize`. Very long ones are factorized.
    """
    _, offsets, data = texts.array.buffers()
    at = np.frombuffer(offsets, dtype=np.int64)[texts.array.offset :][: len(texts) + 1] if len(texts) else np.array([0])
    size = np.diff(at)
    if data is None or size.max(initial=0) > _MAX_HASHED:
        return texts.factorize()[0]
    padded = np.concatenate((np.frombuffer(data, dtype=np.uint8), np.zeros(8, dtype=np.uint8)))
    words = np.ndarray(len(padded) - 7, "<u8", padded, strides=(1,))  # the eight bytes from each byte on
    hashes = size.astype(np.uint64) * _ODD  # a length spread over all bits: never a letter more or less at the end
    for first in range(0, int(size.max(initial=0)), 8):
        word = words[np.minimum(at[:-1] + first, len(words) - 1)] & _FIRST_BYTES[np.clip(size - first, 0, 8)]
        hashes = (hashes ^ word) * _ODD
        hashes ^= hashes >> np.uint64(29)
    return hashes.view(np.int64)


def first_letters(words: Iterable[str]) -> np.ndarray:
    """Return for each code of three letters, whatever their case, whether one of the words begins with them."""
    begun = np.zeros(1 << 15, dtype=bool)
    for word in words:
        begun[_letters_code(*np.frombuffer(word[:3].encode("ascii"), dtype=np.uint8))] = True
    return begun


def _letters_code(first: Any, second: Any, third: Any) -> Any:
    """Return one number for three bytes, five bits of each: those in which letters differ, whatever their case."""
    return (first & 31).astype(np.int32) << 10 | (second & 31).astype(np.int32) << 5 | (third & 31)
