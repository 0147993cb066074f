"""What reading and checking cost, as ratios to plain `pandas.read_csv` (C engine, all text) of the same file.

1,000 to 1,000,000 orders of which 1 in 100 is bad, and 100,000 of which all are. Medians of 5 rounds in which the three
take turns; the peak memory is that of a new process which does one of them, above that of its imports.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from itnio_nb import check_orders, read_orders

SIZES = (1000, 10_000, 100_000, 1_000_000)
ROUNDS = 5
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


def ways(path: Path) -> dict[str, Callable[[], object]]:
    """Return what is measured."""
    orders = read_orders(path)
    return {
        "read_csv": lambda: pd.read_csv(path, dtype=str, engine="c"),
        "check": lambda: check_orders(orders),
        "read + check": lambda: check_orders(read_orders(path)),
    }


def measure(path: Path) -> dict[str, float]:
    """Return the median seconds of each way."""
    took: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for way, run in ways(path).items():
            begun = time.perf_counter()
            run()
            took.setdefault(way, []).append(time.perf_counter() - begun)
    return {way: statistics.median(times) for way, times in took.items()}


def peak(path: Path, way: str) -> float:
    """Return the MB that one way needs above its imports, in a process of its own."""
    code = "import sys; from check import one; one(sys.argv[1], sys.argv[2])"
    command = [sys.executable, "-c", code, str(path), way]
    done = subprocess.run(command, cwd=Path(__file__).parent, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout))


def one(path: str, way: str) -> None:
    """Print what one way needs; the orders that `check` is given count for it."""
    read_orders(b"groupName,phoneName,quantity,displayNum,appId\naaaa,bbbb,1,1234567,x\n")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _peak()
    if way == "read_csv":
        pd.read_csv(path, dtype=str, engine="c")
    else:
        check_orders(read_orders(path))
    print((_peak() - before) / 1024)


def _peak() -> int:
    """Return the peak of this process's memory, in KiB (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])


def main() -> None:
    """Print a line for each size."""
    print("    rows   bad  read_csv, s   check/  read + check/   µs/row  peak MB: read_csv  read + check")
    each: dict[tuple[int, int], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for rows, every in [*((size, 100) for size in SIZES), (100_000, 1)]:
            path = Path(folder) / "orders.csv"
            make(path, rows, every)
            took = measure(path)
            base, both = took["read_csv"], took["read + check"]
            each[rows, every] = both / rows
            print(
                f"{rows:9,} {'all' if every == 1 else '1 %':>4} {base:11.3f} {took['check'] / base:9.2f} "
                f"{both / base:13.2f} {1e6 * both / rows:9.2f} "
                f"{peak(path, 'read_csv'):17.0f} {peak(path, 'both'):13.0f}"
            )
    growth = each[1_000_000, 100] / each[100_000, 100]
    print(f"time for each row at 1,000,000 / at 100,000: {growth:.2f}")
    print(f"100,000 rows, all bad / 1 % bad: {each[100_000, 1] / each[100_000, 100]:.2f}")


if __name__ == "__main__":
    main()
