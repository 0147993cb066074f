"""How an order splits into groups, and what travels with a table."""

from __future__ import annotations

import copy

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from itnio_nb import LIMITS
from itnio_nb.api.models import API_COLUMNS
from itnio_nb.orders.models import Source, split_orders
from tests.support.factories import orders_frame

names = st.text(st.characters(categories=["L", "N"]), min_size=4, max_size=24)


def test_split_of_120_50_and_1() -> None:
    """Full fifties first, the remainder last; the first keeps both names."""
    groups = split_orders(orders_frame(("south", "desk", "120"), ("west", "wing", "50"), ("east", "line", "1")))
    assert list(zip(groups["groupName"], groups["phoneName"], groups["quantity"], groups["row"], strict=True)) == [
        ("south", "desk", 50, 0),
        ("south_2", "desk_2", 50, 0),
        ("south_3", "desk_3", 20, 0),
        ("west", "wing", 50, 1),
        ("east", "line", 1, 2),
    ]


@given(st.lists(st.tuples(names, names, st.integers(1, 700).map(str)), max_size=8))
def test_split_adds_up_and_is_the_same_each_time(rows: list[tuple[str, str, str]]) -> None:
    """Quantities add up, each group has 1–50 phones, the same orders give the same groups in the same order."""
    orders = orders_frame(*rows)
    groups = split_orders(orders)
    assert groups["quantity"].between(1, LIMITS.group_max).all()
    together = groups.groupby("row")["quantity"].sum().reindex(orders.index, fill_value=0)
    assert together.tolist() == [int(quantity) for _, _, quantity in rows]
    pd.testing.assert_frame_equal(groups, split_orders(orders))
    assert groups["row"].is_monotonic_increasing


@given(names, names, st.integers(1, 2000), st.integers(0, 500))
def test_split_names_are_legal_and_distinct(group_name: str, phone_name: str, quantity: int, more: int) -> None:
    """All names differ, begin with the order's, and none is cut; a larger order renames no group of a smaller one."""
    small, large = (
        split_orders(orders_frame((group_name, phone_name, str(size)))) for size in (quantity, quantity + more)
    )
    for column, name in (("groupName", group_name), ("phoneName", phone_name)):
        assert large[column].is_unique
        assert large[column].iloc[0] == name
        assert large[column].str.startswith(name).all()
        assert large[column].str.len().between(LIMITS.name_min, LIMITS.name_max).all()
        assert large[column].tolist()[: len(small)] == small[column].tolist()


def test_no_orders_split_into_no_groups() -> None:
    """An empty table keeps its columns."""
    groups = split_orders(orders_frame())
    assert groups.empty
    assert set(API_COLUMNS) <= set(groups.columns)


def test_source_is_its_own_copy() -> None:
    """pandas copies `attrs` at every operation: that costs nothing, and two frames still concatenate."""
    source = Source("phones.csv", "CSV", 1, 1, ("a",), ("a",))
    assert copy.deepcopy(source) is source
    frame = orders_frame(("a",))
    frame.attrs["itnio"] = source
    assert pd.concat([frame, frame]).attrs["itnio"] is source
