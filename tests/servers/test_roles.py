"""The package as an operator and as an auditor of one ledger, and at a standby: what each may do, and is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

from itnio_nb import (
    Client,
    Ledger,
    LedgerError,
    Sandbox,
    Workspace,
    make_plan,
    reconcile,
    reset_passwords,
    resume,
    submit_plan,
)
from itnio_nb.sandbox.faults import Faults
from tests.support.cluster import Cluster, new_folder
from tests.support.factories import ROOT, many_orders, sent, until
from tests.support.ledgers import NOBODY, claim, open_run
from tests.support.team import Team, team_ledger


@pytest.fixture(scope="module")
def team(cluster: Cluster) -> Team:
    return team_ledger(cluster)


@pytest.fixture(scope="module")
def standby(team: Team) -> Iterator[Cluster]:
    """A server that follows the team's, and can be read."""
    with new_folder() as folder:
        copy = team.cluster.copy(folder)
        copy.start()
        try:
            yield copy
        finally:
            copy.stop()


def new_orders(number: int) -> pd.DataFrame:
    """Orders that no other test of this file has: they share a ledger."""
    new_orders.made += 1  # type: ignore[attr-defined] # of this function alone
    return many_orders(number).assign(
        groupName=[f"group-{new_orders.made}-{at}" for at in range(number)],  # type: ignore[attr-defined] # likewise
        phoneName=[f"phone-{new_orders.made}-{at}" for at in range(number)],  # type: ignore[attr-defined] # likewise
    )


new_orders.made = 0  # type: ignore[attr-defined] # see there


def test_an_operator_submits_resumes_and_reconciles(team: Team, sandbox: Sandbox, client: Client) -> None:
    """Through unknown outcomes, a run that was stopped in the middle, and a reset of passwords."""
    with Ledger(team.operator) as ledger:
        sandbox.faults = Faults.parse("429,500-after*2,drop-before*2")
        run = submit_plan(make_plan(new_orders(8), client, ledger), client, ledger).wait()
        assert run.counts["created"] == 8, run.table
        submit_plan(make_plan(new_orders(40), client, ledger), client, ledger, workers=1).stop()
        again = resume(client, ledger).wait()
        assert len(again.table) in (0, 40)  # none where the run was done before it could stop
        assert (reconcile(client, ledger)["advice"] == "").all()
        reset = reset_passwords(client, ledger, sandbox.app_id, run.table).wait()
        assert reset.counts["reset"] == 24
        resolved_by_the_next_who_opens(ledger, client)
    with Ledger(team.operator) as ledger:
        assert ledger.table_for(client.account)["state"].value_counts()["unknown"] == 1


def resolved_by_the_next_who_opens(ledger: Ledger, client: Client) -> None:
    """A claim of somebody who is gone."""
    plan = make_plan(new_orders(3))
    table = plan.table.assign(again_after=pd.Series([None] * 3, dtype=object))
    run_id = ledger.run_store.open_run(client.account, plan.fingerprint, table, "{}", NOBODY)
    assert claim(ledger, run_id, 1)


def test_an_auditor_reads_what_is_there_and_opening_it_writes_nothing(
    team: Team, sandbox: Sandbox, client: Client
) -> None:
    """Tables, history, runs, charts; a claim of somebody who is gone stays what it is until somebody may write."""
    with Ledger(team.operator) as ledger:
        submit_plan(make_plan(new_orders(3), client, ledger), client, ledger).wait()
        resolved_by_the_next_who_opens(ledger, client)
        kept = team.cluster.sql("SELECT count(*), max(id) FROM receipts", "phones")
        with Ledger(team.auditor) as audit:
            assert {len(table.columns) > 5 for table in (audit.table, audit.runs, audit.resets)} == {True}
            assert len(audit.history) == kept[0][0]
            assert audit.table_for(client.account)["state"].tolist() == [*["created"] * 3, "sending"]
            assert "3 created" in str(audit.charts(client.account))
            assert audit.entries(client.account)
            assert audit.run_control.working_runs() == set()
        assert team.cluster.sql("SELECT count(*), max(id) FROM receipts", "phones") == kept
        assert len(ledger.history) == kept[0][0] + 1  # which an operator who reads has resolved


