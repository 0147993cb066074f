"""What is written into the ledger's tables, and how its texts are spelt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from itnio_nb.api.account.account import Account
from itnio_nb.api.models import Receipt, State, now
from itnio_nb.api.text import encodable
from itnio_nb.ledger.schema.tables import accounts, receipts, run_groups, runs


def write_outline(connection: sa.Connection, run_id: int, orders: str) -> None:
    """Write the file that a run's orders came from, how many rows it had, and how many of these the run leaves out.

    Nothing for orders that cannot be read. A row is left out where not all of its phones are asked for in the groups of
    the run: it has an error, or the run is a trial.
    """
    phones = sa.select(run_groups.c.row, sa.func.sum(run_groups.c.quantity)).group_by(run_groups.c.row)
    asked = {row: str(number) for row, number in connection.execute(phones.where(run_groups.c.run_id == run_id))}
    try:
        kept = json.loads(orders)
        at = kept["columns"].index("quantity")
        wanted = {row: cells[at].lstrip("0") for row, cells in zip(kept["rows"], kept["cells"], strict=True)}
        whole = sum(asked.get(row) == number for row, number in wanted.items())
        known = {"source": storable(kept["source"]["name"]), "rows": len(wanted), "left_out": len(wanted) - whole}
    except (AttributeError, KeyError, TypeError, ValueError):
        return
    connection.execute(runs.update().where(runs.c.id == run_id).values(**known))


def is_account(account: Account) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions that one account alone meets."""
    return accounts.c.base_url == account.base_url, accounts.c.api_key == account.api_key


def account_number(connection: sa.Connection, account: Account) -> int:
    """Return the number of an account, which is new from now on where the ledger had it not."""
    key = {"base_url": account.base_url, "api_key": account.api_key}
    connection.execute(insert_missing(connection, accounts).values(**key))
    return int(connection.execute(sa.select(accounts.c.id).where(*is_account(account))).scalar_one())


def free_name(connection: sa.Connection, names: sa.Column[str], stem: str) -> str:
    """Return a name that no run has: the stem, as in 20261123T203119Z; -2, -3, … follow where that is taken."""
    taken = set(connection.execute(sa.select(names).where(names.startswith(stem))).scalars())
    free = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(name for name in free if name not in taken)


def storable(text: str) -> str:
    """Return a text that every database takes: half surrogate pairs, and NUL, as escapes."""
    return encodable(text).replace("\0", "\\x00")


def text_of(at: datetime) -> str:
    """Write a time as the ledger does: UTC, in milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def not_recorded() -> Receipt:
    """Return the receipt of a group whose sender ended without recording the outcome."""
    reason = "what became of it was not recorded: its sender was killed or lost power, and may have sent it"
    advice = "It is not known whether the phones were created. resume(client, ledger) looks and goes on."
    return Receipt(State.UNKNOWN, "", reason, advice, now())


class ReceiptRow(NamedTuple):
    """A receipt to be written: of which group, for which run, by whom."""

    group_id: int
    run_id: int
    position: int
    receipt: Receipt
    actor_id: int | None = None
    ended_by: float | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The row of the table."""
        kept, one = self._asdict(), self.receipt
        del kept["receipt"]
        kept |= {"state": str(one.state), "status": one.status, "reason": one.reason, "advice": one.advice}
        return kept | {"at": text_of(one.at)}


def add_receipts(connection: sa.Connection, learnt: Sequence[ReceiptRow]) -> None:
    """Write receipts."""
    insert_rows(connection, receipts.insert(), [one.values for one in learnt])


def insert_missing(connection: sa.Connection, table: sa.Table) -> sa.Insert:
    """Return an insert that leaves out what the table has already, by its key."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def insert_rows(connection: sa.Connection, insert: sa.Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, if there are any: SQLAlchemy takes none for one row of defaults."""
    if rows:
        connection.execute(insert, rows)
