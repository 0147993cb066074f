"""Accounts and phones of a sandbox, kept in a file."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from itnio_nb import AccountError, Client, Ledger, Sandbox, State
from tests.support.factories import APP, group

FILE = Path("box.sqlite")


def test_phones_and_accounts_survive(tmp_path: Path) -> None:
    """Names taken stay taken, accounts go on counting, secrets and passwords are the same."""
    with Sandbox(file=FILE) as first, Client(first.account) as client:
        other = first.add_account()
        client.create_phones(group("sales", "desk", 50))
        with Client(other) as theirs:
            theirs.create_phones(group("北京客服", "\U0001f4de phone", 2))
    with Sandbox(file=FILE) as second, Client(second.account) as client:
        assert [account.api_secret for account in second.accounts] == [account.api_secret for account in first.accounts]
        assert second.phones.equals(first.phones)
        assert client.create_phones(group("sales", "other")).status == "-20"
        assert client.create_phones(group("other", "desk")).status == "-20"
        assert client.create_phones(group("other", "line", 1)).state is State.CREATED
        assert second.phones["account"].tolist() == [f"test_{at:03d}" for at in (*range(1, 51), 53, 51, 52)]


def test_what_the_console_did_survives() -> None:
    """A deleted group stays deleted, an edited phone edited."""
    with Sandbox(file=FILE) as first, Client(first.account) as client:
        client.create_phones(group("sales", "desk"))
        client.create_phones(group("more", "line", 1))
        first.delete_group(APP, "sales")
        first.edit_phone(APP, "line-1", displayNum="7777777")
    with Sandbox(file=FILE) as second, Client(second.account) as client:
        assert second.phones[["groupName", "displayNum"]].to_numpy().tolist() == [["more", "7777777"]]
        assert client.create_phones(group("sales", "desk")).state is State.CREATED


def test_the_same_sandbox_can_be_stopped_and_started() -> None:
    """It lets go of its file meanwhile, and takes what another has added."""
    box = Sandbox(file=FILE)
    with box, Client(box.account) as client:
        client.create_phones(group("sales", "desk"))
    with Sandbox(file=FILE) as other, Client(other.account) as client:
        client.create_phones(group("more", "line"))
    with box, Client(box.account) as client:
        assert len(client.list_phones(APP)) == 6


def test_a_file_of_before_gets_new_keys() -> None:
    """Its accounts had keys like live ones: phones, secrets and what has happened since stay; opened again, nothing."""
    with Sandbox(file=FILE) as first, Client(first.account) as client:
        other = first.add_account()
        client.create_phones(group("sales", "desk", 3))
        first.edit_phone(APP, "desk-1", displayNum="7777777")
    journal = sqlite3.connect(FILE)
    with journal:
        journal.execute("UPDATE entries SET entry = replace(entry, 'sandbox-', '')")
    journal.close()
    for _ in range(2):
        with Sandbox(file=FILE) as second, Client(second.account) as client:
            assert second.accounts[1].api_secret == other.api_secret
            assert [one.api_key for one in second.accounts] == [first.account.api_key, other.api_key]
            assert second.phones.equals(first.phones)
            assert client.create_phones(group("sales", "other")).status == "-20"
            second.delete_group(APP, "sales")
            assert client.create_phones(group("sales", "desk", 3)).state is State.CREATED
            second.edit_phone(APP, "desk-1", displayNum="7777777")
            first = second


def test_its_file_is_for_one_at_once() -> None:
    """Each of two would overlook what the other creates. Its owner alone reads it: it holds passwords."""
    before = os.umask(0)
    try:
        box = Sandbox(file=FILE)
    finally:
        os.umask(before)
    assert FILE.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match=r"another sandbox uses it.*choose another"):
        Sandbox(file=FILE)
    box.stop()  # one that never ran lets go of its file too, and adds nothing more
    with pytest.raises(ValueError, match=r"start\(\) it first"):
        box.add_account()
    with Sandbox(file=FILE):
        pass


def test_a_file_that_others_can_read_is_tightened() -> None:
    """And said; what is in it stays."""
    Sandbox(file=FILE).stop()
    FILE.chmod(0o644)
    with pytest.warns(UserWarning, match="Others could read or write .*, and cannot any more"):
        Sandbox(file=FILE).stop()
    assert FILE.stat().st_mode & 0o777 == 0o600


def test_files_of_something_else_are_left_alone(tmp_path: Path) -> None:
    """A spreadsheet, a ledger, another database, a folder: refused in words, not touched."""
    Path("text.csv").write_text("groupName,phoneName\n" * 100)
    with sqlite3.connect("other.sqlite") as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    Ledger("ledger.sqlite").close()
    for name in ("text.csv", "other.sqlite", "ledger.sqlite"):
        before = Path(name).read_bytes()
        with pytest.raises(ValueError, match=f"The sandbox's file {name} cannot be used .*choose another"):
            Sandbox(file=name)
        assert Path(name).read_bytes() == before
    for path in (tmp_path, tmp_path / "no" / "folder.sqlite"):
        with pytest.raises(ValueError, match=r"cannot be used"):
            Sandbox(file=path)


def test_a_key_that_no_account_has_is_not_kept() -> None:
    """It would be refused for ever."""
    with pytest.raises(AccountError):
        Sandbox(file=FILE, api_key="bad ")
    with Sandbox(file=FILE) as box:
        with pytest.raises(AccountError):
            box.add_account("bad ")
        assert len(box.accounts) == 1
