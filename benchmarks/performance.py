"""Every benchmark, one after the other; prints the table and writes it to docs/performance.md. Half an hour.

ITNIO_TEST_POSTGRES=postgresql://… python benchmarks/performance.py    # what `make bench` runs
python benchmarks/performance.py --large        # and runs of 20,000 groups: a quarter of an hour more
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import check
import ledger
import whole
from harness import HEAD, HERE, ROUNDS, machine

PAGE = HERE.parent / "docs" / "performance.md"
TEXT = """\
# What costs what

Written by `make bench`. Each way runs in a process of its own, in turns with the others; seconds are the median of
{rounds} rounds, for 20,000 groups of one. The ratio is to the first way of the same job, by the medians; the next
column has the least and the greatest ratio of one round. Only ratios count: the seconds are those of one machine. MB is
the most memory that the process had, Python and its imports included: pandas has 100 of them.

The server is the sandbox, in another process of the same machine, which answers after the latency that is given. The
pools send the same requests over as many kept connections and read the same pages; they know nothing but the answers.
A run of itnio-nb writes each intent to disk before its request leaves and each outcome before it is counted, and ends
with the proof that every phone is there.

{machine}

{table}

## How reconcile grows

```
{reconcile}
```

## Forms

```
{forms}
```

## Tables

One view of a table makes the HTML of notebooks, forms and records and the text of terminals. The last column is the
ratio to pandas' own, which shows the first and the last rows, problems or not.

```
{tables}
```

Libraries that were measured with the same 20,000 groups, 50 of them refused, and are not used:

- great_tables 1.1 (MIT, 7.9 MB and eight packages): 57 s and 13 MB; it has a style sheet, and neither folds nor sorts.
- itables 2.9 (MIT, 6.3 MB): 29 ms and 130 kB; where scripts are taken away ten rows are left, with one refused group.
- pandas' Styler (with Jinja): 2.8 s and 18 MB; it escapes nothing unless told to, and headers never.
- All three say by style what a state is; choosing rows, folding and words would be ours with each of them.
- So the table is ours: some 500 lines, no dependency, and the same rows in a terminal.

## A team on one ledger

Eight processes that send at once: each with a ledger in a file of its own, or all with one in PostgreSQL, which answers
once what it has committed is on the disk; then one alone. The server is on the machine that does all the rest.

{team}

What a team's ledger of years costs, in a file and in the server:

{large_ledger}

## Starting

From the command to the address that it prints; from opening that at once to the first words, and to the first form or
notebook that can be used. A new home and a new browser each time: `benchmarks/start.py`, on a machine that does
nothing else.

```
{start}
```
"""


def printed(script: str) -> str:
    """Return what another benchmark prints."""
    done = subprocess.run([sys.executable, str(HERE / script)], check=True, capture_output=True, text=True)
    print(done.stdout, flush=True)
    return done.stdout.strip()


def main() -> None:
    """Measure all; print and write it."""
    if "ITNIO_TEST_POSTGRES" not in os.environ:
        raise SystemExit("Name a PostgreSQL server where databases may be made and dropped: ITNIO_TEST_POSTGRES.")
    print(HEAD, flush=True)
    cases = [*whole.cases(large="--large" in sys.argv), *ledger.cases(), *check.cases()]
    table = "\n".join([HEAD, *(row for case in cases for row in case.rows())])
    texts = {name: printed(f"{name}.py") for name in ("reconcile", "forms", "tables", "team", "large_ledger", "start")}
    PAGE.write_text(TEXT.format(rounds=ROUNDS, machine=machine(), table=table, **texts), encoding="utf-8")
    print(f"Written to {Path(*PAGE.parts[-2:])}.")


if __name__ == "__main__":
    main()
