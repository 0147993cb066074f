"""Cells of any type as text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from itnio_nb import read_orders
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
