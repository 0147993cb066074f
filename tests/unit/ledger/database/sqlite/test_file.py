"""The ledger's file and its disk: where it can be, what is noticed, how much can still be written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from itnio_nb import Ledger, LedgerError
from itnio_nb.ledger.database.sqlite.file import free_bytes, network_kind, open_engine
from tests.support.ledgers import NOBODY, open_run

MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /home rw - nfs4 server:/home rw
31 30 0:41 / /home/me/local\\040disk rw - ext4 /dev/sdb1 rw
32 22 0:42 / /mnt/share rw - cifs //server/share rw
33 22 0:43 / /media/laptop rw - fuse.sshfs me@laptop: rw
34 22 0:44 / /media/stick rw - fuseblk /dev/sdc1 rw
"""
LOCAL = ("/srv", "/homework", "/home/me/local disk/deep", "/media/stick")
REMOTE = {"/home/me": "nfs4", "/mnt/share/a": "cifs", "/media/laptop": "fuse.sshfs"}


def test_a_ledger_on_a_network_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the kind, and what to do. The deepest mount that has the folder counts; a blank is written in octal."""
    monkeypatch.setattr("itnio_nb.ledger.database.sqlite.file._MOUNTS", tmp_path / "mountinfo")
    assert network_kind(tmp_path) == ""  # a system that has no list of mounts is trusted
    (tmp_path / "mountinfo").write_text(MOUNTS)
    for folder, kind in (dict.fromkeys(LOCAL, "") | REMOTE).items():
        assert network_kind(Path(folder)) == kind
    (tmp_path / "mountinfo").write_text("22 1 8:1 / / rw - nfs4 server:/ rw")
    with pytest.raises(LedgerError, match=r"its folder is on a network, nfs4.*choose another with Ledger\(path\)"):
        Ledger(tmp_path / "ledger.sqlite")


def test_free_bytes_are_what_disk_and_quota_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smaller of the two."""
    (tmp_path / "big").write_bytes(b"x" * 1000)
    assert free_bytes(tmp_path / "none", tmp_path / "big") > 2**20
    monkeypatch.setattr("resource.getrlimit", lambda _: (5000, 5000))
    assert free_bytes(tmp_path / "none", tmp_path / "big") == 4000


def test_places_where_no_ledger_can_be(tmp_path: Path) -> None:
    """A folder, a file as a folder, a server of another kind, no path at all: the error says what to do."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "file" / "ledger.sqlite", "mysql://host/book", ":memory:", "sqlite://"):
        with pytest.raises(LedgerError, match=r"Ledger\(path|give a path"):
            Ledger(place)
    for wrong in (5, "nul\0byte"):
        with pytest.raises(LedgerError, match="path"):
            Ledger(wrong)  # type: ignore[arg-type] # what a user may do


def test_a_ledger_is_named_by_path_or_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`~` is the home folder; a URL's path is taken as it is written."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, path in (("~/book.sqlite", "book.sqlite"), (f"sqlite:///{tmp_path}/a # url %20", "a # url %20")):
        with Ledger(name) as ledger:
            assert ledger.path == tmp_path / path
            assert ledger.path.exists()


def test_a_ledger_that_was_deleted_is_noticed(ledger: Ledger, tmp_path: Path) -> None:
    """An open database would go on writing to a file that nobody can find any more."""
    run_id = open_run(ledger)
    ledger.path.rename(tmp_path / "elsewhere.sqlite")
    for place in (None, tmp_path / "other.sqlite"):
        if place:
            Ledger(place).close()
            place.rename(ledger.path)
        with pytest.raises(LedgerError, match="deleted or replaced"):
            ledger.run_store.sync(run_id, NOBODY, wanted=[(0, 0)])


def test_ledgers_share_compiled_statements(ledger: Ledger) -> None:
    """What one has compiled is not compiled again for another."""
    compiled = open_engine(ledger.path).get_execution_options()["compiled_cache"]
    _ = (ledger.table, ledger.history, ledger.runs)
    before = len(compiled)
    with Ledger("other.sqlite") as other:
        _ = (other.table, other.history, other.runs)
    assert len(compiled) == before


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
