"""A ledger kept in a file while runs are at work: one moment of it, whole or not there, never over anything else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
import sqlalchemy as sa

from itnio_nb import InputError, Ledger, LedgerError, State
from itnio_nb.ledger.database.moving.backup import backup_ledger
from itnio_nb.ledger.schema.tables import receipts
from tests.support.ledgers import claim, open_run, record
from tests.support.postgres import new_database


@pytest.fixture(params=["file", "server"])
def used(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with receipts."""
    context = new_database() if request.param == "server" else nullcontext(str(tmp_path / "used.sqlite"))
    with context as address, Ledger(address) as ledger:
        run = open_run(ledger, 5)
        for at, state in enumerate([State.CREATED, State.UNKNOWN]):
            assert claim(ledger, run, at)
            record(ledger, run, at, state, "0")
        ledger.run_control.expire_claims()
        yield ledger


def left_over(folder: Path) -> list[str]:
    """Names of files that a backup has left beside itself."""
    return [path.name for path in folder.iterdir() if path.name.startswith((".", "backup.sqlite-"))]


def test_of_a_run_at_work(used: Ledger, tmp_path: Path) -> None:
    """What it was sending becomes unknown where the backup is opened, and goes on where it is; only its owner reads."""
    run, owner = open_run(used, 7), used.run_control.new_owner(5)
    used.run_control.join(run, owner.token)
    assert claim(used, run, 6, owner.token)
    history = used.history
    path = tmp_path / "backup.sqlite"
    assert str(backup_ledger(used.database, path)) == "2 runs, 2 receipts of 2 groups"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert left_over(tmp_path) == []
    with Ledger(path) as kept:
        assert kept.history.iloc[:2].equals(history)
        assert kept.history["state"].tolist() == ["created", "unknown", "unknown"]
        assert kept.runs.equals(used.runs)
        open_run(kept, 9)
    assert used.table["state"].tolist() == ["created", "unknown", "sending"]
    record(used, run, 6, State.CREATED, "0", owner.token)
    assert used.table["state"].tolist() == ["created", "unknown", "created"]
    owner.release()


def test_one_moment_while_others_write(used: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written after it has begun is not in it, nor a part of that."""
    import itnio_nb.ledger.database.moving.backup as module
    from itnio_nb.ledger.database.moving.rows import sums_of

    before = len(used.history)

    def write_then(connection: sa.Connection) -> object:
        sums = sums_of(connection)
        if len(used.history) == before:
            run = open_run(used, 30)
            record(used, run, 29, State.CREATED, "0")
        return sums

    monkeypatch.setattr(module, "sums_of", write_then)
    backup_ledger(used.database, tmp_path / "backup.sqlite")
    with Ledger(tmp_path / "backup.sqlite") as kept:
        assert (len(kept.history), len(kept.runs)) == (before, 1)
    assert (len(used.history), len(used.runs)) == (before + 1, 2)


def test_never_over_anything_unless_told(used: Ledger, tmp_path: Path) -> None:
    """An earlier backup gives way with `replace`; any other file, a link, the ledger and an open file never do."""
    path = tmp_path / "backup.sqlite"
    backup_ledger(used.database, path)
    first = path.stat().st_ino
    with pytest.raises(InputError, match=r"exists: name a new file, or give --replace"):
        backup_ledger(used.database, path)
    assert path.stat().st_ino == first
    backup_ledger(used.database, path, replace=True)
    assert path.stat().st_ino != first
    with Ledger(path), pytest.raises(InputError, match=r"backup.sqlite-wal stands beside it"):
        backup_ledger(used.database, path, replace=True)
    text, link = tmp_path / "text.txt", tmp_path / "link.sqlite"
    text.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is no backup, and is not replaced"):
        backup_ledger(used.database, text, replace=True)
    with pytest.raises(InputError, match="is a symbolic link"):
        backup_ledger(used.database, link, replace=True)
    with pytest.raises(InputError, match="cannot be written"):
        backup_ledger(used.database, tmp_path / "none" / "backup.sqlite")
    with pytest.raises(InputError):
        backup_ledger(used.database, tmp_path, replace=True)
    if not used.is_shared:
        with pytest.raises(InputError, match="stands beside it"):  # its log: it is open
            backup_ledger(used.database, used.path, replace=True)
        used.close()
        with pytest.raises(InputError, match="is the ledger itself"):
            backup_ledger(used.database, used.path, replace=True)
    assert text.read_text() == "mine"
    assert left_over(tmp_path) == []


def test_a_name_that_is_taken_meanwhile(used: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was quicker keeps it."""
    path = tmp_path / "backup.sqlite"
    monkeypatch.setattr("itnio_nb.ledger.database.moving.backup._check", lambda *_: path.write_text("of somebody else"))
    with pytest.raises(InputError, match="exists: name a new file"):
        backup_ledger(used.database, path)
    assert path.read_text() == "of somebody else"
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("change", ["DELETE FROM receipts WHERE id = 2", "UPDATE receipts SET state = 'nonsense'"])
def test_what_was_written_is_looked_at(
    used: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """A backup that lacks rows, or is not sound, is none, and the one before it stays."""
    import itnio_nb.ledger.database.moving.backup as module

    path, check = tmp_path / "backup.sqlite", module._check
    backup_ledger(used.database, path)
    before = path.read_bytes()

    def changed(made: Path, sums: object) -> None:
        with closing(sa.create_engine(f"sqlite:///{made}").raw_connection()) as connection:
            connection.cursor().execute(change)
            connection.commit()
        check(made, sums)  # type: ignore[arg-type] # as it was given

    monkeypatch.setattr(module, "_check", changed)
    with pytest.raises(LedgerError, match=r"^No backup was made: what was written is not sound"):
        backup_ledger(used.database, path, replace=True)
    assert path.read_bytes() == before
    assert left_over(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of a process")
def test_a_full_disk(used: Ledger, tmp_path: Path) -> None:
    """In words, and nothing is left."""
    with used.database.transaction(write=True) as connection:
        connection.execute(receipts.update().where(receipts.c.id == 1).values(reason="long" * 300_000))
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        import resource
        import signal

        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
            used.database.engine.dispose(close=False)
            backup_ledger(used.database, tmp_path / "backup.sqlite")
        except (InputError, LedgerError) as error:
            os._exit(0 if "does not answer" not in str(error) else 2)
        except BaseException:  # noqa: BLE001 - told by the code
            os._exit(3)
        os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not (tmp_path / "backup.sqlite").exists()
    assert left_over(tmp_path) == []
