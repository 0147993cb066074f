"""Claims: of all who want a group one gets it, and only while it certainly does not exist."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from itnio_nb import Account, Ledger, State
from itnio_nb.ledger.claims import Resolution
from itnio_nb.ledger.database.address import open_database
from itnio_nb.runs.plan import make_plan
from tests.support.factories import APP, many_orders
from tests.support.ledgers import ACCOUNT, NOBODY, claim, close, open_run, receipt, record


def test_what_a_dead_owner_had_claimed_is_unknown(ledger: Ledger, ledger_place: str) -> None:
    """As soon as anybody reads: it may have been sent. What it gave back is not."""
    run_id, store = open_run(ledger, 4), ledger.run_store
    control = ledger.run_control
    owner, other = control.new_owner(), control.new_owner()
    assert store.sync(run_id, owner.token, wanted=[(0, 0), (1, 0)]).claimed == [0, 1]
    assert store.sync(run_id, other.token, wanted=[(1, 0), (2, 0)]) == ([2], [1], [], [])
    store.sync(run_id, owner.token, returned=[0])
    assert ledger.table["state"].tolist() == ["sending", "sending"]
    owner.release()
    assert ledger.table["state"].tolist() == ["unknown", "sending"]
    assert ledger.table["reason"].iloc[0].startswith("what became of it was not recorded")
    assert claim(ledger, run_id, 0, other.token)
    assert not claim(ledger, run_id, 1, other.token)
    assert control.claim_owners(run_id) == {other.token}
    other.release()
    with Ledger(ledger_place) as again:  # opening is reading
        assert set(again.run_store.run_table(run_id)["state"]) == {"unknown", ""}


def test_the_intent_is_on_disk_before_claiming_returns(ledger: Ledger, ledger_place: str) -> None:
    """Another connection sees it at once; the file is written through (synchronous=FULL, WAL), as is the server's."""
    claim(ledger, open_run(ledger), 0)
    other = open_database(ledger_place)
    with other.transaction() as connection:
        assert connection.exec_driver_sql("SELECT position, owner FROM claims").all() == [(0, NOBODY)]
    other.close()
    settings: dict[str, object] = {"SHOW synchronous_commit": "on"}
    if not ledger.is_shared:
        settings = {"PRAGMA journal_mode": "wal", "PRAGMA synchronous": 2}
    with ledger.database.transaction() as connection:
        assert {asked: connection.exec_driver_sql(asked).scalar() for asked in settings} == settings


def test_of_many_threads_one_claims(ledger: Ledger) -> None:
    """16 threads, one group: one True."""
    run_id = open_run(ledger)
    start = threading.Barrier(16)

    def claim_it(_: int) -> bool:
        start.wait()
        return bool(ledger.run_store.sync(run_id, NOBODY, wanted=[(0, 0)]).claimed)

    with ThreadPoolExecutor(16) as threads:
        assert sorted(threads.map(claim_it, range(16))) == [False] * 15 + [True]


def test_a_group_that_may_exist_is_not_claimed(ledger: Ledger) -> None:
    """By no run, this or a later one. What is planned or refused is, by one who knows; others have to read first."""
    run_id = open_run(ledger, len(State))
    for at, state in enumerate(State):
        record(ledger, run_id, at, state)
    claimable = [State.PLANNED, State.REFUSED]
    assert not ledger.run_store.sync(run_id, NOBODY, wanted=[(at, 0) for at in range(len(State))]).claimed
    assert [state for at, state in enumerate(State) if claim(ledger, run_id, at)] == claimable
    ledger.run_store.sync(run_id, NOBODY, returned=[list(State).index(state) for state in claimable])
    close(ledger, run_id)
    later = open_run(ledger, len(State))
    assert [state for at, state in enumerate(State) if claim(ledger, later, at)] == claimable


def test_making_again_is_possible_once(ledger: Ledger) -> None:
    """Only while the receipt that was known when it was planned is still the newest."""
    record(ledger, open_run(ledger), 0, State.CREATED)
    known = ledger.entries(ACCOUNT)[APP, "group-0"].receipt
    assert not claim(ledger, open_run(ledger, again_after=known - 1), 0)
    again, colleague = open_run(ledger, again_after=known), open_run(ledger, again_after=known, orders="[]")
    assert ledger.run_store.run_table(again)["before"].tolist() == ["", "", ""]
    assert claim(ledger, again, 0)
    record(ledger, again, 0, State.CREATED)
    assert not claim(ledger, again, 0)
    assert not claim(ledger, colleague, 0)
    assert ledger.run_store.run_table(colleague)["before"].tolist() == ["created", "", ""]


def test_a_resolution_counts_only_while_nothing_newer_is_known(ledger: Ledger) -> None:
    """It is written unless a receipt or a claim came in between; absent reopens the run."""
    run_id = open_run(ledger, 4)
    for position in range(4):
        record(ledger, run_id, position, State.UNKNOWN if position < 3 else State.REFUSED)
    close(ledger, run_id)
    newest = ledger.run_store.run_table(run_id)["newest"].tolist()
    record(ledger, run_id, 1, State.CREATED, "0")
    owner = ledger.run_control.new_owner()
    assert claim(ledger, run_id, 3, owner.token)
    resolutions = [Resolution(newest[at], receipt(State.PLANNED)) for at in (0, 1, 3)]
    assert ledger.run_store.write_resolutions(resolutions) == resolutions[:1]
    assert ledger.table["state"].tolist() == ["planned", "created", "unknown", "sending"]
    assert ledger.runs["finished"].tolist() == [""]
    assert list(ledger.runs_of(ACCOUNT, unfinished=True).values()) == [run_id]
    assert ledger.runs_of(Account("other", "secret"), unfinished=True) == {}
    owner.release()


def test_two_runs_of_the_same_groups_at_once(ledger: Ledger) -> None:
    """Each group is claimed once: who comes later, in whatever order, finds it held, and nobody fails."""
    mine = open_run(ledger, 200)
    store, others = ledger.run_store, many_orders(200)
    plan = make_plan(others.iloc[::-1])
    theirs = store.open_run(ACCOUNT, plan.fingerprint, plan.table.assign(again_after=None), "{}", "somebody")
    assert theirs != mine

    def claim_all(run_id: int) -> list[str]:
        names = store.run_table(run_id)["groupName"].tolist()
        got: list[str] = []
        for at in range(0, 200, 5):
            wanted = [(one, 0) for one in range(at, at + 5)]
            got += [names[one] for one in store.sync(run_id, f"owner of {run_id}", wanted=wanted).claimed]
        return got

    with ThreadPoolExecutor(2) as threads:
        ours, rest = threads.map(claim_all, (mine, theirs))
    assert not set(ours) & set(rest)
    assert len(ours) + len(rest) == 200
