"""The ledger's tables: made once, with a version; older ledgers are migrated."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from itnio_nb import Client, Ledger, LedgerError, Sandbox, resume
from itnio_nb.ledger.database.sqlite.file import open_engine
from itnio_nb.ledger.schema import opening
from itnio_nb.ledger.schema.opening import open_schema
from itnio_nb.ledger.schema.tables import SCHEMA, metadata
from tests.support.factories import group
from tests.support.ledgers import earlier_ledger


def test_a_new_file_gets_every_table_and_the_version(tmp_path: Path) -> None:
    """Opening it again changes nothing."""
    path = tmp_path / "ledger.sqlite"
    engine = open_engine(path)
    for _ in range(2):
        with engine.begin() as connection:
            open_schema(connection, str(path))
    engine.dispose()
    other = sqlite3.connect(path)
    tables = {name for (name,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == set(metadata.tables)
    assert other.execute("SELECT schema FROM itnio_ledger").fetchall() == [(SCHEMA,)]
    other.close()


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A ledger as the first version left it: six groups, one of them being sent when it was killed, one never sent."""
    return earlier_ledger(1, tmp_path)


def test_a_ledger_of_the_first_version_is_migrated(earlier: Path) -> None:
    """Every receipt is kept; what was being sent is not known; a second opening changes nothing."""
    for _ in range(2):
        with Ledger(earlier) as ledger:
            assert ledger.table["state"].tolist() == ["created", "refused", "exists", "unknown", "unknown"]
            assert ledger.table["reason"].iloc[4].startswith("what became of it was not recorded")
            assert len(ledger.history) == 10
            assert ledger.runs[["groups", "finished"]].to_numpy().tolist() == [[6, ""]]
    with closing(sqlite3.connect(earlier)) as other:
        assert other.execute("SELECT schema FROM itnio_ledger").fetchall() == [(SCHEMA,)]
        for table in ("claims", "run_owners"):
            assert other.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]


def test_a_run_of_the_first_version_is_resumed(earlier: Path, sandbox: Sandbox, client: Client) -> None:
    """What it left is resolved and sent; a colleague's ledger needs nothing but to be opened."""
    with closing(sqlite3.connect(earlier)) as other, other:
        other.execute("UPDATE accounts SET base_url = ?, api_key = ?", (sandbox.base_url, sandbox.account.api_key))
    client.create_phones(group("group-3", "phone-3", 3))  # the answer that was lost
    with Ledger(earlier) as ledger:
        run = resume(client, ledger).wait()
        assert run.table["state"].tolist() == ["created", "refused", "exists", "created", "created", "created"]
    assert [one.group for one in sandbox.log if one.endpoint == "sipAdd"] == ["group-3", "group-5", "group-4"]


@pytest.mark.parametrize("version", [2, 3, 4, 5, 6])
def test_a_ledger_of_a_later_version_is_migrated(
    version: int, tmp_path: Path, sandbox: Sandbox, client: Client
) -> None:
    """One group created, one unknown, one being sent by a process that is gone, one not sent: the run goes on."""
    path = earlier_ledger(version, tmp_path)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE accounts SET base_url = ?, api_key = ?", (sandbox.base_url, sandbox.account.api_key))
    for at in (0, 2):
        client.create_phones(group(f"group-{at}", f"phone-{at}", 3))
    with Ledger(path) as ledger:
        assert ledger.table["state"].tolist() == ["created", "unknown", "unknown"]
        assert ledger.run_control.terms(1) == (None, None, None)
        assert resume(client, ledger, rate=100).wait().counts == {"created": 4}
        assert ledger.run_control.terms(1) == (None, 100, None)
    assert [one.group for one in sandbox.log if one.endpoint == "sipAdd"][2:] == ["group-3", "group-1"]


def test_a_run_of_before_learns_what_its_orders_were(tmp_path: Path) -> None:
    """File, rows and rows left out come from the orders that it has kept, where these can be read."""
    path = earlier_ledger(5, tmp_path)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(
            "INSERT INTO runs (name, account_id, fingerprint, contents, started, note, orders) "
            "VALUES ('20261101T000000Z', 1, '', '', '2026-11-01T00:00:00.000Z', '', '{damaged')"
        )
    with Ledger(path) as ledger:
        known = ledger.runs[["source", "rows", "left_out"]].astype(object)
        assert known.where(known.notna(), None).to_numpy().tolist() == [["table", 6, 2], ["", None, None]]


def test_a_file_name_that_no_file_can_hold_is_kept_as_it_can_be(tmp_path: Path) -> None:
    """Linux has names that are no UTF-8: such a run is opened, and a ledger that has one is migrated."""
    path = earlier_ledger(5, tmp_path)
    with closing(sqlite3.connect(path)) as other, other:
        (orders,) = other.execute("SELECT orders FROM runs").fetchone()
        other.execute("UPDATE runs SET orders = ?", (orders.replace('"name": "table"', '"name": "b\\udce9.csv"'),))
    with Ledger(path) as ledger:
        assert ledger.runs["source"].tolist() == ["b\\udce9.csv"]


def test_a_migration_that_fails_leaves_the_file_as_it_was(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction: the older version still opens it."""

    def broken(connection: sa.Connection) -> None:
        connection.exec_driver_sql("DROP TABLE receipts")
        raise sa.exc.OperationalError("", {}, Exception("disk full"))

    monkeypatch.setitem(opening._MIGRATIONS, 1, broken)
    with pytest.raises(LedgerError, match="disk full"):
        Ledger(earlier)
    with closing(sqlite3.connect(earlier)) as other:
        assert other.execute("SELECT schema, (SELECT count(*) FROM receipts) FROM itnio_ledger").fetchall() == [(1, 9)]


def test_receipts_need_their_run_and_group(tmp_path: Path) -> None:
    """Foreign keys are checked."""
    engine = open_engine(tmp_path / "ledger.sqlite")
    with engine.begin() as connection:
        open_schema(connection, str(tmp_path))
        row = dict.fromkeys(("state", "status", "reason", "advice", "at"), "")
        row |= dict.fromkeys(("group_id", "run_id", "position"), "1")
        with pytest.raises(sa.exc.IntegrityError):
            connection.execute(metadata.tables["receipts"].insert().values(**row))
    engine.dispose()
