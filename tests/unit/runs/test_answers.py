"""What a run makes of answers beyond the document, of taken names, and of groups that a server writes otherwise."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import (
    Client,
    InputError,
    Ledger,
    Run,
    Sandbox,
    State,
    export_credentials,
    make_plan,
    reconcile,
    resume,
    submit_plan,
)
from tests.support.agreement import creations
from tests.support.factories import APP, many_orders

WORKERS = 4


def the_row(run: Run) -> list[str]:
    """State, status and reason of a run of one group."""
    [row] = run.table[["state", "status", "reason"]].astype(str).to_numpy().tolist()
    return list(row)


@pytest.mark.parametrize("number", [-10, -21, -32, -36, -99])
def test_a_status_beyond_the_document_that_created_all_the_same(
    sandbox: Sandbox, client: Client, ledger: Ledger, number: int
) -> None:
    """Looking shows it: created, and what the server said stays beside it."""
    sandbox.faults = f"{number}-after"
    run = submit_plan(make_plan(many_orders(1), client, ledger), client, ledger).wait(60)
    state, status, reason = the_row(run)
    assert (state, status) == (State.CREATED, str(number))
    assert reason.startswith(f"found in the account, as asked; the server answered {number}: ")
    assert creations(sandbox) == {"group-0": 1}


def test_what_dooms_the_rest_is_met_a_few_times_only(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """40 groups and an account without balance: no more requests than were under way. After topping up it goes on."""
    sandbox.faults = "-10-before*400"
    run = submit_plan(make_plan(many_orders(40), client, ledger), client, ledger, workers=WORKERS).wait(60)
    assert sandbox.served["sipAdd", "-10"] <= 2 * WORKERS
    assert run.counts["refused"] + run.counts["planned"] == 40
    assert "(status -10, Balance insufficient): Top the account up, then submit again." in run.summary
    sandbox.faults = None
    assert resume(client, ledger).wait(60).counts == {"created": 40}


def test_a_server_that_asks_for_fewer_requests_is_asked_for_fewer(
    sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """-15: half the pace from then on, and the group is not sent, since it may have been created: looked up first."""
    sandbox.faults = "none*9,-15-before"
    run = submit_plan(make_plan(many_orders(30), client, ledger), client, ledger, workers=1, rate=100).wait(60)
    assert run.counts == {"created": 29, "planned": 1}
    times = [one.at for one in sandbox.log if one.endpoint == "sipAdd"]
    assert (times[-1] - times[11]) / 18 > 1.8 * 0.01  # twice the 10 ms that were asked for
    assert re.search(r"It slowed down to a request every 0\.0[2-9]\d* s", run.summary)
    assert resume(client, ledger).wait(60).counts == {"created": 30}


def test_a_name_that_the_server_takes_for_another_is_explained(
    sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """It ignores case: the clash is named in the plan, and in the run."""
    sandbox.ignores_case = True
    submit_plan(make_plan(many_orders(1), client, ledger), client, ledger).wait()
    clash = make_plan(many_orders(1).assign(groupName="GROUP-0", phoneName="new-name"), client, ledger)
    assert clash.table["why"].tolist() == [
        "may be refused: the account has group group-0, whose name differs in case alone"
    ]
    run = submit_plan(clash, client, ledger).wait()
    state, status, reason = the_row(run)
    assert (state, status) == (State.REFUSED, "-20")
    assert reason == "the group name is taken by group-0, which differs in case"
    assert "unknown" not in run.counts


def test_a_taken_name_that_no_listing_shows_is_refused(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """-20 says that nothing was created: after two listings there is nothing left to find out."""
    sandbox.faults = "-20-before"
    run = submit_plan(make_plan(many_orders(3), client, ledger), client, ledger, workers=1).wait()
    assert run.counts == {"created": 2, "refused": 1}
    assert "two listings show neither the group nor the phone name" in run.table["reason"].iloc[0]
    with pytest.raises(InputError):
        resume(client, ledger, run=run.name)  # it is finished


WRITINGS = {
    "underscore, no 0 in front": (lambda name, at: f"{name}_{at}", lambda number: number.lstrip("0")),
    "padded, plus": (lambda name, at: f"{name}-{at:03}", lambda number: f"+{number}"),
    "no separator, grouped": (lambda name, at: f"{name}{at}", lambda number: f"{number[:4]} {number[4:]}"),
    "capitals, country code": (lambda name, at: f"{name.upper()}-{at}", lambda number: f"+86{number[1:]}"),
}


@pytest.mark.parametrize(("name", "number"), WRITINGS.values(), ids=WRITINGS)
@pytest.mark.parametrize("lost", ["drop-after=0.5", "drop-after=1"])
def test_lost_answers_are_found_however_the_server_writes(
    sandbox: Sandbox, client: Client, ledger: Ledger, tmp_path: Path, name: object, number: object, lost: str
) -> None:
    """All created, all verified, all handed over; no advice that would make phones twice."""
    sandbox.writes_name, sandbox.writes_number = name, number  # type: ignore[assignment] # from a table
    sandbox.faults = lost
    orders = many_orders(20).assign(displayNum="0861000000")
    plan = make_plan(orders, client, ledger)
    run = submit_plan(plan, client, ledger).wait(60)
    assert run.counts == {"created": 20}
    assert "Verified: 60 of 60 phones." in run.summary
    assert not run.table["advice"].str.contains("another").any()
    assert creations(sandbox) == {f"group-{at}": 1 for at in range(20)}
    again = make_plan(orders, client, ledger)
    assert set(again.table["action"]) == {"exists"}
    assert not again.table["why"].str.contains("phone name").any()
    path = export_credentials(client, APP, run.table, tmp_path / "phones.xlsx")
    assert len(pd.read_excel(path, engine="calamine")) == 60
    report = reconcile(client, ledger)
    assert not report["advice"].str.contains("another|deleted", regex=True).any()
