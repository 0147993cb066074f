"""The ledger's tables and their version."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

SCHEMA = 7
# Of what grows with every receipt; SQLite counts up in a column of its own kind alone.
_Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


class database_role(FunctionElement[str]):  # noqa: N801 - reads as the function of SQL that it is
    """The role that a statement runs as: that of the server's session, "" in a file, which has none."""

    inherit_cache = True
    type = sa.Text()


@compiles(database_role)
def _role_of_file(*_: object, **__: object) -> str:
    return "''"


@compiles(database_role, "postgresql")
def _role_of_session(*_: object, **__: object) -> str:
    return "session_user"


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
# Who wrote receipts: see `Actor`; the role is the database's own word.
actors = sa.Table(
    "actors",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    *_required(sa.Text, "operator", "machine", "version"),
    sa.Column("role", sa.Text, nullable=False, server_default=database_role()),
    sa.UniqueConstraint("operator", "machine", "version", "role"),
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
    sa.Column("held_until", sa.Float),  # Unix time: the server has asked for nothing before
    sa.Column("stops", sa.Integer),  # how often somebody has pressed Stop
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
    sa.Column("id", _Number, primary_key=True),
    sa.Column("group_id", sa.ForeignKey("groups.id"), nullable=False),
    *_required(sa.Integer, "run_id", "position"),
    *_required(sa.Text, "state", "status", "reason", "advice", "at"),
    sa.Column("actor_id", sa.ForeignKey("actors.id")),  # empty before schema 7
    # Where its sender may be at work without being seen: the Unix time from which on its request has certainly ended.
    sa.Column("ended_by", sa.Float),
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
    sa.Column("actor_id", sa.ForeignKey("actors.id")),
    sa.Column("longest", sa.Float),  # seconds that a request of its may go on after it was taken for dead
)


# Who has ever worked on a run, in the order in which they first did: owners are deleted, and a list of runs that read
# all receipts for it would be slow.
run_actors = sa.Table(
    "run_actors",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.ForeignKey("runs.id"), nullable=False),
    sa.Column("actor_id", sa.ForeignKey("actors.id"), nullable=False),
    sa.UniqueConstraint("run_id", "actor_id"),
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
    sa.Column("actor_id", sa.ForeignKey("actors.id")),
    sa.ForeignKeyConstraint(["run_id", "position"], ["reset_phones.run_id", "reset_phones.position"]),
    sa.Index("reset_receipts_by_phone", "run_id", "position", "id"),
)
