"""A ledger copied: equal to its last row, whole or not a ledger, and gone on with wherever it was cut off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from itnio_nb import Account, Ledger, LedgerError, State
from itnio_nb.api.models import ResetReceipt, ResetState, now
from itnio_nb.ledger.database.address import open_database
from itnio_nb.ledger.database.moving.copying import copy_ledger
from itnio_nb.ledger.database.moving.rows import TABLES, Tell, read_page
from itnio_nb.ledger.resets import ResetPhone, ResetPlan, ResetRequest
from itnio_nb.ledger.schema.tables import receipts, run_owners
from tests.support.ledgers import ACCOUNT, NOBODY, claim, close, open_run, record
from tests.support.postgres import new_database

New = Callable[[str], str]  # the address of a place for a new ledger: "file" or "server"
KINDS = ("file", "server")
OTHER = Account("another key", "secret", "http://127.0.0.1:1/voice")


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itnio_nb.ledger.database.moving.rows._PAGE", 3)
    monkeypatch.setattr("itnio_nb.ledger.database.moving.rows._RUNS", 1)


@pytest.fixture
def new(tmp_path: Path) -> Iterator[New]:
    with ExitStack() as stack:
        made: list[str] = []

        def make(kind: str) -> str:
            path = str(tmp_path / f"place-{len(made)}.sqlite")
            made.append(stack.enter_context(new_database()) if kind == "server" else path)
            return made[-1]

        yield make


def fill(ledger: Ledger) -> Ledger:
    """Two runs of groups and one of new passwords; somebody dead holds a claim."""
    first = open_run(ledger, 7)
    for at, state in enumerate([State.CREATED, State.UNKNOWN, State.REFUSED, State.CREATED]):
        claim(ledger, first, at)
        record(ledger, first, at, state, "0" if state is State.CREATED else "-9")
    close(ledger, first, note="it was stopped: “Ünïcode”, tab\t, line\n, backslash \\N and \\.")
    second = open_run(ledger, 4, OTHER)
    claim(ledger, second, 2)
    phones = [ResetPhone("app", "sales", f"desk_{at}", f"100{at}") for at in range(5)]
    wanted = ResetRequest(ACCOUNT, "app", phones)
    owner = ledger.run_control.new_owner()
    number = ledger.reset_store.open_run(wanted, ResetPlan(None, phones), owner.token, again=False)
    assert number is not None
    ledger.reset_store.record(number, [(0, ResetReceipt(ResetState.RESET, "0", "", "", now()))], [1])
    owner.release()
    ledger.run_control.expire_claims()
    ledger.reset_store.expire()
    return ledger


def content(address: str | Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, as it is in a database."""
    with closing(open_database(address)) as database, database.transaction() as connection:
        return {
            table.name: list(map(tuple, connection.execute(sa.select(table).order_by(*table.primary_key))))
            for table in TABLES
        }


def copied(source: Ledger, target: str, tell: Tell = lambda *_: None) -> str:
    with closing(open_database(target)) as database:
        return str(copy_ledger(source.database, database, tell))


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_a_copy_is_equal_and_a_ledger(new: New, source: str, target: str) -> None:
    """Every row with its number; what is written next gets numbers of its own, and the same again copies nothing."""
    here, there = new(source), new(target)
    with Ledger(here) as ledger:
        fill(ledger)
        words = copied(ledger, there)
        assert words == "2 runs, 5 receipts of 5 groups, 3 receipts of new passwords"
        assert content(there) == content(here)
        tables = (ledger.table, ledger.history, ledger.runs, ledger.resets)
        assert copied(ledger, there) == words
    with Ledger(there) as copy:
        for ours, theirs in zip(tables, (copy.table, copy.history, copy.runs, copy.resets), strict=True):
            assert ours.equals(theirs)
        before = len(copy.history)
        run = open_run(copy, 9)
        assert claim(copy, run, 8)
        record(copy, run, 8, State.CREATED, "0")
        assert (len(copy.history), len(copy.runs)) == (before + 1, 3)


