"""Runs and claims written straight into a ledger, without a client."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pandas as pd

from itnio_nb import Account, Client, Ledger, State, submit_plan
from itnio_nb.api.models import Receipt, now
from itnio_nb.ledger.schema.tables import metadata
from itnio_nb.orders.export.stored import orders_to_json
from itnio_nb.runs.plan import make_plan
from tests.support.factories import DATA, many_orders, orders_frame
from tests.support.postgres import new_database

ACCOUNT = Account("key", "secret", "http://127.0.0.1:1/voice")
NOBODY = "an owner that is dead"


@contextmanager
def new_place(kind: str, folder: Path, *, durable: bool = False) -> Iterator[str]:
    """A place for a new ledger: a file in the folder (`sqlite`), or a database (`postgres`), dropped in the end."""
    if kind == "sqlite":
        yield str(folder / "ledger.sqlite")
    else:
        with new_database(durable=durable) as url:
            yield url


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


def contents(ledger: Ledger) -> bytes:
    """All that is in a ledger: the rows of its tables and, where it is a file, that and what is beside it."""
    with ledger.database.transaction() as connection:
        rows = [connection.execute(table.select()).all() for table in metadata.sorted_tables]
    files = [] if ledger.is_shared else ledger.path.parent.glob(f"{ledger.path.name}*")
    return b"".join([repr(rows).encode(), *(path.read_bytes() for path in files)])


def earlier_ledger(version: int, folder: Path) -> Path:
    """A copy of a ledger as an earlier version left it."""
    path = Path(shutil.copyfile(DATA / f"ledger-v{version}.sqlite", folder / "ledger.sqlite"))
    path.chmod(0o600)
    return path


def used_ledger(client: Client, path: Path) -> Path:
    """A ledger with a run that is over, one with something left, and a claim of somebody dead."""
    with Ledger(path) as ledger:
        orders = orders_frame(("sales", "desk", "120"), ("abc",))
        submit_plan(make_plan(orders, client, ledger), client, ledger).wait()
        more = make_plan(many_orders(3))
        claim(ledger, open_run(ledger, 3, client.account, orders=orders_to_json(more.orders, more.findings)), 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def changed_ledger(good: Path, statements: str, value: object = None) -> Path:
    """A copy of a ledger in which statements were executed, or the one that a value belongs to."""
    path = Path(shutil.copyfile(good, good.with_name("changed.sqlite")))
    path.chmod(0o600)
    with closing(sqlite3.connect(path)) as connection:
        if "?" in statements:
            connection.execute(statements, (value,))
        else:
            connection.executescript(statements)
        connection.commit()
    return path
