"""The tables of a ledger are made where there are none, and migrated where they are of an older version."""

from __future__ import annotations

import sqlalchemy as sa

from itnio_nb.api.models import State
from itnio_nb.errors import LedgerError
from itnio_nb.ledger.schema.rows import ReceiptRow, insert_rows, not_recorded, write_outline
from itnio_nb.ledger.schema.tables import (
    SCHEMA,
    actors,
    claims,
    info,
    metadata,
    receipts,
    reset_phones,
    reset_receipts,
    reset_runs,
    run_actors,
    runs,
)

_FIRST_COPIED = 7  # the schema of the first program that copied ledgers


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


def is_unfinished_copy(connection: sa.Connection, address: str) -> bool:
    """Tell whether tables are those of a copy that this version has begun and not finished."""
    if info.name not in _tables(connection):
        return False
    version = connection.execute(sa.select(info.c.schema)).scalar_one_or_none()
    if _is_of_copy(version) and version != -SCHEMA:
        raise LedgerError(
            f"The copy in {address} was begun by another version of itnio-nb: delete it, and copy the ledger anew."
        )
    return version == -SCHEMA


def _is_of_copy(version: object) -> bool:
    return isinstance(version, int) and version <= -_FIRST_COPIED


def mark_unfinished(connection: sa.Connection) -> None:
    """Have a ledger open as none, until `mark_whole`: it is a copy that lacks rows."""
    connection.execute(info.update().values(schema=-SCHEMA))


def mark_whole(connection: sa.Connection) -> None:
    """Have a copy open as the ledger that it is."""
    connection.execute(info.update().values(schema=SCHEMA))


def _tables(connection: sa.Connection) -> set[str]:
    inspector = sa.inspect(connection)
    return {*inspector.get_table_names(), *inspector.get_view_names()}


def _version(connection: sa.Connection, tables: set[str], address: str) -> int:
    if info.name not in tables:
        raise LedgerError(
            f"{address} is a database, but not a ledger: choose another one with Ledger(path_or_url) or ITNIO_LEDGER."
        )
    version = connection.execute(sa.select(info.c.schema)).scalar_one()
    if _is_of_copy(version):
        raise LedgerError(
            f"The ledger {address} is a copy that is not whole: start the same itnio-nb ledger copy again, which goes "
            "on with it, or use the ledger that it is copied from."
        )
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
    rows = [ReceiptRow(*group, not_recorded()).values for group in connection.execute(groups_sent)]
    for row in rows:
        del row["actor_id"], row["ended_by"]  # columns of schema 7
    insert_rows(connection, receipts.insert(), rows)


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


def _from_6(connection: sa.Connection) -> None:
    """Add who wrote each receipt, and who worked on each run. What was written before schema 7 has nobody."""
    for table in (actors, run_actors):
        table.create(connection)
    added = [
        (table, "actor_id INTEGER REFERENCES actors (id)") for table in ("receipts", "run_owners", "reset_receipts")
    ]
    for name, column in [
        *added,
        ("receipts", "ended_by FLOAT"),
        ("run_owners", "longest FLOAT"),
        ("runs", "held_until FLOAT"),
        ("runs", "stops INTEGER"),
    ]:
        known = {one["name"] for one in sa.inspect(connection).get_columns(name)}
        if column.split()[0] not in known:  # tables that a migration has just made are of this version
            connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {column}")


_MIGRATIONS = {1: _from_1, 2: _from_2, 3: _from_3, 4: _from_4, 5: _from_5, 6: _from_6}
