"""A ledger page by page: all pages together are the table, and no page reads what is not on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Account, Ledger, State
from tests.support.ledgers import ACCOUNT, claim, open_run, record
from tests.support.postgres import new_database

OTHER = Account("another key", "secret", ACCOUNT.base_url)
STATES = [State.CREATED, State.REFUSED, State.UNKNOWN, State.PARTIAL, State.EXISTS]


@pytest.fixture(params=["file", "server"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """Two accounts with the same names, planned groups that were never sent, and one that is being sent."""
    context = new_database() if request.param == "server" else nullcontext(str(tmp_path / "filled.sqlite"))
    with context as address, Ledger(address) as ledger:
        owner = ledger.run_control.new_owner()
        for account in (ACCOUNT, OTHER):
            run = open_run(ledger, 12, account)
            for at, state in enumerate(STATES * 2):
                record(ledger, run, at, state, "0")
        assert claim(ledger, run, 10, owner.token)
        yield ledger
        owner.release()


@pytest.mark.parametrize("account", [None, ACCOUNT, OTHER], ids=str)
def test_pages_of_groups_are_the_table(filled: Ledger, account: Account | None) -> None:
    """The newest first, each once; the last page is empty."""
    parts, before = [], None
    while not (page := filled.pages.newest_groups(account, before=before, limit=4)).empty:
        parts.append(page)
        before = page["group"].iloc[-1]
    assert [len(part) for part in parts[:-1]] == [4] * (len(parts) - 1)
    whole = filled.table_for(account)
    pages = pd.concat(parts, ignore_index=True).iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(pages[list(whole.columns)], whole)
    assert filled.pages.counts(account) == whole["state"].value_counts().to_dict()
    assert filled.pages.applications(account) == ["4luaKsL2"]


def test_pages_of_receipts_are_the_history(filled: Ledger) -> None:
    """From the newest, and on from one that is known."""
    history, parts, since, before = filled.history, [], 0, None
    while not (page := filled.pages.history_after(since, limit=7)).empty:
        parts.append(page)
        since = int(page["receipt"].iloc[-1])
    forward = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(forward[list(history.columns)], history)
    assert filled.pages.newest_receipt() == since
    parts = []
    while not (page := filled.pages.newest_receipts(before=before, limit=7)).empty:
        parts.append(page)
        before = page["receipt"].iloc[-1]
    backward = pd.concat(parts, ignore_index=True).iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(backward, forward)


def test_entries_of_some_groups(filled: Ledger) -> None:
    """As those of all have them, whatever the names look like; what there is not has none."""
    every = filled.entries(OTHER)
    asked = [("4luaKsL2", name) for name in ("group-1", "group-10", "group-11", 'a "quoted" name', "x\\y", "日本", "")]
    asked += [("another", "group-1")]
    assert filled.entries(OTHER, asked) == {key: every[key] for key in asked[:2]}
    assert every[asked[1]].state is State.SENDING
    assert filled.entries(OTHER, iter(())) == {}
    assert filled.entries(OTHER, every) == every
    assert filled.entries(Account("third", "secret", ACCOUNT.base_url), every) == {}


def test_groups_since_a_receipt(filled: Ledger) -> None:
    """What was written after it, and what is being sent."""
    known = filled.pages.newest_receipt()
    record(filled, 2, 11, State.CREATED, "0")
    names = filled.pages.groups_since(OTHER, known)["groupName"].tolist()
    assert names == ["group-11", "group-10"]
    assert filled.pages.groups_since(ACCOUNT, known).empty
    assert len(filled.pages.groups_since(ACCOUNT, 0)) == 10