@pytest.mark.parametrize("target", KINDS)
def test_cut_off_anywhere_it_goes_on(new: New, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of each page that is written; until its end it opens as no ledger, and never has a row twice."""
    with Ledger(new("file")) as ledger:
        fill(ledger)
        whole, cuts = content(ledger.address), 0
        there = new(target)
        while True:
            cut = Cut(cuts)
            with monkeypatch.context() as patch, closing(open_database(there)) as database:
                patch.setattr("itnio_nb.ledger.database.moving.copying._writing", cut(database.transaction))
                try:
                    copy_ledger(ledger.database, database)
                    break
                except InterruptedError:
                    pass
            with pytest.raises(LedgerError, match=r"is a copy that is not whole: start the same itnio-nb ledger copy"):
                Ledger(there)
            cuts += 1
        assert content(there) == whole


class Cut:
    """Lets so many transactions be, and cuts the next one off in its middle."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, transaction: Callable[..., object]) -> Callable[[object], object]:
        def begin(_: object) -> object:
            self._left -= 1
            return _cut_off(transaction) if self._left < 0 else transaction(write=True)

        return begin


class _cut_off:  # noqa: N801 - a context
    def __init__(self, transaction: Callable[..., object]) -> None:
        self._context = transaction(write=True)

    def __enter__(self) -> object:
        return self._context.__enter__()  # type: ignore[attr-defined] # a context

    def __exit__(self, *_: object) -> None:
        error = InterruptedError("power failed")
        self._context.__exit__(InterruptedError, error, None)  # type: ignore[attr-defined]
        raise error


@pytest.mark.parametrize("target", KINDS)
def test_what_is_written_meanwhile_is_noticed(new: New, target: str) -> None:
    """A run that begins, and one that is over again: in words, the copy is not whole, and the next try has it too."""
    there = new(target)
    with Ledger(new("file")) as ledger:
        fill(ledger)
        runs: list[int] = []

        def begin(*_: object) -> None:
            if not runs:
                runs.append(open_run(ledger, 12))
                record(ledger, runs[0], 11, State.CREATED, "0")
                ledger.run_control.expire_claims()

        with pytest.raises(LedgerError, match=r"^Something was written to .* while it was copied"):
            copied(ledger, there, begin)
        with pytest.raises(LedgerError, match="is a copy that is not whole"):
            Ledger(there)
        close(ledger, runs[0], note="changed since")
        ledger.run_control.slow_down(1, 5.0)  # of a run that was copied
        assert copied(ledger, there).startswith("3 runs, 6 receipts of 6 groups")
        assert content(there) == content(ledger.address)


def test_a_ledger_at_work_is_not_copied(new: New) -> None:
    """Runs and resets of living owners, by their names; claims of dead ones have expired when it was opened."""
    with Ledger(new("file")) as ledger:
        run, owner = open_run(ledger), ledger.run_control.new_owner()
        ledger.run_control.join(run, owner.token)
        name, there = ledger.runs["run"].iloc[0], new("file")
        with pytest.raises(LedgerError, match=rf"^Nothing was copied: 1 run at work on .* \({name}\)\. Stop them, and"):
            copied(ledger, there)
        owner.release()
        resets = ledger.run_control.new_owner()
        phones = [ResetPhone("app", "sales", "desk", "1001")]
        wanted = ResetRequest(ACCOUNT, "app", phones)
        assert ledger.reset_store.open_run(wanted, ResetPlan(None, phones), resets.token, again=False)
        ledger.run_control.expire_claims()
        with pytest.raises(LedgerError, match=r"1 run at work on .* \(reset-"):
            copied(ledger, there)
        resets.release()
        claim(ledger, run, 0, NOBODY)
    with Ledger(ledger.path) as ledger:
        copied(ledger, there)
        assert ledger.table["state"].tolist() == ["unknown"]


@pytest.mark.parametrize("target", KINDS)
def test_what_holds_something_else_is_left_alone(new: New, target: str) -> None:
    """Another ledger, also one that is a part of this one; an unfinished copy of another one, also with more rows."""
    there, other = new(target), new("file")
    with Ledger(new("file")) as ledger, Ledger(there) as holding:
        open_run(holding, 2, OTHER)
        before = content(there)
        holding.run_control.expire_claims()
        fill(ledger)
        with pytest.raises(LedgerError, match=r"holds something else than .* \(row .* of the table"):
            copied(ledger, there)
        holding.run_control.expire_claims()
        assert content(there) == before | {run_owners.name: []}
        copied(ledger, other)
        open_run(ledger, 30)
        ledger.run_control.expire_claims()
        with pytest.raises(LedgerError, match=r"holds something else than"):  # was whole, and may have been used since
            copied(ledger, other)


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("change", ["another value", "one more", "one less"])
def test_an_unfinished_copy_that_was_changed_is_refused(
    new: New, target: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row is written, unless what is there is how the source begins."""
    there = new(target)
    with Ledger(new("file")) as ledger:
        fill(ledger)
        with monkeypatch.context() as patch:
            patch.setattr("itnio_nb.ledger.database.moving.copying.require_equal", _interrupt)
            with pytest.raises(InterruptedError):
                copied(ledger, there)
        with closing(open_database(there)) as database, database.transaction(write=True) as connection:
            last = sa.select(sa.func.max(receipts.c.id)).scalar_subquery()
            if change == "another value":
                connection.execute(receipts.update().where(receipts.c.id == last).values(reason="other words"))
            elif change == "one less":
                connection.execute(receipts.delete().where(receipts.c.id == 2))
            else:
                row = read_page(connection, receipts, None)[0]
                values = dict(zip(receipts.columns.keys(), row, strict=True))
                connection.execute(receipts.insert().values(**values | {"id": 1000}))
        before = content(there)
        with pytest.raises(LedgerError, match=r"\(row id \d+ of the table receipts\)"):
            copied(ledger, there)
        assert content(there) == before


def _interrupt(*_: object) -> None:
    raise InterruptedError


def test_a_ledger_is_not_copied_onto_itself(new: New, tmp_path: Path) -> None:
    """By whatever name: of a file a hard link and another path, of a server another host."""
    with Ledger(new("file")) as ledger:
        os.link(ledger.path, tmp_path / "link.sqlite")
        for name in (ledger.path, tmp_path / "link.sqlite", f"{tmp_path}/../{tmp_path.name}/{ledger.path.name}"):
            with pytest.raises(LedgerError, match="is that ledger itself"):
                copied(ledger, str(name))
    server = new("server")
    with Ledger(server) as ledger:
        for name in (server, server.replace("127.0.0.1", "localhost")):
            with pytest.raises(LedgerError, match="is that ledger itself"):
                copied(ledger, name)
        schema = f"{server}?options=-csearch_path%3Dother"
        with closing(open_database(server)) as database, database.engine.begin() as connection:
            connection.exec_driver_sql("CREATE SCHEMA other")
        assert copied(ledger, schema) == "0 runs, 0 receipts of 0 groups"


def test_what_is_no_ledger_is_refused(new: New, tmp_path: Path) -> None:
    """Another database, a damaged file, a copy that another version has begun: none is written to."""
    with Ledger(new("file")) as ledger:
        fill(ledger)
        (tmp_path / "text.sqlite").write_text("no database")
        with pytest.raises(LedgerError):
            copied(ledger, str(tmp_path / "text.sqlite"))
        assert (tmp_path / "text.sqlite").read_text() == "no database"
        server = new("server")
        with closing(open_database(server)) as database, database.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE theirs (a INTEGER)")
        with pytest.raises(LedgerError, match="is a database, but not a ledger"):
            copied(ledger, server)
        older = new("file")
        Ledger(older).close()
        with closing(open_database(older)) as database, database.transaction(write=True) as connection:
            connection.exec_driver_sql("UPDATE itnio_ledger SET schema = -1000")
        with pytest.raises(LedgerError, match="was begun by another version of itnio-nb"):
            copied(ledger, older)
