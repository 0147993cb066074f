"""Reading and checking orders, beside plain `pandas.read_csv` (C engine, all text) of the same file.

1,000 to 1,000,000 orders of which 1 in 100 is bad, and 100,000 of which all are. The peer in polars checks lengths,
digits, quantities and repeated groups, and makes a table of what is wrong: less than is checked here, at its best.

    python benchmarks/check.py                      # all
    python benchmarks/check.py "polars, checked" orders.csv
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from harness import HEAD, Case, measured, peak_memory

PLACES = ((1000, 100), (100_000, 100), (1_000_000, 100), (100_000, 1))  # orders; each so-manieth is bad
COLUMNS = ("groupName", "phoneName", "quantity", "displayNum", "appId")
# What is wrong with a bad order: the column, and what stands there instead, made from what stood there.
BAD: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("groupName", lambda text: text + "-of-the-far-too-long-names"),
    ("phoneName", lambda text: text + "\u2028x"),
    ("quantity", lambda _: "0"),
    ("quantity", lambda _: "many"),
    ("displayNum", lambda text: text[:5]),
    ("displayNum", lambda text: f"{text[0]}.{text[1:3]}E+09"),
    ("displayNum", lambda text: f"+{text[:2]} ({text[2:4]}) {text[4:]}"),
    ("groupName", lambda text: f" {text} "),
    ("appId", lambda _: ""),
    ("quantity", lambda _: "123456"),
)


def make(path: Path, rows: int, every: int) -> None:
    """Write a file of orders of which each `every`th is bad."""
    frame = pd.DataFrame(
        {
            "groupName": [f"group-{at}" for at in range(rows)],
            "phoneName": [f"phone-{at}" for at in range(rows)],
            "quantity": [str(1 + at % 60) for at in range(rows)],
            "displayNum": [str(8610000000 + at) for at in range(rows)],
            "appId": ["4luaKsL2"] * rows,
            "Site": ["Hall 2"] * rows,
        },
        dtype=object,
    )
    for number, (column, apply_fault) in enumerate(BAD):
        at = frame.index[number * every :: len(BAD) * every]
        frame.loc[at, column] = frame.loc[at, column].map(apply_fault)
    frame.to_csv(path, index=False)


def read_pandas(path: str) -> object:
    """Read all as text."""
    return pd.read_csv(path, dtype=str, engine="c")


def read_polars(path: str) -> Any:
    """Read all as text."""
    import polars as pl

    return pl.read_csv(path, infer_schema=False)


def check_polars(path: str) -> object:
    """Read, and make a table of what is wrong."""
    import polars as pl

    orders = read_polars(path).with_row_index("row", 2).fill_null("")
    names = ("groupName", "phoneName")
    wrong = {f"{name} length": (name, ~pl.col(name).str.len_chars().is_between(4, 32)) for name in names}
    wrong |= {f"{name} blanks": (name, pl.col(name).str.strip_chars() != pl.col(name)) for name in names}
    number = pl.col("quantity").str.to_integer(strict=False)
    wrong["number"] = ("quantity", number.is_null() | ~number.is_between(1, 10_000))
    wrong["digits"] = ("displayNum", ~pl.col("displayNum").str.contains(r"^\d{7,13}$"))
    wrong["application"] = ("appId", pl.col("appId") == "")
    wrong["twice"] = ("groupName", pl.struct("appId", "groupName").is_duplicated())
    orders = orders.with_columns(**{what: rule for what, (_, rule) in wrong.items()})
    parts = [
        orders.filter(pl.col(what)).select("row", pl.lit(what).alias("problem"), pl.col(column).alias("value"))
        for what, (column, _) in wrong.items()
    ]
    return pl.concat(parts).sort("row")


def read_ours(path: str) -> object:
    """Read orders."""
    from itnio_nb import read_orders

    return read_orders(path)


def check_ours(path: str) -> object:
    """Read and check orders."""
    from itnio_nb import check_orders, read_orders

    return check_orders(read_orders(path))


WAYS: dict[str, Callable[[str], object]] = {
    "pandas.read_csv": read_pandas,
    "polars.read_csv": read_polars,
    "polars, checked": check_polars,
    "read_orders": read_ours,
    "read_orders, check_orders": check_ours,
}


def one(way: str, path: str) -> None:
    """Print what one way takes, and the MB that its process has at most; imports are done before."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.csv"
        make(small, 20, 2)
        WAYS[way](str(small))
    begun = time.perf_counter()
    WAYS[way](path)
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "memory": peak_memory()}))


def cases() -> list[Case]:
    """Measure all."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for rows, every in PLACES:
            path = Path(folder) / f"{rows}-{every}.csv"
            make(path, rows, every)
            bad = "all bad" if every == 1 else f"1 in {every} bad"
            words = {way: ["check.py", way, str(path)] for way in WAYS}
            found.append(measured(f"read and check {rows:,} orders, {bad}", words))
    return found


if __name__ == "__main__":
    if len(sys.argv) > 1:
        one(*sys.argv[1:])
    else:
        print(HEAD)
        cases()
