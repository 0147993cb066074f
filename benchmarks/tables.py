"""What tables of 20,000 rows cost in a cell, beside pandas' own; seconds are the median of eleven.

    python benchmarks/tables.py

A run is shown from its ledger: the counts, and the groups that are shown, are read anew each time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import chdir

import pandas as pd

from itnio_nb import Client, Ledger, Sandbox, check_orders, make_plan, read_orders, submit_plan
from itnio_nb.orders.export.tables import table_as_html, table_as_text

ROWS, ROUNDS = 20_000, 11


def orders() -> pd.DataFrame:
    """Return so many orders of one phone: every 80th phone name is taken, and every 50th number had a plus."""
    names = [f"group-{at:06}" for at in range(ROWS)]
    phones = [f"phone-{at if at % 80 else 0:06}" for at in range(ROWS)]
    frame = pd.DataFrame({"groupName": names, "phoneName": phones, "quantity": "1"})
    numbers = ["+8610850001" if at % 50 == 0 else "8610850001" for at in range(ROWS)]
    return read_orders(frame.assign(displayNum=numbers, appId="4luaKsL2"))


def measured(name: str, show: Callable[[], str], base: float = 0) -> float:
    """Print how long a table takes, how large it is and, of a `base`, how many times as long; return the seconds."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        shown = show()
        seconds.append(time.perf_counter() - began)
    median = sorted(seconds)[ROUNDS // 2]
    print(f"{name:30}{median * 1000:8.1f} ms{len(shown) / 1000:10.1f} kB{median / (base or median):10.2f}", flush=True)
    return median


def main() -> None:
    """Print a line for each kind of table."""
    wanted = orders()
    findings, plan = check_orders(wanted), make_plan(wanted)
    print(f"{len(plan.table):,} groups of {ROWS:,} orders, {len(findings):,} findings\n")
    with (
        tempfile.TemporaryDirectory() as folder,
        chdir(folder),
        Sandbox() as sandbox,
        Client(sandbox.account) as client,
        Ledger("tables.sqlite") as ledger,
    ):
        run = submit_plan(plan, client, ledger, workers=16)
        run.join()
        table = run.table
        base = measured("pandas, 60 rows of a run", lambda: table.to_html(max_rows=60))
        measured("run.table", lambda: table_as_html(table), base)
        measured("run.table, as text", lambda: table_as_text(table), base)
        measured("findings", lambda: table_as_html(findings), base)
        measured("orders", lambda: table_as_html(wanted), base)
        measured("a plan", plan._repr_html_, base)
        measured("a run, read from its ledger", run._repr_html_, base)
        measured("run.table read from its ledger", lambda: " " * len(run.table), base)


if __name__ == "__main__":
    main()
