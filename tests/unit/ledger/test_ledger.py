"""The ledger as people use it: tables, history, runs; it opens what is its own and leaves the rest alone."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from itnio_nb import Account, Ledger, LedgerError, State
from tests.support.ledgers import ACCOUNT, claim, contents, open_run, record

TABLE = "groupName phoneName quantity displayNum appId state status reason made run"
WRITER = "operator machine version"
RESET = "state status reason advice at run"
LEFT_AS = "created partial exists refused unknown"


def test_an_empty_ledger_has_its_columns(ledger: Ledger) -> None:
    """Tables without rows are tables."""
    assert " ".join(ledger.table.columns) == TABLE
    assert " ".join(ledger.history.columns) == f"at run appId groupName state status reason advice {WRITER} role"
    assert " ".join(ledger.runs.columns) == "run started finished groups phones account note source rows left_out by"
    assert " ".join(ledger.resets.columns) == f"appId groupName phoneName account {RESET} {WRITER}"
    assert " ".join(ledger.operators().columns) == f"operator machine {LEFT_AS} receipts first last"
    known = [*TABLE.replace("made", "made at").split(), "receipt", "ended_by", "tried"]
    assert ledger.table_for(None).columns.tolist() == known
    assert ledger.table_for(ACCOUNT, operators=True).columns.tolist() == [*known, "operator"]
    assert ledger.table.empty
    assert ledger.entries(ACCOUNT) == {}


def test_what_was_recorded_is_there_after_reopening(ledger: Ledger, ledger_place: str) -> None:
    """Each receipt in order; the state is the newest; a group that was never sent is not in the table."""
    run_id, owner = open_run(ledger), ledger.run_control.new_owner()
    assert claim(ledger, run_id, 0, owner.token)
    record(ledger, run_id, 0, State.CREATED, "0", owner.token)
    assert claim(ledger, run_id, 1, owner.token)
    ledger.close()
    with Ledger(ledger_place) as again:
        assert again.history["state"].tolist() == ["created"]
        name, made = again.run_store.run_info(run_id, "name")["name"], again.history["at"].iloc[0]
        cells = again.table[["groupName", "state", "made", "run"]].to_numpy().tolist()
        assert cells == [["group-0", "created", made, name], ["group-1", "sending", "", name]]
    owner.release()


def test_another_account_is_another_world(ledger: Ledger) -> None:
    """The key of a group is base address, API key, application, group name."""
    record(ledger, open_run(ledger), 0, State.CREATED)
    for other in (Account("other", "secret", ACCOUNT.base_url), Account("key", "secret", "http://127.0.0.1:2/voice")):
        assert ledger.entries(other) == {}
        assert ledger.history_for(other).empty
        run_id = open_run(ledger, account=other)
        assert claim(ledger, run_id, 0)
    assert len(ledger.table) == 3
    record(ledger, run_id, 0, State.REFUSED)
    assert [entry.state for entry in ledger.entries(ACCOUNT).values()] == ["created"]
    for account, states in ((ACCOUNT, ["created"]), (other, ["unknown", "refused"])):
        assert ledger.history_for(account)["state"].tolist() == states
        assert ledger.history_for(account).columns.tolist() == ledger.history.columns.tolist()


def test_the_default_ledger_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ITNIO_LEDGER, or the user's data folder; the file is for its owner alone."""
    monkeypatch.setenv("ITNIO_LEDGER", str(tmp_path / "new" / "folder" / "book.sqlite"))
    with Ledger() as named:
        assert named.path == tmp_path / "new" / "folder" / "book.sqlite"
        assert stat.S_IMODE(named.path.stat().st_mode) == 0o600
    monkeypatch.delenv("ITNIO_LEDGER")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with Ledger() as default:
        assert default.path.name == "ledger.sqlite"
        assert default.path.is_relative_to(tmp_path)


def test_what_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Not a database, another program's database, a newer ledger: a clear error, the bytes untouched."""
    text, other, newer = (tmp_path / name for name in ("notes.txt", "other.sqlite", "newer.sqlite"))
    text.write_text("my notes " * 100)
    Ledger(newer).close()
    for path, change in ((other, "CREATE TABLE songs (title TEXT)"), (newer, "UPDATE itnio_ledger SET schema = 99")):
        with sqlite3.connect(path) as connection:
            connection.execute(change)
        connection.close()
    for path, words in ((text, "not a database"), (other, "not a ledger"), (newer, "newer itnio-nb")):
        before = path.read_bytes()
        with pytest.raises(LedgerError, match=words):
            Ledger(path)
        assert path.read_bytes() == before


@pytest.mark.sqlite_only("a server looks after its own files")
def test_a_damaged_ledger_is_named_and_left_alone(ledger: Ledger) -> None:
    """Garbage in its middle: no traceback, nothing overwritten, whatever is asked of it."""
    open_run(ledger, 300)
    ledger.close()
    content = bytearray(ledger.path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    ledger.path.write_bytes(content)
    for use in (lambda: ledger.table, lambda: Ledger(ledger.path)):
        with pytest.raises(LedgerError, match=rf"{ledger.path.name}.*malformed.*restore an earlier copy"):
            use()
    assert ledger.path.read_bytes() == content


def test_no_secret_is_in_it(ledger: Ledger) -> None:
    """The key is, since it tells accounts apart; the secret is nowhere in its tables or any of its files."""
    open_run(ledger, account=Account("the-key", "s3cr3t-canary", ACCOUNT.base_url))
    content = contents(ledger)
    assert b"the-key" in content
    assert b"s3cr3t-canary" not in content


def test_what_the_server_answered_with_0_is_a_sample(ledger: Ledger) -> None:
    """Of each application the newest hundred; what a listing has shown, or is being sent, is none."""
    run_id = open_run(ledger, 103)
    for at in range(102):
        record(ledger, run_id, at, State.CREATED, "-18" if at == 101 else "0")
    claim(ledger, run_id, 102)
    created = ledger.pages.created_groups(ACCOUNT)
    assert list(created) == ["4luaKsL2"]
    assert {one.group_name for one in created["4luaKsL2"]} == {f"group-{at}" for at in range(1, 101)}
    assert ledger.pages.created_groups(Account("another", "secret", ACCOUNT.base_url)) == {}
