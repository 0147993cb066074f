"""The ledger's tables and their version: made in an empty file, migrated in an older one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from itnio_nb.api.account.account import Account
from itnio_nb.api.models import Receipt, State, now
from itnio_nb.api.text import encodable
from itnio_nb.errors import LedgerError

SCHEMA = 6


def _required(kind: type[sa.Text | sa.Integer], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]


metadata = sa.MetaData()
info = sa.Table("itnio_ledger", metadata, sa.Column("schema", sa.Integer, nullable=False))
accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    *_required(sa.Text, "base_url", "api_key"),
    sa.UniqueConstraint("base_url", "api_key"),
)
groups = sa.Table(  # the ledger's key: account, application, group name
    "groups",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False),
    *_required(sa.Text, "app_id", "group_name"),
    sa.UniqueConstraint("account_id", "app_id", "group_name"),
)
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),  # of the groups, see runs/plan.py
    sa.Column("contents", sa.Text, nullable=False),  # SHA-256 of all that was asked: groups, actions, orders
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("finished", sa.Text),  # empty while a group is left to be sent
    sa.Column("note", sa.Text, nullable=False, default=""),  # why it stopped, what could not be verified
    sa.Column("verified", sa.Integer),  # phones of its created groups that were seen in the account
    sa.Column("orders", sa.Text, nullable=False),  # JSON: the orders, their source and findings
    # What a list of runs says of these orders, see `write_outline`; empty where they cannot be read.
    sa.Column("source", sa.Text),
    sa.Column("rows", sa.Integer),
    sa.Column("left_out", sa.Integer),
    # The terms on which it works, whoever goes on with it: see `RunTerms`.
    sa.Column("workers", sa.Integer),
    sa.Column("rate", sa.Float),
    sa.Column("confirmed", sa.Integer),
    sa.Column("next_turn", sa.Float),  # Unix time: no request goes out before, where there is a rate
)
run_groups = sa.Table(
    "run_groups",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("group_id", sa.ForeignKey("groups.id"), nullable=False, index=True),
    sa.Column("phone_name", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    *_required(sa.Text, "display_num", "action"),
    sa.Column("row", sa.Integer, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    # A group to be made again, though it was made once: the receipt that was its newest when this was planned.
    sa.Column("again_after", sa.Integer),
)
receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("group_id", sa.ForeignKey("groups.id"), nullable=False),
    *_required(sa.Integer, "run_id", "position"),
    *_required(sa.Text, "state", "status", "reason", "advice", "at"),
    sa.ForeignKeyConstraint(["run_id", "position"], ["run_groups.run_id", "run_groups.position"]),
    sa.Index("receipts_by_group", "group_id", "id"),
    sa.Index("receipts_by_run", "run_id", "position", "id"),
)

# Who is about to send a group, or has not yet recorded what came back. A claim ends with a receipt, is given back
# unsent, or becomes an unknown receipt when its owner is gone.
claims = sa.Table(
    "claims",
    metadata,
    sa.Column("group_id", sa.ForeignKey("groups.id"), primary_key=True),
    *_required(sa.Integer, "run_id", "position"),
    sa.Column("owner", sa.Text, nullable=False, index=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["run_id", "position"], ["run_groups.run_id", "run_groups.position"]),
)


# Who works on a run, from the moment at which it is opened until its end: whoever asks for its groups meanwhile joins.
run_owners = sa.Table(
    "run_owners",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("stopping", sa.Boolean, nullable=False, server_default=sa.false()),  # somebody has pressed Stop
)


# Phones that were to get new passwords, never the passwords. One process at a time works on each run of resets: its
# owner, as long as it lives.
reset_runs = sa.Table(
    "reset_runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False),
    *_required(sa.Text, "app_id", "fingerprint", "started"),  # the fingerprint is of all phones that were asked for
    sa.Column("finished", sa.Text),  # empty while a phone is left to be reset
    sa.Column("note", sa.Text, nullable=False, default=""),
    sa.Column("owner", sa.Text),
    sa.Column("again", sa.Boolean, nullable=False),  # whether it resets phones that were reset before
)
reset_phones = sa.Table(
    "reset_phones",
    metadata,
    sa.Column("run_id", sa.ForeignKey("reset_runs.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    *_required(sa.Text, "group_name", "phone_name", "account"),
)
# What came of each request; the newest one has the phone's state. `sending` is the intent, on disk before it leaves.
reset_receipts = sa.Table(
    "reset_receipts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    *_required(sa.Integer, "run_id", "position"),
    *_required(sa.Text, "state", "status", "reason", "advice", "at"),
    sa.ForeignKeyConstraint(["run_id", "position"], ["reset_phones.run_id", "reset_phones.position"]),
    sa.Index("reset_receipts_by_phone", "run_id", "position", "id"),
)


def is_current(connection: sa.Connection, address: str) -> bool:
    """Tell whether a ledger has the tables of this version; raise `LedgerError` for what is none, or of a newer one."""
    tables = _tables(connection)
    return bool(tables) and _version(connection, tables, address) == SCHEMA


def open_schema(connection: sa.Connection, address: str) -> None:
    """Make the tables where there are none, migrate an older ledger; raise `LedgerError` for anything else."""
    tables = _tables(connection)
    if not tables:
        metadata.create_all(connection, checkfirst=False)
        connection.execute(info.insert().values(schema=SCHEMA))
        return
    for older in range(_version(connection, tables, address), SCHEMA):
        _MIGRATIONS[older](connection)
        connection.execute(info.update().values(schema=older + 1))


def _tables(connection: sa.Connection) -> set[str]:
    inspector = sa.inspect(connection)
    return {*inspector.get_table_names(), *inspector.get_view_names()}


def _version(connection: sa.Connection, tables: set[str], address: str) -> int:
    if info.name not in tables:
        raise LedgerError(
            f"{address} is a database, but not a ledger: choose another one with Ledger(path_or_url) or ITNIO_LEDGER."
        )
    version = connection.execute(sa.select(info.c.schema)).scalar_one()
    if not isinstance(version, int) or version < 1:
        raise LedgerError(
            f"The ledger {address} has no version: keep it, choose another with Ledger(path_or_url) or ITNIO_LEDGER."
        )
    if version > SCHEMA:
        raise LedgerError(f"The ledger {address} was made by a newer itnio-nb (schema {version}): upgrade this one.")
    return version


def _from_1(connection: sa.Connection) -> None:
    """Add claims. Schema 1 kept the intent to send as a receipt; those without an outcome are unknown."""
    claims.create(connection)
    newest = sa.select(sa.func.max(receipts.c.id)).group_by(receipts.c.group_id)
    unanswered = receipts.c.id.in_(newest) & (receipts.c.state == State.SENDING)
    groups_sent = sa.select(receipts.c.group_id, receipts.c.run_id, receipts.c.position).where(unanswered)
    add_receipts(connection, [(*group, not_recorded()) for group in connection.execute(groups_sent)])


def _from_2(connection: sa.Connection) -> None:
    """Add who works on a run. Before schema 3 it was known of claims alone."""
    connection.exec_driver_sql(
        "CREATE TABLE run_owners (run_id INTEGER NOT NULL REFERENCES runs (id), owner TEXT NOT NULL, "
        "PRIMARY KEY (run_id, owner))"
    )


def _from_3(connection: sa.Connection) -> None:
    """Add the terms of a run, and Stop. Before schema 4 each process had its own."""
    for column in ("workers INTEGER", "rate FLOAT", "confirmed INTEGER", "next_turn FLOAT"):
        connection.exec_driver_sql(f"ALTER TABLE runs ADD COLUMN {column}")
    connection.exec_driver_sql("ALTER TABLE run_owners ADD COLUMN stopping BOOLEAN NOT NULL DEFAULT 0")


def _from_4(connection: sa.Connection) -> None:
    """Add resets of passwords."""
    for table in (reset_runs, reset_phones, reset_receipts):
        table.create(connection)


def _from_5(connection: sa.Connection) -> None:
    """Add what a list of runs says of their orders. Before schema 6 it had to read them all."""
    for column in ("source TEXT", '"rows" INTEGER', "left_out INTEGER"):
        connection.exec_driver_sql(f"ALTER TABLE runs ADD COLUMN {column}")
    for run_id, orders in connection.execute(sa.select(runs.c.id, runs.c.orders)).all():
        write_outline(connection, run_id, orders)


_MIGRATIONS = {1: _from_1, 2: _from_2, 3: _from_3, 4: _from_4, 5: _from_5}


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
        known = {"source": encodable(kept["source"]["name"]), "rows": len(wanted), "left_out": len(wanted) - whole}
    except (AttributeError, KeyError, TypeError, ValueError):
        return
    connection.execute(runs.update().where(runs.c.id == run_id).values(**known))


def is_account(account: Account) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions that one account alone meets."""
    return accounts.c.base_url == account.base_url, accounts.c.api_key == account.api_key


