"""The ledger's tables, their version, how its SQLite file is opened, and the rows that other rows point to."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from itnio_nb.api.account import Account
from itnio_nb.api.models import State, now
from itnio_nb.errors import LedgerError

NOT_RECORDED = "what became of it was not recorded: its sender was killed or lost power, and may have sent it"
NOT_RECORDED_ADVICE = "It is not known whether the phones were created. resume(client, ledger) looks and goes on."
SCHEMA = 2

metadata = sa.MetaData()
info = sa.Table("itnio_ledger", metadata, sa.Column("schema", sa.Integer, nullable=False))
accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("base_url", sa.Text, nullable=False),
    sa.Column("api_key", sa.Text, nullable=False),
    sa.UniqueConstraint("base_url", "api_key"),
)
groups = sa.Table(  # the ledger's key: account, application, group name
    "groups",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("app_id", sa.Text, nullable=False),
    sa.Column("group_name", sa.Text, nullable=False),
    sa.UniqueConstraint("account_id", "app_id", "group_name"),
)
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),  # of the groups, see plan.py
    sa.Column("contents", sa.Text, nullable=False),  # SHA-256 of all that was asked: groups, actions, orders
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("finished", sa.Text),  # empty while a group is left to be sent
    sa.Column("note", sa.Text, nullable=False, default=""),  # why it stopped, what could not be verified
    sa.Column("verified", sa.Integer),  # phones of its created groups that were seen in the account
    sa.Column("orders", sa.Text, nullable=False),  # JSON: the orders, their source and findings
)
run_groups = sa.Table(
    "run_groups",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("group_id", sa.ForeignKey("groups.id"), nullable=False, index=True),
    sa.Column("phone_name", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("display_num", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
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
    sa.Column("run_id", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("advice", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["run_id", "position"], ["run_groups.run_id", "run_groups.position"]),
    sa.Index("receipts_by_group", "group_id", "id"),
    sa.Index("receipts_by_run", "run_id", "position", "id"),
)

# Who is about to send a group, or has sent it and not yet recorded what came back. Unlike receipts they come and
# go: a claim ends with a receipt, is given back unsent, or becomes an unknown receipt when its owner is gone.
claims = sa.Table(
    "claims",
    metadata,
    sa.Column("group_id", sa.ForeignKey("groups.id"), primary_key=True),
    sa.Column("run_id", sa.Integer, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("owner", sa.Text, nullable=False, index=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["run_id", "position"], ["run_groups.run_id", "run_groups.position"]),
)


def open_schema(connection: sa.Connection, path: Path) -> None:
    """Make the tables in an empty file; refuse a file that holds something else, or a newer version's ledger."""
    tables = sa.inspect(connection).get_table_names()
    if not tables:
        metadata.create_all(connection)
        connection.execute(info.insert().values(schema=SCHEMA))
        return
    if info.name not in tables:
        raise LedgerError(
            f"{path} is a database, but not a ledger: choose another file with Ledger(path) or ITNIO_LEDGER."
        )
    version = connection.execute(sa.select(info.c.schema)).scalar_one()
    if version > SCHEMA:
        raise LedgerError(f"The ledger {path} was made by a newer itnio-nb (schema {version}): upgrade this one.")
    for older in range(version, SCHEMA):
        _MIGRATIONS[older](connection)
    if version < SCHEMA:
        connection.execute(info.update().values(schema=SCHEMA))


def _from_1(connection: sa.Connection) -> None:
    """Add claims. Schema 1 kept the intent to send as a receipt; those without an outcome are unknown."""
    claims.create(connection)
    words = {"status": "", "reason": NOT_RECORDED, "advice": NOT_RECORDED_ADVICE, "at": text_of(now())}
    newest = sa.select(sa.func.max(receipts.c.id)).group_by(receipts.c.group_id)
    lost = receipts.c.id.in_(newest) & (receipts.c.state == State.SENDING)
    places = connection.execute(sa.select(receipts.c.group_id, receipts.c.run_id, receipts.c.position).where(lost))
    rows = [{**place, "state": str(State.UNKNOWN), **words} for place in places.mappings()]
    if rows:
        connection.execute(receipts.insert(), rows)


_MIGRATIONS = {1: _from_1}


def text_of(at: datetime) -> str:
    """Write a time as the ledger does: UTC, in milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_account(account: Account) -> tuple[Any, ...]:
    """Return the conditions that one account alone meets."""
    return accounts.c.base_url == account.base_url, accounts.c.api_key == account.api_key


def find_account(connection: sa.Connection, account: Account) -> int:
    """Return the number of an account, giving a new one a number."""
    values = {"base_url": account.base_url, "api_key": account.api_key}
    connection.execute(accounts.insert().prefix_with("OR IGNORE").values(**values))
    return int(connection.execute(sa.select(accounts.c.id).where(*is_account(account))).scalar_one())


def find_groups(connection: sa.Connection, account_id: int, planned: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Return the number of each group, giving new ones a number."""
    keys = list(zip(planned["appId"], planned["groupName"], strict=True))
    if keys:
        rows = [{"account_id": account_id, "app_id": app, "group_name": name} for app, name in keys]
        connection.execute(groups.insert().prefix_with("OR IGNORE"), rows)
    columns = (groups.c.app_id, groups.c.group_name, groups.c.id)
    known = connection.execute(sa.select(*columns).where(groups.c.account_id == account_id))
    return {(app, name): number for app, name, number in known}


def free_name(connection: sa.Connection, started: datetime) -> str:
    """Name a run by its start, in UTC, as in 20261123T203119Z; -2, -3, … follow where one second has several."""
    stem = f"{started:%Y%m%dT%H%M%SZ}"
    taken = set(connection.execute(sa.select(runs.c.name).where(runs.c.name.startswith(stem))).scalars())
    names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)
