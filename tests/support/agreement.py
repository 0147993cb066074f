"""Require that sandbox, ledger, a run's table and its result files agree."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd

from itnio_nb import Ledger, Run, Sandbox

# The file that has the orders of a state.
FILES = {"created": "created", "exists": "existed", "unknown": "unknown", "planned": "notsent"}
FILES |= {"refused": "refused", "partial": "refused"}


def requests(sandbox: Sandbox) -> Counter[str]:
    """How often each group was asked for, whatever became of it."""
    return Counter(one.group for one in sandbox.log if one.endpoint == "sipAdd")


def creations(sandbox: Sandbox) -> Counter[str]:
    """How often each group was created: the server's own success, whatever the client heard of it."""
    return Counter(one.group for one in sandbox.log if one.endpoint == "sipAdd" and one.status == "0")


def require_agreement(run: Run, ledger: Ledger, sandbox: Sandbox, folder: Path) -> None:
    """Require the same of each group from ledger, run, result files and sandbox."""
    table = run.table.set_index("groupName")
    known = ledger.table.set_index("groupName")["state"]
    phones = sandbox.phones.groupby("groupName").size()
    assert creations(sandbox).total() == len(creations(sandbox)), "a group was created twice"
    for name, state, quantity in zip(table.index, table["state"], table["quantity"], strict=True):
        there = int(phones.get(name, 0))
        assert known.get(name, "planned") == state
        assert {
            "created": there == quantity,
            "partial": 0 < there < quantity,
            "planned": there == 0,
            "refused": there == 0,
        }[state], name
    filed = {
        name: kind
        for kind, path in run.write_results(folder).items()
        for name in pd.read_csv(path, dtype=str)["groupName"]
    }
    assert filed == {name: FILES[state] for name, state in table["state"].items()}
