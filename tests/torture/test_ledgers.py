"""Ledgers of others, used as people use one: each cell odd in turn, and files that were damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from itnio_nb import Client, ItnioError, Ledger, LedgerError, make_plan, reconcile, resume, submit_plan
from itnio_nb.ledger.schema.tables import metadata
from itnio_nb.runs.run import RunRecord
from tests.support.factories import many_orders
from tests.support.ledgers import changed_ledger, used_ledger

ODD = [b"\xff\x00", None, -1, "../../x", "9999-99-99T00:00:00Z"]


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itnio_nb.runs.reconcile.resolver.PAUSES", (0.001,))


def use(path: Path, client: Client, folder: Path) -> None:
    """All that people do with a ledger."""
    with Ledger(path) as ledger:
        assert len(ledger.table) + len(ledger.history) + len(ledger.runs) >= 0
        ledger.entries(client.account)
        for number in ledger.runs_of(None).values():
            record = RunRecord(number, ledger)
            assert f"{record!r}{record._repr_html_()}{record.table}"
            record.write_results(folder)
        reconcile(client, ledger)
        resume(client, ledger).wait().write_results(folder)
        submit_plan(make_plan(many_orders(1).assign(groupName="more"), client, ledger), client, ledger).wait()


def test_every_cell_can_be_odd(client: Client, tmp_path: Path) -> None:
    """Numbers, bytes, nothing, names of other folders, in each column of each table."""
    good, refused = used_ledger(client, tmp_path / "good.sqlite"), 0
    columns = [(table.name, column.name) for table in metadata.tables.values() for column in table.columns]
    for table, column in columns:
        for odd in ODD:
            last = f'UPDATE {table} SET "{column}" = ? WHERE rowid = (SELECT max(rowid) FROM {table})'
            with suppress(sqlite3.IntegrityError):  # SQLite keeps that out itself
                path = changed_ledger(good, last, value=odd)
                try:
                    use(path, client, tmp_path / "deep" / "results")
                except ItnioError as error:
                    refused += isinstance(error, LedgerError)
    assert refused > 100
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == {"good", "changed", "deep"}
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"results"}


def test_damaged_files(client: Client, tmp_path: Path) -> None:
    """Bytes that were changed, and ends that are missing: in 80 ways."""
    whole, random = used_ledger(client, tmp_path / "good.sqlite").read_bytes(), Random(7)
    path = tmp_path / "damaged.sqlite"

    def damages() -> Iterator[bytes]:
        for number in range(60):
            data = bytearray(whole)
            for _ in range(random.choice((1, 5, 50, 500))):
                data[random.randrange(100 if number % 3 else 0, len(data))] = random.randrange(256)
            yield bytes(data)
        yield from (whole[: len(whole) * part // 20] for part in range(1, 20))
        yield whole * 2

    refused = 0
    for data in damages():
        path.write_bytes(data)
        path.chmod(0o600)
        try:
            use(path, client, tmp_path / "results")
        except ItnioError:
            refused += 1
        for beside in tmp_path.glob("damaged.sqlite-*"):
            beside.unlink()
    assert refused > 40
