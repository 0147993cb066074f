"""Ledgers of others: whatever is in one, it is refused in words, at once, and nothing is written anywhere."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from itnio_nb import Client, Ledger, LedgerError, make_plan, submit_plan
from itnio_nb.ledger.database.sqlite.file import SQLiteFile
from itnio_nb.ledger.schema.tables import SCHEMA, metadata
from itnio_nb.runs.run import RunRecord
from tests.support.factories import many_orders
from tests.support.ledgers import changed_ledger, used_ledger

ENDLESS = "WITH RECURSIVE e(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM e) SELECT {} FROM e"
RULES = {
    "a view": "ALTER TABLE {t} RENAME TO old; CREATE VIEW {t} AS SELECT * FROM old",
    "endless rows": "DROP TABLE {t}; CREATE VIEW {t} AS " + ENDLESS.format("1 AS id, 1 AS schema, 1 AS owner"),
    "a trigger that writes": "CREATE TRIGGER e AFTER INSERT ON {t} BEGIN DELETE FROM receipts; END",
    "a trigger that drops": "CREATE TRIGGER e BEFORE UPDATE ON {t} BEGIN SELECT raise(ignore); END",
    "another column": "ALTER TABLE {t} ADD COLUMN more TEXT NOT NULL DEFAULT 'x'",
    "a generated column": "ALTER TABLE {t} ADD COLUMN more TEXT GENERATED ALWAYS AS ('x')",
    "what is unique": "CREATE UNIQUE INDEX e ON {t} (1) WHERE 0",
    "no keys": "CREATE TABLE n AS SELECT * FROM {t}; DROP TABLE {t}; ALTER TABLE n RENAME TO {t}",
    "no table": "DROP TABLE {t}",
}


@pytest.fixture
def good(client: Client, tmp_path: Path) -> Path:
    return used_ledger(client, tmp_path / "good.sqlite")


@pytest.mark.parametrize("rule", RULES)
def test_what_is_none_of_a_ledger(rule: str, good: Path) -> None:
    """Views, triggers, rules on rows; each table in turn; the file stays as it was."""
    for table in metadata.tables:
        path = changed_ledger(good, RULES[rule].format(t=table))
        before = path.read_bytes()
        with pytest.raises(LedgerError, match=r"none of a ledger|holds something|is a database, but not a ledger"):
            Ledger(path)
        assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, -1, 1.5, "x", b"x", None, str(SCHEMA)])
def test_a_version_that_is_none(version: object, good: Path) -> None:
    """A ledger says which one it is."""
    if version == str(SCHEMA):  # a column of whole numbers makes one of it
        Ledger(changed_ledger(good, "UPDATE itnio_ledger SET schema = ?", value=version)).close()
        return
    with suppress(sqlite3.IntegrityError), pytest.raises(LedgerError, match="has no version"):
        Ledger(changed_ledger(good, "UPDATE itnio_ledger SET schema = ?", value=version))


@pytest.mark.parametrize("orders", ["", "null", "[]", "{}", "[" * 100_000, '{"source": {}}', "NaN", '"x"'])
def test_orders_that_are_none(orders: str, good: Path, tmp_path: Path) -> None:
    """The ledger is used, and the one run that cannot be reviewed says so."""
    with Ledger(changed_ledger(good, "UPDATE runs SET orders = ?", value=orders)) as ledger:
        record = RunRecord(next(iter(ledger.runs_of(None).values())), ledger)
        with pytest.raises(LedgerError, match=rf"the orders of run {record.name} are damaged"):
            record.write_results(tmp_path)


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
def test_links_are_not_followed(end: str, tmp_path: Path) -> None:
    """Of the ledger, and of what SQLite keeps beside it: what it leads to is not made, and not touched."""
    (tmp_path / f"ledger.sqlite{end}").symlink_to(tmp_path / "elsewhere")
    for text in (None, "somebody's"):
        if text:
            (tmp_path / "elsewhere").write_text(text, encoding="utf-8")
        with pytest.raises(LedgerError, match=rf"ledger.sqlite{end} is a symbolic link: give the file"):
            Ledger(tmp_path / "ledger.sqlite")
        assert (tmp_path / "elsewhere").exists() == bool(text)
    assert (tmp_path / "elsewhere").read_text(encoding="utf-8") == "somebody's"


def test_a_run_s_lock_that_is_a_link(client: Client, tmp_path: Path) -> None:
    """What it leads to is not touched, and the run is verified without it."""
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        (tmp_path / "ledger.sqlite-run-1.lock").symlink_to(tmp_path / "mine")
        assert submit_plan(make_plan(many_orders(1), client, ledger), client, ledger).wait().counts["created"] == 1
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "mine"


def test_what_others_can_read_is_tightened(good: Path) -> None:
    """And said, once; what is no ledger keeps its mode."""
    good.chmod(0o644)
    with pytest.warns(UserWarning, match="Others could read or write .*good.sqlite, and cannot any more"), Ledger(good):
        assert good.stat().st_mode & 0o777 == 0o600
    with Ledger(good) as ledger:
        assert len(ledger.runs) == 2


def test_opening_it_again_releases_no_lock(good: Path) -> None:
    """SQLite's locks are the process's, and end where it closes the file: another process would write meanwhile."""
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    with Ledger(good) as ledger, ledger.run_store.database.transaction(write=True):
        SQLiteFile(good)._make_private()
        done = subprocess.run([sys.executable, "-c", code, good], capture_output=True, text=True, check=False)
    assert "database is locked" in done.stderr
