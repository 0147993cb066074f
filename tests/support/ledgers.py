"""Runs and claims written straight into a ledger, without a client."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd

from itnio_nb import Account, Ledger, State
from itnio_nb.api.models import Receipt, now
from itnio_nb.runs.plan import make_plan
from tests.support.factories import DATA, many_orders

ACCOUNT = Account("key", "secret", "http://127.0.0.1:1/voice")
NOBODY = "an owner that is dead"


def open_run(
    ledger: Ledger, number: int = 3, account: Account = ACCOUNT, again_after: int | None = None, orders: str = "{}"
) -> int:
    """Open a run of so many new groups and return its number."""
    plan = make_plan(many_orders(number))
    groups = plan.table.assign(again_after=pd.Series([again_after] * number, dtype=object))
    return ledger.run_store.open_run(account, plan.fingerprint, groups, orders, NOBODY)


def claim(ledger: Ledger, run_id: int, position: int, owner: str = NOBODY) -> bool:
    """Claim a group as one who knows its newest receipt; return whether it was given."""
    newest = int(ledger.run_store.run_table(run_id)["newest"].iloc[position])
    return ledger.run_store.sync(run_id, owner, wanted=[(position, newest)]).claimed == [position]


def record(ledger: Ledger, run_id: int, position: int, state: State, status: str = "", owner: str = NOBODY) -> None:
    """Write a receipt for a group."""
    ledger.run_store.sync(run_id, owner, outcomes=[(position, receipt(state, status))])


def receipt(state: State, status: str = "") -> Receipt:
    return Receipt(state, status, "", "", now())


def close(ledger: Ledger, run_id: int, *, finished: bool = True, note: str = "") -> None:
    ledger.run_store.close_run(run_id, finished=finished, note=note, verified=None)


def earlier_ledger(version: int, folder: Path) -> Path:
    """A copy of a ledger as an earlier version left it."""
    path = Path(shutil.copyfile(DATA / f"ledger-v{version}.sqlite", folder / "ledger.sqlite"))
    path.chmod(0o600)
    return path