def test_what_an_auditor_would_send_is_refused_before_anything_is_sent(
    team: Team, sandbox: Sandbox, client: Client
) -> None:
    """A submit, a resume, a join, a reset of passwords: in words, with the role."""
    with Ledger(team.operator) as ledger:
        run = submit_plan(make_plan(new_orders(3), client, ledger), client, ledger).wait()
        ledger.run_store.open_run(
            client.account, "unfinished", make_plan(new_orders(2)).table.assign(again_after=None), "{}", NOBODY
        )
        made = run.table
    before = sent(sandbox)
    with Ledger(team.auditor) as audit:
        plan = make_plan(new_orders(2), None, audit)
        tries: list[Callable[[], object]] = [
            lambda: submit_plan(plan, client, audit),
            lambda: resume(client, audit),
            lambda: reset_passwords(client, audit, sandbox.app_id, made),
            lambda: open_run(audit),
            audit.run_control.new_owner,
            lambda: audit.run_control.stop(1),
            lambda: audit.run_store.sync(1, NOBODY, turns=1),
        ]
        for attempt in tries:
            with pytest.raises(LedgerError, match="can only be read here: the role audrey may only read it"):
                attempt()
        assert sent(sandbox) == before
        assert submit_plan(plan, client, audit, apply=False).counts["planned"] == 2
    assert team.cluster.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_what_is_unknown_stays_so_where_an_auditor_compares(team: Team, sandbox: Sandbox, client: Client) -> None:
    """The report says why, and how many phones there are; an operator's comparison settles it."""
    with Ledger(team.operator) as ledger:
        resolved_by_the_next_who_opens(ledger, client)
    Ledger(team.operator).close()
    with Ledger(team.auditor) as audit:
        report = reconcile(client, audit)
        [found] = report[report["before"] == "unknown"].to_dict("records")
        assert (found["after"], found["found"]) == ("unknown", 0)
        assert "this ledger can only be read here" in found["advice"]
    with Ledger(team.operator) as ledger:
        report = reconcile(client, ledger)
    assert report[report["before"] == "unknown"]["after"].tolist() == ["planned"]


def test_the_audit_notebook_and_the_review_form_work_for_an_auditor(team: Team, client: Client) -> None:
    """Each line of the notebook, but for the one that opens the workspace."""
    with Ledger(team.operator) as ledger:
        submit_plan(make_plan(new_orders(3), client, ledger), client, ledger).wait()
    audit_as(team.auditor, client)


def audit_as(address: str, client: Client) -> None:
    """Execute the audit notebook's lines on a ledger, and open the review form on it."""
    cells = json.loads((ROOT / "notebooks" / "06-audit.ipynb").read_text())["cells"]
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    workspace = Workspace(client, Ledger(address))
    form = workspace.review_form()
    form.tasks.join()
    assert "3 groups" in form.size.value
    names: dict[str, Any] = {"ws": workspace}
    exec("from itnio_nb import runbook_outcome", names)
    for code in codes[1:]:
        exec(code, names)
    assert set(names["report"]["after"]) == {"created"}


def test_a_standby_is_read_and_refuses_to_send(team: Team, standby: Cluster, sandbox: Sandbox, client: Client) -> None:
    """Also as an operator, who may write where the ledger is written; what is created there is seen here."""
    with Ledger(team.operator) as ledger:
        submit_plan(make_plan(new_orders(3), client, ledger), client, ledger).wait()
        newest = len(ledger.history)
    for name in ("anna", "audrey"):
        with Ledger(standby.url(name, "phones")) as copy:
            until(lambda copy=copy: len(copy.history) == newest)  # type: ignore[misc] # no generic lambdas
            before = sent(sandbox)
            with pytest.raises(LedgerError, match="this server is a standby"):
                submit_plan(make_plan(new_orders(1), client, copy), client, copy)
            assert sent(sandbox) == before
    audit_as(standby.url("audrey", "phones"), client)


def test_a_role_that_is_given_the_right_while_the_ledger_is_open_may_write(
    team: Team, sandbox: Sandbox, client: Client
) -> None:
    """What an auditor is refused is looked at anew each time."""
    team.cluster.sql("CREATE ROLE clara LOGIN IN ROLE itnio_auditor")
    with Ledger(team.cluster.url("clara", "phones")) as ledger:
        plan = make_plan(new_orders(2), client, ledger)
        with pytest.raises(LedgerError, match="may only read"):
            submit_plan(plan, client, ledger)
        team.cluster.sql("GRANT itnio_operator TO clara")
        assert submit_plan(plan, client, ledger).wait().counts["created"] == 2
        assert not ledger.database.is_read_only


def test_a_login_that_is_set_to_read_only_is_told_so(team: Team, client: Client) -> None:
    """By the role's settings, where the rights would allow more."""
    team.cluster.sql("DROP ROLE IF EXISTS quiet; CREATE ROLE quiet LOGIN IN ROLE itnio_operator")
    team.cluster.sql("ALTER ROLE quiet SET default_transaction_read_only = on")
    with Ledger(team.cluster.url("quiet", "phones")) as ledger:
        assert len(ledger.table.columns) > 5
        with pytest.raises(LedgerError, match="set to be read only"):
            submit_plan(make_plan(new_orders(1), client, ledger), client, ledger)
