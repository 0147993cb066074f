"""Apostrophes before what a spreadsheet would run: for every reader, and taken away again without a trace."""

from __future__ import annotations

import csv
import io
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itnio_nb import read_orders
from itnio_nb.orders.export.formulas import escape_formula, unescape_formula, unescape_formulas
from itnio_nb.orders.export.tables import as_csv
from itnio_nb.orders.text_columns import text_column
from tests.support.factories import APP
from tests.support.hostile import FORMULAS, TEXTS

RUNS = re.compile("""[ "]*[=+@\\t\\r＝＋＠-]""")
ODD = st.text(st.sampled_from(";|\t\r\n'\" =+-@＝,a1"), max_size=12)


@pytest.mark.parametrize(
    "text", ["-5", "+861050", "3.5", "2026-11-27T01:00", "north - south", "a=b", "it's", "a;b", "", "x@y"]
)
def test_what_runs_nowhere_stays(text: str) -> None:
    """Plain numbers, dates, and signs in the middle."""
    assert escape_formula(text) == text == unescape_formula(text)


@given(st.lists(ODD, min_size=1, max_size=5))
def test_it_is_taken_away_again(texts: list[str]) -> None:
    """Also of texts that look as if they had been marked before; one by one, and as a column."""
    marked = [escape_formula(text) for text in texts]
    assert [unescape_formula(text) for text in marked] == texts
    assert unescape_formulas(text_column(marked)).to_numpy().tolist() == texts


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_no_field_runs(delimiter: str) -> None:
    """However a reader splits the lines of a CSV file of ours."""
    table = pd.DataFrame({"a": TEXTS, "b": TEXTS[::-1], "c": [*TEXTS[7:], *TEXTS[:7]]})
    written = as_csv(table.set_axis(FORMULAS[:3], axis=1)).decode("utf-8-sig")
    rows = csv.reader(io.StringIO(written, newline=""), delimiter=delimiter)
    assert [field for row in rows for field in row if RUNS.match(field)] == []


def test_results_are_read_as_they_were() -> None:
    """A result file is orders again: each text as it was before it was written."""
    orders = {"groupName": FORMULAS, "phoneName": "desk", "quantity": "2", "displayNum": "8610850001", "appId": APP}
    frame = pd.DataFrame({**orders, "own": FORMULAS})
    again = read_orders(as_csv(frame.assign(itnio_state="refused")))
    assert again["own"].tolist() == list(FORMULAS)
    assert again["groupName"].tolist() == read_orders(frame)["groupName"].tolist()
