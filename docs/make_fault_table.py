"""Write docs/faults.md: what each fault of the sandbox's menu shows the operator, as the tests observe it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
os.environ["ITNIO_PROGRESS"] = "off"

from itnio_nb.sandbox.faults import KINDS  # noqa: E402
from tests.torture.test_faults import observed, table_row  # noqa: E402 - after the path is set

HEAD = """# What can go wrong, and what you see

Written by `make docs` from `tests/torture/test_faults.py`, which meets each fault with a run of one group of four
phones and compares what the run shows with this table. The faults are those of `itnio-nb sandbox --faults`
(`--list-faults`).

"Receipts" has every receipt of the group in order, as `ledger.history` shows them. A group is sent again only after two
listings of its application, the second after a pause, have shown that it is not there, or where the response itself
says so.

| fault | what happens | receipts | in the end |
|---|---|---|---|
"""

if __name__ == "__main__":
    rows = [table_row(kind, observed(kind)) for kind in KINDS]
    (HERE / "faults.md").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
