"""A run as the ledger has it: the same as the run itself says, whoever asks, and without sending anything."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Client, Ledger, Sandbox, make_plan, submit_plan
from itnio_nb.api.models import PhoneGroup, Receipt
from itnio_nb.runs.run import RunRecord, newest_run
from tests.support.factories import APP, many_orders, orders_frame, until
from tests.unit.forms.test_base import SOME_HOSTILE
from tests.unit.forms.test_monitor import elsewhere, sent


def newest(client: Client, path: Path) -> RunRecord:
    """The newest run, as a process that has just begun would see it."""
    fresh = Ledger(path)
    record = newest_run(fresh, fresh.runs_of(client.account))
    assert record is not None
    return record


def test_a_record_says_what_the_run_says(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Name, counts, table, summary, and what it shows in a cell."""
    sandbox.app_ids = ["4luaKsL2"]
    orders = orders_frame(("hotline", "hotln", "120"), ("other", "line", "3", "861000000", "wrong"), ("abc",))
    run = submit_plan(make_plan(orders), client, ledger).wait()
    record = newest(client, ledger.path)
    assert record is not run
    assert (record.name, record.counts, record.summary) == (run.name, run.counts, run.summary)
    pd.testing.assert_frame_equal(record.table, run.table)
    assert (repr(record), record._repr_html_()) == (repr(run), run._repr_html_())
    assert (record.done, record.finished) == (True, True)
    asked = sum(sandbox.served.values())
    _ = (record.told(), record.orders, record.problems())
    assert sum(sandbox.served.values()) == asked


def test_it_keeps_the_orders_and_their_findings(client: Client, ledger: Ledger) -> None:
    """As they were read, other columns and all; they can be planned again."""
    frame = orders_frame(("sales", "desk", "3", "+86 1000000"), ("abc",)).assign(Site=["Hall", "<b>"])
    plan = make_plan(frame, client, ledger)
    submit_plan(plan, client, ledger).wait()
    orders, findings = newest(client, ledger.path).orders
    assert orders.to_numpy().tolist() == plan.orders.to_numpy().tolist()
    assert orders.columns.tolist() == plan.orders.columns.tolist()
    assert findings.to_numpy().tolist() == plan.findings.to_numpy().tolist()
    assert (
        make_plan(orders, client, ledger).summary
        == "Plan: 0 groups to create (0 phones), 1 already exists, 1 row invalid, 0 in doubt."
    )


