"""A server that goes away while runs are at work: nothing is sent meanwhile, and what was learnt is recorded first."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from itnio_nb import Client, Ledger, Sandbox, State, make_plan, reset_passwords, resume, submit_plan
from itnio_nb.errors import LostLedgerError
from itnio_nb.runs.run import Run
from tests.support.cluster import Cluster, running
from tests.support.factories import APP, many_orders, until

END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'itnio-nb'"
END_OWNERS = f"""{END_SESSIONS} AND pid IN (
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1)"""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with running() as made:
        yield made


@pytest.fixture
def ledger(cluster: Cluster) -> Iterator[Ledger]:
    with Ledger(cluster.url()) as opened:
        yield opened


FULL = """
    CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER no_room BEFORE INSERT ON {table} EXECUTE FUNCTION is_full()
"""
REFUSALS = {
    "no room for receipts": (FULL.format(table="receipts"), "DROP FUNCTION is_full CASCADE"),
    "no room for claims": (FULL.format(table="claims"), "DROP FUNCTION is_full CASCADE"),
    "read-only": (
        "ALTER SYSTEM SET default_transaction_read_only = on",
        "ALTER SYSTEM RESET default_transaction_read_only",
    ),
}


def begin(client: Client, ledger: Ledger, groups: int) -> Run:
    """Begin a run, and wait until something is created."""
    run = submit_plan(make_plan(many_orders(groups), client, ledger), client, ledger, workers=4)
    until(lambda: run.counts["created"] > 4)
    return run


def asked(sandbox: Sandbox) -> Counter[str]:
    """How often each group was asked for."""
    return Counter(one.group for one in sandbox.log if one.endpoint == "sipAdd")


def require_right(run: Run, sandbox: Sandbox, ledger: Ledger, groups: int) -> None:
    """Each group is created, was asked for once, and has one receipt of that."""
    assert run.counts == {"created": groups}
    assert set(asked(sandbox).values()) == {1}
    history = ledger.history
    assert history["groupName"][history["state"] == State.CREATED].is_unique
    assert len(sandbox.phones) == run.table["quantity"].astype(int).sum()


@pytest.mark.parametrize("ended", [END_SESSIONS, END_OWNERS], ids=["all sessions", "the owner's session"])
def test_sessions_that_are_ended_again_and_again(
    ended: str, cluster: Cluster, ledger: Ledger, sandbox: Sandbox
) -> None:
    """Each time the run records what came back, takes a new owner and goes on; no group is looked up."""
    sandbox.latency = 0.03
    with Client(sandbox.account) as client:
        run = begin(client, ledger, 150)
        for created in range(20, 120, 20):
            until(lambda created=created: run.counts["created"] > created)  # type: ignore[misc]
            cluster.sql(ended)
        run.wait(60)
        require_right(run, sandbox, ledger, 150)
    assert set(ledger.history["state"]) == {"created"}


def test_a_server_that_is_away_for_a_while(cluster: Cluster, ledger: Ledger, sandbox: Sandbox) -> None:
    """Nothing is sent until it answers again; then the run goes on by itself."""
    sandbox.latency = 0.02
    with Client(sandbox.account) as client:
        run = begin(client, ledger, 60)
        cluster.stop(signal.SIGQUIT)  # as where the machine loses power
        until(lambda: run._engine is not None and run._engine.activity == "Wait for the ledger")
        sent = len(sandbox.log)
        assert not run.join(2)
        assert (len(sandbox.log), run.done) == (sent, False)
        cluster.start()
        run.wait(60)
        require_right(run, sandbox, ledger, 60)


@pytest.mark.parametrize("name", REFUSALS)
def test_a_server_that_does_not_take_what_is_written(
    name: str, cluster: Cluster, ledger: Ledger, sandbox: Sandbox
) -> None:
    """It is full, or read-only: nothing is sent meanwhile, and what came back is recorded once it does."""
    refuse, accept = REFUSALS[name]
    sandbox.latency = 0.5
    with Client(sandbox.account) as client:
        run = begin(client, ledger, 60)
        cluster.sql(refuse)
        cluster.reload()
        sandbox.latency = 0.02
        until(lambda: run._engine is not None and run._engine.activity == "Wait for the ledger")
        sent = len(sandbox.log)
        assert not run.join(1)
        assert (len(sandbox.log), run.done) == (sent, False)
        cluster.sql(accept)
        cluster.reload()
        run.wait(60)
        require_right(run, sandbox, ledger, 60)
    assert set(ledger.history["state"]) == {"created"}


def test_stop_while_it_is_away(cluster: Cluster, ledger: Ledger, sandbox: Sandbox) -> None:
    """It ends, and says why; what came back and could not be recorded is looked up by whoever goes on."""
    sandbox.latency = 0.02
    with Client(sandbox.account, timeout=(1, 2)) as client:
        run = begin(client, ledger, 60)
        cluster.stop(signal.SIGQUIT)
        until(lambda: run._engine is not None and run._engine.activity == "Wait for the ledger")
        run.stop()
        with pytest.raises(LostLedgerError, match="does not answer"):
            run.wait(30)
        cluster.start()
        assert resume(client, ledger).wait(120).counts == {"created": 60}
    assert set(asked(sandbox).values()) == {1}


def test_stop_that_was_pressed_elsewhere_meanwhile(cluster: Cluster, ledger: Ledger, sandbox: Sandbox) -> None:
    """Who was cut off stops when it is back, though others have taken it for dead."""
    sandbox.latency = 0.05
    with Client(sandbox.account) as client, Ledger(cluster.url()) as elsewhere:
        run = begin(client, ledger, 200)
        elsewhere.run_control.stop(run.number)
        cluster.sql(END_SESSIONS)
        elsewhere.run_control.expire_claims()
        run.wait(60)
        assert run.summary.startswith("Stopped.")
        assert run.counts["planned"] > 0
    assert set(asked(sandbox).values()) == {1}


def test_absence_is_believed_once_no_request_of_a_lost_machine_can_be_under_way(
    cluster: Cluster, ledger: Ledger, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its session is gone, and its request still arrives: who looks meanwhile waits, and finds it."""
    with Client(sandbox.account, timeout=(1, 3)) as client:
        sandbox.latency = 3.0  # the answer; the sandbox creates before that
        run = submit_plan(make_plan(many_orders(1), client, ledger), client, ledger, workers=1)
        until(lambda: any(one.endpoint == "sipAdd" for one in sandbox.log) or bool(len(ledger.table)))
        with Ledger(cluster.url()) as elsewhere:
            cluster.sql(END_OWNERS)
            until(lambda: elsewhere.table["state"].tolist() == ["unknown"])
            ends = elsewhere.table_for(client.account)["ended_by"].iloc[0]
            assert ends > 0
        run.wait(60)
    assert set(asked(sandbox).values()) == {1}


def test_a_reset_whose_session_is_ended_sends_nothing_more(cluster: Cluster, ledger: Ledger, sandbox: Sandbox) -> None:
    """Others may take it for dead. What was sent is recorded; asked for again, it goes on with the rest."""
    with Client(sandbox.account) as client:
        run = submit_plan(make_plan(many_orders(20), client, ledger), client, ledger).wait()
        sandbox.latency = 0.2
        reset = reset_passwords(client, ledger, APP, run.table, workers=2)
        until(lambda: reset.counts["reset"] > 2)
        cluster.sql(END_OWNERS)
        with pytest.raises(LostLedgerError, match="does not answer"):
            reset.wait(30)
        done = dict(reset.counts)
        sandbox.latency = 0
        again = reset_passwords(client, ledger, APP, run.table).wait()
    assert 2 < done["reset"] < 60
    assert set(again.table["state"]) == {"reset"}
    sent = Counter(one.group for one in sandbox.log if one.endpoint == "sipReset")
    assert sent.total() == 60
