"""The short form of the fuzzer, and cells of any kind: nothing raises, and no cell is lost."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from itnio_nb import check_orders, read_orders
from itnio_nb.api.models import API_COLUMNS
from tests.support.factories import COLUMNS
from tests.torture.fuzz import one


def test_bytes_of_real_files_changed_at_random() -> None:
    """Orders, or an InputError with advice; `python -m tests.torture.fuzz` tries a hundred thousand."""
    outcomes = {one(seed) for seed in range(300)}
    assert outcomes == {"orders", "refused"}


CELLS = (
    st.text(max_size=20)
    | st.from_regex(r"[+'(]?[0-9]{1,14}([ .,/-][0-9]{1,9}){0,3}(E\+[0-9]{1,2})?", fullmatch=True)
    | st.sampled_from(["Mar-05", "8.61E+09", "#N/A", "٣", "sales\u200b", "=1+1", "TRUE", "1e5", "１２３"])
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.dates()
    | st.binary(max_size=4)
)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS, CELLS), max_size=6))
def test_no_cell_is_lost(rows: list[tuple[object, ...]]) -> None:
    """A cell that reads otherwise than it came is in the findings as it came; nothing raises."""
    frame = pd.DataFrame(rows, columns=COLUMNS, dtype=object)
    orders = read_orders(frame)
    findings = check_orders(orders)
    told = set(findings[["row", "column", "value"]].itertuples(index=False, name=None))
    came = {(at + 2, name): cell for at, row in enumerate(rows) for name, cell in zip(COLUMNS, row, strict=True)}
    assert len(orders) == len(rows)
    for (row, name), cell in came.items():
        if isinstance(cell, str) and name in API_COLUMNS and cell.isprintable():
            read = orders.loc[row, name]
            assert read == cell or (row, name, cell) in told