def account_number(connection: sa.Connection, account: Account) -> int:
    """Return the number of an account, which is new from now on where the ledger had it not."""
    key = {"base_url": account.base_url, "api_key": account.api_key}
    insert_missing(connection, accounts, [key])
    return int(connection.execute(sa.select(accounts.c.id).where(*is_account(account))).scalar_one())


def free_name(connection: sa.Connection, names: sa.Column[str], stem: str) -> str:
    """Return a name that no run has: the stem, as in 20261123T203119Z; -2, -3, … follow where that is taken."""
    taken = set(connection.execute(sa.select(names).where(names.startswith(stem))).scalars())
    free = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(name for name in free if name not in taken)


def text_of(at: datetime) -> str:
    """Write a time as the ledger does: UTC, in milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def not_recorded() -> Receipt:
    """Return the receipt of a group whose sender ended without recording the outcome."""
    reason = "what became of it was not recorded: its sender was killed or lost power, and may have sent it"
    advice = "It is not known whether the phones were created. resume(client, ledger) looks and goes on."
    return Receipt(State.UNKNOWN, "", reason, advice, now())


def add_receipts(connection: sa.Connection, learnt: Sequence[tuple[int, int, int, Receipt]]) -> None:
    """Write receipts, each given as the group's number, run, position and the receipt."""
    rows = [
        {"group_id": group_id, "run_id": run_id, "position": position, "state": str(receipt.state)}
        | {"status": receipt.status, "reason": receipt.reason, "advice": receipt.advice, "at": text_of(receipt.at)}
        for group_id, run_id, position, receipt in learnt
    ]
    insert_rows(connection, receipts.insert(), rows)


def insert_missing(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those rows of which the table has none with the same key."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    insert_rows(connection, insert(table).on_conflict_do_nothing(), rows)


def insert_rows(connection: sa.Connection, insert: sa.Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, if there are any: SQLAlchemy takes none for one row of defaults."""
    if rows:
        connection.execute(insert, rows)
