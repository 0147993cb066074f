"""The ledger: intent before sending, receipts only added, one sender for each group."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from itnio_nb import Account, Ledger, LedgerError, State
from itnio_nb.api.models import Receipt, now
from itnio_nb.ledger.claims import Resolution
from itnio_nb.orders.export import orders_to_json
from itnio_nb.runs.plan import make_plan
from tests.support.factories import APP, many_orders

ACCOUNT = Account("key", "secret", "http://127.0.0.1:1/voice")
TABLE = "groupName phoneName quantity displayNum appId state status reason made run"


def open_run(ledger: Ledger, number: int = 3, account: Account = ACCOUNT, again_after: int | None = None) -> int:
    plan = make_plan(many_orders(number))
    groups = plan.table.assign(again_after=pd.Series([again_after] * number, dtype=object))
    return ledger.run_store.open_run(account, plan.fingerprint, groups, orders_to_json(plan.orders, plan.findings))


NOBODY = "an owner that is gone"


def claim(ledger: Ledger, run_id: int, position: int, owner: str = NOBODY) -> bool:
    """Claim a group as one who has just looked."""
    newest = int(ledger.run_store.run_table(run_id)["newest"].iloc[position])
    return ledger.run_store.sync(run_id, owner, wanted=[(position, newest)]).claimed == [position]


def record(ledger: Ledger, run_id: int, position: int, learnt: Receipt, owner: str = NOBODY) -> None:
    ledger.run_store.sync(run_id, owner, outcomes=[(position, learnt)])


def receipt(state: State, status: str = "", reason: str = "", advice: str = "") -> Receipt:
    return Receipt(state, status, reason, advice, now())


def test_an_empty_ledger_has_its_columns(ledger: Ledger) -> None:
    """Tables without rows are tables."""
    assert " ".join(ledger.table.columns) == TABLE
    assert " ".join(ledger.history.columns) == "at run appId groupName state status reason advice"
    assert " ".join(ledger.runs.columns) == "run started finished groups phones account note"
    assert ledger.table.empty
    assert ledger.entries(ACCOUNT) == {}


def test_what_was_learnt_is_there_after_reopening(ledger: Ledger) -> None:
    """Each receipt in order; the state is the newest; a group that was never sent is not in the table."""
    run_id, owner = open_run(ledger), ledger.run_store.owner()
    assert claim(ledger, run_id, 0, owner.token)
    record(ledger, run_id, 0, receipt(State.CREATED, "0", "success", "Nothing to do."), owner.token)
    assert claim(ledger, run_id, 1, owner.token)
    ledger.close()
    with Ledger(ledger.path) as again:
        assert again.history["state"].tolist() == ["created"]
        table = again.table
        assert table["groupName"].tolist() == ["group-0", "group-1"]
        assert table["state"].tolist() == ["created", "sending"]
        assert table["made"].iloc[0] == again.history["at"].iloc[0]
        assert table["made"].iloc[1] == ""
        assert set(table["run"]) == {again.run_store.run_info(run_id, "name")["name"]}
        assert again.entries(ACCOUNT)[APP, "group-0"].state is State.CREATED
    owner.release()


def test_what_an_owner_that_is_gone_had_claimed_is_unknown(ledger: Ledger) -> None:
    """As soon as anybody looks: it may have been sent. What it gave back is not."""
    run_id, owner, other = open_run(ledger, 4), ledger.run_store.owner(), ledger.run_store.owner()
    assert ledger.run_store.sync(run_id, owner.token, wanted=[(0, 0), (1, 0)]).claimed == [0, 1]
    assert ledger.run_store.sync(run_id, other.token, wanted=[(1, 0), (2, 0)]) == ([2], [1], [])
    ledger.run_store.sync(run_id, owner.token, returned=[0])
    assert ledger.table["state"].tolist() == ["sending", "sending"]
    owner.release()
    assert ledger.table["state"].tolist() == ["unknown", "sending"]
    assert ledger.table["reason"].iloc[0].startswith("what became of it was not recorded")
    assert claim(ledger, run_id, 0, other.token)
    assert not claim(ledger, run_id, 1, other.token)
    assert ledger.run_store.claim_owners(run_id) == {other.token}
    other.release()
    assert set(ledger.table["state"]) == {"unknown"}


def test_what_looking_told_counts_only_while_nothing_newer_is_known(ledger: Ledger) -> None:
    """A verdict is written unless a receipt or a claim came in between; absent reopens the run."""
    run_id = open_run(ledger)
    for position in range(3):
        record(ledger, run_id, position, receipt(State.UNKNOWN))
    ledger.run_store.close_run(run_id, finished=True, note="", verified=None)
    newest = ledger.run_store.run_table(run_id)["newest"].tolist()
    record(ledger, run_id, 1, receipt(State.CREATED, "0"))
    resolutions = [Resolution(newest[at], receipt(State.PLANNED)) for at in range(2)]
    assert ledger.run_store.write_resolutions(resolutions) == resolutions[:1]
    assert ledger.table["state"].tolist() == ["planned", "created", "unknown"]
    assert ledger.runs["finished"].tolist() == [""]
    assert list(ledger.runs_of(ACCOUNT, unfinished=True).values()) == [run_id]
    assert ledger.runs_of(Account("other", "secret"), unfinished=True) == {}


@pytest.mark.parametrize("state", [State.CREATED, State.PARTIAL, State.EXISTS, State.UNKNOWN])
def test_a_group_that_may_exist_is_not_claimed(ledger: Ledger, state: State) -> None:
    """By no run, this or a later one."""
    run_id = open_run(ledger)
    record(ledger, run_id, 0, receipt(state))
    assert not claim(ledger, run_id, 0)
    ledger.run_store.close_run(run_id, finished=True, note="", verified=None)
    assert not claim(ledger, open_run(ledger), 0)


@pytest.mark.parametrize("state", [State.PLANNED, State.REFUSED])
def test_a_group_that_certainly_does_not_exist_is_claimed_again(ledger: Ledger, state: State) -> None:
    """Refused, or never left: it may be sent again."""
    run_id = open_run(ledger)
    assert claim(ledger, run_id, 0)
    record(ledger, run_id, 0, receipt(state))
    assert claim(ledger, run_id, 0)


def test_making_again_is_possible_once(ledger: Ledger) -> None:
    """Only while the receipt that was known when it was planned is still the newest."""
    record(ledger, open_run(ledger), 0, receipt(State.CREATED))
    known = ledger.entries(ACCOUNT)[APP, "group-0"].receipt
    assert not claim(ledger, open_run(ledger, again_after=known - 1), 0)
    again, colleague = open_run(ledger, again_after=known), open_run(ledger, again_after=known)
    assert ledger.run_store.run_table(again)["before"].tolist() == ["", "", ""]
    assert claim(ledger, again, 0)
    record(ledger, again, 0, receipt(State.CREATED))
    assert not claim(ledger, again, 0)
    assert not claim(ledger, colleague, 0)
    assert ledger.run_store.run_table(colleague)["before"].tolist() == ["created", "", ""]


def test_another_account_is_another_world(ledger: Ledger) -> None:
    """The key of a group is base address, API key, application, group name."""
    record(ledger, open_run(ledger), 0, receipt(State.CREATED))
    for other in (Account("other", "secret", ACCOUNT.base_url), Account("key", "secret", "http://127.0.0.1:2/voice")):
        assert ledger.entries(other) == {}
        assert claim(ledger, open_run(ledger, account=other), 0)
    assert len(ledger.table) == 3


def test_of_many_threads_one_claims(ledger: Ledger) -> None:
    """16 threads, one group: one True."""
    run_id = open_run(ledger)
    start = threading.Barrier(16)
    claimed = []

    def claim_it() -> None:
        start.wait()
        claimed.append(bool(ledger.run_store.sync(run_id, NOBODY, wanted=[(0, 0)]).claimed))

    threads = [threading.Thread(target=claim_it) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == [False] * 15 + [True]


def _claim_all(path: Path, run_id: int, number: int, results: multiprocessing.Queue[list[int]]) -> None:
    with Ledger(path) as ledger:
        owner = ledger.run_store.owner()
        chunks = [[(at, 0) for at in range(first, min(first + 7, number))] for first in range(0, number, 7)]
        results.put([at for chunk in chunks for at in ledger.run_store.sync(run_id, owner.token, wanted=chunk).claimed])


@pytest.mark.slow
def test_of_many_processes_one_claims(ledger: Ledger) -> None:
    """Three processes over one file: each group is claimed exactly once."""
    run_id = open_run(ledger, 60)
    spawning = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[int]] = spawning.Queue()
    processes = [spawning.Process(target=_claim_all, args=(ledger.path, run_id, 60, results)) for _ in range(3)]
    for process in processes:
        process.start()
    claimed = [position for _ in processes for position in results.get(timeout=60)]
    for process in processes:
        process.join()
    assert sorted(claimed) == list(range(60))


def test_runs_of_one_second_have_names_of_their_own(ledger: Ledger) -> None:
    """The name begins the names of files."""
    ids = [open_run(ledger, account=Account(f"key{at}", "secret")) for at in range(4)]
    names = [ledger.run_store.run_info(run_id, "name")["name"] for run_id in ids]
    assert len(set(names)) == 4
    assert all(name.replace("-", "").isalnum() for name in names)
    assert ledger.runs["groups"].tolist() == [3] * 4
    assert ledger.runs["phones"].tolist() == [9] * 4


def test_an_unfinished_run_is_joined(ledger: Ledger) -> None:
    """By exactly what it was asked for, until it is finished; another account has runs of its own."""
    run_id = open_run(ledger)
    assert open_run(ledger) == run_id
    assert open_run(ledger, account=Account("other", "secret")) != run_id
    ledger.run_store.close_run(run_id, finished=False, note="stopped", verified=None)
    assert open_run(ledger) == run_id
    assert ledger.run_store.run_info(run_id, "note")["note"] == "stopped"
    ledger.run_store.close_run(run_id, finished=True, note="", verified=9)
    assert open_run(ledger) != run_id


def test_a_run_that_was_asked_for_something_else_takes_its_place(ledger: Ledger) -> None:
    """The same groups with other actions or orders: what was confirmed last counts, the old run ends."""
    plan = make_plan(many_orders(3))
    groups = plan.table.assign(again_after=None)
    old = open_run(ledger)
    other_actions = ledger.run_store.open_run(
        ACCOUNT, plan.fingerprint, groups.assign(action="exists"), orders_to_json(plan.orders, plan.findings)
    )
    other_orders = ledger.run_store.open_run(
        ACCOUNT, plan.fingerprint, groups, orders_to_json(plan.orders, plan.findings).replace("table", "file")
    )
    assert len({old, other_actions, other_orders}) == 3
    assert ledger.runs["finished"].ne("").tolist() == [True, True, False]
    assert ledger.runs["note"].iloc[0] == f"Run {ledger.runs['run'].iloc[1]} took its place."


def test_what_was_learnt_meanwhile_prevents_a_claim(ledger: Ledger) -> None:
    """Another process of the same run was refused: this one does not send the group again."""
    run_id = open_run(ledger)
    assert ledger.run_store.sync(run_id, NOBODY, wanted=[(0, 0)]).claimed
    record(ledger, run_id, 0, receipt(State.REFUSED, "-22"))
    assert not ledger.run_store.sync(run_id, NOBODY, wanted=[(0, 0)]).claimed
    assert claim(ledger, run_id, 0)


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


def test_the_work_for_a_runs_table_grows_as_its_groups(ledger: Ledger) -> None:
    """Counted in SQLite's own steps, with a receipt for each group: 8 times the groups, about 8 times the work."""
    steps = [0]

    def step() -> int:
        steps[0] += 1
        return 0

    def watch(connection: sa.Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(step, 100)

    sa.event.listen(ledger.run_store.database.engine, "begin", watch)
    work = []
    for number in (500, 4000):
        run_id = open_run(ledger, number, Account(f"key{number}", "secret", ACCOUNT.base_url))
        rows = f"SELECT group_id, run_id, position, 'created', '', '', '', '' FROM run_groups WHERE run_id = {run_id}"
        with ledger.run_store.database.transaction(write=True) as connection:
            columns = "group_id, run_id, position, state, status, reason, advice, at"
            connection.exec_driver_sql(f"INSERT INTO receipts ({columns}) {rows}")
        steps[0] = 0
        assert len(ledger.run_store.run_table(run_id)) == number
        work.append(steps[0])
    assert 0 < work[1] < 12 * work[0]


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
    with Ledger(f"sqlite:///{tmp_path / 'by # url %20.sqlite'}") as by_url:
        assert by_url.path.exists()


def test_what_is_no_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Not a database, another program's database, a newer ledger: a clear error, the bytes untouched."""
    text = tmp_path / "notes.txt"
    text.write_text("my notes " * 100)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    newer = tmp_path / "newer.sqlite"
    Ledger(newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE itnio_ledger SET schema = 99")
    connection.close()
    for path, words in ((text, "not a database"), (other, "not a ledger"), (newer, "newer itnio-nb")):
        before = path.read_bytes()
        with pytest.raises(LedgerError, match=words):
            Ledger(path)
        assert path.read_bytes() == before


def test_places_where_no_ledger_can_be(tmp_path: Path) -> None:
    """A folder, a file as a folder, another database server: what to do is said."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "file" / "ledger.sqlite", "postgresql://host/book", ":memory:", "sqlite://"):
        with pytest.raises(LedgerError, match=r"Ledger\(path\)|give a path"):
            Ledger(place)


def test_what_names_no_file_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No traceback; `~` is the home folder."""
    for wrong in (5, "nul\0byte"):
        with pytest.raises(LedgerError, match="path"):
            Ledger(wrong)  # type: ignore[arg-type] # what a user may do
    monkeypatch.setenv("HOME", str(tmp_path))
    with Ledger("~/book.sqlite") as ledger:
        assert ledger.path == tmp_path / "book.sqlite"


def test_a_ledger_that_fails_says_so(ledger: Ledger) -> None:
    """A database error is a LedgerError with the file's name."""
    ledger.close()
    os.truncate(ledger.path, 100)
    with pytest.raises(LedgerError, match=ledger.path.name):
        _ = ledger.table


def test_a_damaged_ledger_is_said_and_left_alone(ledger: Ledger) -> None:
    """Garbage in its middle: no traceback, nothing overwritten, whatever is asked of it."""
    open_run(ledger, 300)
    ledger.close()
    content = bytearray(ledger.path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    ledger.path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"malformed.*restore an earlier copy"):
        Ledger(ledger.path)
    assert ledger.path.read_bytes() == content


def test_no_secret_is_in_the_file(ledger: Ledger) -> None:
    """The key is, since it tells accounts apart; the secret is nowhere in any of its files."""
    open_run(ledger, account=Account("the-key", "s3cr3t-canary", ACCOUNT.base_url))
    content = b"".join(path.read_bytes() for path in ledger.path.parent.glob(ledger.path.name + "*"))
    assert b"the-key" in content
    assert b"s3cr3t-canary" not in content


def test_the_intent_is_on_disk_before_claim_returns(ledger: Ledger) -> None:
    """Another connection sees it at once; the file is written through (synchronous=FULL, WAL)."""
    run_id = open_run(ledger)
    claim(ledger, run_id, 0)
    with sqlite3.connect(ledger.path) as other:
        assert other.execute("SELECT position, owner FROM claims").fetchall() == [(0, NOBODY)]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    with ledger.run_store.database.transaction() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_run_table_keeps_the_order_of_the_plan(ledger: Ledger) -> None:
    """With the newest receipt of this run, and what was known elsewhere."""
    first = open_run(ledger)
    record(ledger, first, 1, receipt(State.CREATED, "0", "success"))
    ledger.run_store.close_run(first, finished=True, note="", verified=None)
    second = open_run(ledger)
    table = ledger.run_store.run_table(second)
    assert table["groupName"].tolist() == ["group-0", "group-1", "group-2"]
    assert table["state"].tolist() == ["", "", ""]
    assert table["before"].tolist() == ["", "created", ""]
    assert isinstance(table, pd.DataFrame)
