"""Cells of any type as text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from itnio_nb import read_orders
from itnio_nb.orders.rules.column_bytes import first_letters, has_any, has_controls, hashes, may_begin
from itnio_nb.orders.text_columns import text_column
from tests.support.factories import orders_frame


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        (["a", None, np.nan], ["a", "", ""]),
        (pd.array(["a", pd.NA], dtype="string"), ["a", ""]),
        (pd.Categorical(["a", None]), ["a", ""]),
        ([b"a", "b", pd.NaT], ["a", "b", ""]),
        ([30, 51], ["30", "51"]),
        (pd.array([30, None], dtype="Int64"), ["30", ""]),
        ([861000000.0, np.nan], ["861000000", ""]),
        ([8610000000000, 8.0e15, 1.5], ["8610000000000", "8000000000000000", "1.5"]),
        ([True, "de\ud800sk"], ["TRUE", "de\x1ask"]),
    ],
)
def test_frames_of_any_type_of_cell(cells: Any, texts: list[str]) -> None:
    """Whole numbers keep all digits and gain no `.0`; holes are empty."""
    frame = orders_frame(*[()] * len(texts)).assign(Site=cells, displayNum=cells)
    orders = read_orders(frame)
    assert orders["Site"].tolist() == orders["displayNum"].tolist() == texts


@given(st.lists(st.text(alphabet="ab\0é北", max_size=20), min_size=1), st.integers(0, 3))
@example(texts=["a\0", "b"], first=0)  # 2 ^ ord("a") is 1 ^ ord("b")
def test_hashes_tell_texts_apart(texts: list[str], first: int) -> None:
    """The same number for the same text alone, in a part of a column too, and for very long ones."""
    for cells in (texts, [*texts, "x" * 300]):
        column = text_column(cells).take(slice(first, None))
        assert pd.factorize(hashes(column))[0].tolist() == column.factorize()[0].tolist()


def test_a_look_before_a_pattern() -> None:
    """Bytes of a column, and how its texts begin."""
    column = text_column(["Marten", "south", "1a", "-b", "étage", "ma", "MARS"])
    words = first_letters(["mar", "nord"])
    assert may_begin(column, words).tolist() == [True, False, True, True, True, False, True]
    assert (has_any(column, "z?"), has_any(column, "z-"), has_controls(column)) == (False, True, False)
    assert has_controls(text_column(["a\tb"]))
    assert may_begin(text_column([]), words).tolist() == []
