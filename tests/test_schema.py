"""The ledger's file: made once, with a version; transactions that write take the lock first."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from itnio_nb.schema import SCHEMA, metadata, open_engine, open_schema


def test_a_new_file_gets_every_table_and_the_version(tmp_path: Path) -> None:
    """Opening it again changes nothing."""
    path = tmp_path / "ledger.sqlite"
    engine = open_engine(path)
    for _ in range(2):
        with engine.begin() as connection:
            open_schema(connection, path)
    engine.dispose()
    other = sqlite3.connect(path)
    tables = {name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == set(metadata.tables)
    assert other.execute("SELECT schema FROM itnio_ledger").fetchall() == [(SCHEMA,)]
    other.close()


def test_a_writing_transaction_locks_before_it_reads(tmp_path: Path) -> None:
    """A second writer waits; a reader does not."""
    engine = open_engine(tmp_path / "ledger.sqlite")
    with engine.execution_options(itnio_write=True).begin() as writer:
        writer.exec_driver_sql("CREATE TABLE t (a)")
        other = sqlite3.connect(tmp_path / "ledger.sqlite", timeout=0)
        assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    engine.dispose()


def test_receipts_need_their_run_and_group(tmp_path: Path) -> None:
    """Foreign keys are checked."""
    engine = open_engine(tmp_path / "ledger.sqlite")
    with engine.begin() as connection:
        open_schema(connection, tmp_path)
        row = dict.fromkeys(("state", "status", "reason", "advice", "at"), "") | {
            "group_id": 1,
            "run_id": 1,
            "position": 0,
        }
        with pytest.raises(sa.exc.IntegrityError):
            connection.execute(metadata.tables["receipts"].insert().values(**row))
    engine.dispose()