def test_its_problems_are_told_from_where_one_was(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """In the order in which they were learnt, none twice."""
    sandbox.app_ids = []
    submit_plan(make_plan(many_orders(6)), client, ledger).wait()
    record = newest(client, ledger.path)
    problems = record.problems()
    assert problems.columns.tolist() == ["receipt", "groupName", "state", "reason", "advice"]
    assert sorted(problems["groupName"]) == [f"group-{at}" for at in range(6)]
    assert problems["receipt"].is_monotonic_increasing
    rest = record.problems(int(problems["receipt"].iloc[3]))
    assert rest["groupName"].tolist() == problems["groupName"].tolist()[4:]
    assert record.problems(int(problems["receipt"].iloc[-1])).empty


def test_an_unknown_that_was_settled_is_a_problem_no_more_in_its_counts(
    sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """It stays told as it happened."""
    sandbox.faults = "drop-after"
    submit_plan(make_plan(many_orders(2)), client, ledger, workers=1).wait()
    record = newest(client, ledger.path)
    assert record.counts == {"created": 2}
    assert record.problems()["state"].tolist() == ["unknown"]


def test_its_result_files_are_those_of_the_run(client: Client, ledger: Ledger, tmp_path: Path) -> None:
    """Byte for byte, in a process that never saw the run."""
    run = submit_plan(make_plan(orders_frame(("sales", "desk"), ("abc",))), client, ledger).wait()
    theirs = run.write_results(tmp_path / "run")
    ours = newest(client, ledger.path).write_results(tmp_path / "record")
    assert ours.keys() == theirs.keys()
    for kind, path in ours.items():
        assert path.read_bytes() == theirs[kind].read_bytes()


def test_a_stopped_run_is_done_and_not_finished(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Until somebody has sent the rest."""
    sandbox.latency = 0.02
    plan = make_plan(many_orders(100), client, ledger)
    run = submit_plan(plan, client, ledger, workers=2)
    assert not newest(client, ledger.path).finished
    until(lambda: sent(sandbox) > 3)
    run.stop()
    record = newest(client, ledger.path)
    assert (record.done, record.finished) == (True, False)
    assert record.summary.startswith("Stopped. ")
    submit_plan(plan, client, ledger).wait()
    assert record.finished
    assert record.counts == {"created": 100}


def test_the_newest_run_is_the_newest_of_those_given(client: Client, ledger: Ledger) -> None:
    """Or the one of a name; None where there is none."""
    assert newest_run(ledger, {}) is None
    first = submit_plan(make_plan(many_orders(1)), client, ledger).wait()
    second = submit_plan(make_plan(many_orders(2)[1:]), client, ledger).wait()
    runs = ledger.runs_of(client.account)
    found = newest_run(ledger, runs)
    assert found is not None
    assert found.name == second.name
    named = newest_run(ledger, runs, first.name)
    assert named is not None
    assert named.name == first.name
    assert newest_run(ledger, runs, "no such run") is None


def test_a_run_of_nothing_is_finished(client: Client, ledger: Ledger, tmp_path: Path) -> None:
    """It says so, and writes nothing."""
    record = RunRecord(None, ledger)
    assert (record.name, record.done, record.finished, record.table.empty) == ("", True, True, True)
    assert "Nothing was sent" in record.summary
    assert record.write_results(tmp_path / "results") == {}
    assert not (tmp_path / "results").exists()


def test_it_is_proven_when_every_created_phone_was_seen(client: Client, ledger: Ledger) -> None:
    """By the run, and whoever asks later; what exists already needs no proof."""
    run = submit_plan(make_plan(many_orders(3)), client, ledger).wait()
    assert run.proven
    assert newest(client, ledger.path).proven
    again = submit_plan(make_plan(many_orders(3), client, ledger), client, ledger).wait()
    assert again.counts == {"exists": 3}
    assert again.proven


@pytest.mark.parametrize("faults", ["", "drop-before*2,query:-18-before*30"])
def test_where_nothing_was_created_nothing_is_to_be_proven(
    faults: str, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """All refused, or all unknown: that is told by their states."""
    sandbox.app_ids, sandbox.faults = ([], None) if not faults else (None, faults)
    run = submit_plan(make_plan(many_orders(2)), client, ledger, workers=1).wait()
    assert set(run.counts) == ({"unknown"} if faults else {"refused"})
    assert run.proven
    assert RunRecord(None, ledger).proven


def test_it_is_not_proven_where_nobody_has_looked(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """The server said that it created them, and its listing cannot be had."""
    sandbox.faults = "query:-18-before*30"
    run = submit_plan(make_plan(many_orders(2)), client, ledger).wait()
    assert run.counts == {"created": 2}
    assert not run.proven
    assert not newest(client, ledger.path).proven


def test_it_is_not_proven_where_one_phone_is_missing(
    sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 of 9; more phones than asked for elsewhere make up for none."""
    create = client.create_phones

    def one_lost(one: PhoneGroup) -> Receipt:
        receipt = create(one)
        if one.group_name == "group-2":
            sandbox.edit_phone(APP, "phone-1-3", groupName="group-2")
        return receipt

    monkeypatch.setattr(client, "create_phones", one_lost)
    run = submit_plan(make_plan(many_orders(3)), client, ledger, workers=1).wait()
    assert "Verified: 8 of 9 phones." in run.summary
    assert not run.proven


@pytest.mark.parametrize("text", SOME_HOSTILE)
def test_it_shows_hostile_names_as_text(text: str, client: Client, ledger: Ledger) -> None:
    """In a cell, where HTML is shown as it is."""
    name = (text + "....")[:32]
    submit_plan(make_plan(orders_frame((name, "desk"))), client, ledger).wait()
    html = newest(client, ledger.path)._repr_html_()
    assert "<img" not in html
    assert "<script" not in html
    assert "<svg" not in html
    assert "<b onclick" not in html
    assert "<!--" not in html


@pytest.mark.slow
def test_a_run_is_done_when_its_process_is_gone(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Not before, and at once when it was killed: then it is unfinished, with the rest not sent."""
    sandbox.latency = 0.05
    with elsewhere(sandbox, ledger, 300) as process:
        record = newest(client, ledger.path)
        assert (record.done, record.finished) == (False, False)
        assert record.summary.startswith("Running. ")
        process.kill()
        process.communicate()
        assert (record.done, record.finished) == (True, False)
        assert record.summary.startswith("Stopped. ")
        assert record.counts["sending"] == 0
        assert record.counts["planned"] > 200
