"""Submitting: everything sent once, everything recorded before it is counted, whatever is pressed or breaks."""

from __future__ import annotations

import re
import threading
from typing import Any

import pandas as pd
import pytest

from itnio_nb import (
    Account,
    Client,
    InputError,
    Ledger,
    LedgerError,
    Plan,
    Run,
    Sandbox,
    StalePlanError,
    State,
    export_credentials,
    make_plan,
    read_orders,
    resume,
    submit_plan,
)
from itnio_nb.api.models import PhoneGroup, Receipt
from itnio_nb.ledger.claims import SyncResult
from itnio_nb.runs.submit import remainder
from tests.support.factories import APP, group, many_orders, orders_frame, sent, until


def test_a_run_creates_what_was_planned(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Sandbox, ledger, counts, table and summary agree; the same plan, or one made anew, sends nothing more."""
    orders = orders_frame(("hotline", "hotln", "120"), ("sales", "desk", "3"), ("abc",))
    plan = make_plan(orders, client, ledger)
    run = submit_plan(plan, client, ledger)
    assert run.wait() is run
    assert (run.done, run.counts, run.counts[State.UNKNOWN]) == (True, {"created": 4}, 0)
    assert run.summary == (
        "Done. Groups: 4 created (123 phones), 0 existed, 0 refused, 0 unknown, 0 not sent. "
        "Verified: 123 of 123 phones. 1 of 3 rows left out."
    )
    assert (run.rows, run.left_out, run.as_asked) == (3, 1, False)
    sizes = {"hotline": 50, "hotline_2": 50, "hotline_3": 20, "sales": 3}
    assert sandbox.phones.groupby("groupName").size().to_dict() == sizes
    assert run.table["row"].tolist() == [2, 2, 2, 3]
    assert set(run.table["state"]) == {"created"}
    assert ledger.runs["finished"].ne("").all()
    for again in (plan, make_plan(orders, client, ledger)):
        run = submit_plan(again, client, ledger).wait()
        assert run.counts == {"exists": 4}
        assert run.summary == (
            "Done. Groups: 0 created (0 phones), 4 existed, 0 refused, 0 unknown, 0 not sent. "
            "1 of 3 rows left out. Nothing was sent: all 4 groups exist already."
        )
    assert "created in run" in run.table["reason"].iloc[0]
    assert sent(sandbox) == 4
    assert ledger.table["state"].tolist() == ["created"] * 4


def test_a_double_click_is_one_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Sixteen submissions of one plan at once: one run, each group sent once."""
    sandbox.latency = 0.02
    plan = make_plan(many_orders(10), client, ledger)
    runs: list[Run] = []
    threads = [threading.Thread(target=lambda: runs.append(submit_plan(plan, client, ledger))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs:
        run.wait(30)
    assert sent(sandbox) == sandbox.served["sipAdd", "0"] == 10
    assert len(ledger.runs) == 1


def test_as_many_requests_are_under_way_as_workers(
    client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never more, and no fewer while there is work: each of two rounds waits for six at once."""
    together = threading.Barrier(6, timeout=30)
    under_way, most, lock = 0, 0, threading.Lock()
    create = client.create_phones

    def counted(one: PhoneGroup) -> Receipt:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        together.wait()
        try:
            return create(one)
        finally:
            with lock:
                under_way -= 1

    monkeypatch.setattr(client, "create_phones", counted)
    run = submit_plan(make_plan(many_orders(12)), client, ledger, workers=6)
    assert run.wait(60).counts == {"created": 12}
    assert most == 6


def test_a_plan_made_anew_is_what_was_confirmed(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """After a stop, its numbers are the run's: what exists by then existed, and the stopped run ends."""
    sandbox.latency = 0.02
    first = submit_plan(make_plan(many_orders(16), client, ledger), client, ledger, workers=2)
    until(lambda: sent(sandbox) >= 3)
    first.stop()
    before = first.counts["created"]
    frame = pd.concat([orders_frame(("abc",)), many_orders(16)], ignore_index=True).assign(Site="Hall")
    plan = make_plan(frame, client, ledger)
    assert plan.summary.startswith(f"Plan: {16 - before} groups to create")
    second = submit_plan(plan, client, ledger).wait()
    assert second.counts == {"created": 16 - before, "exists": before}
    assert sent(sandbox) == 16
    files = second.write_results("results")
    assert sum(len(pd.read_csv(path)) for path in files.values()) == 17
    assert ledger.runs["note"].iloc[0] == f"Run {second.name} took its place."


@pytest.mark.parametrize(
    ("status", "words"), [("-1", "Authentication failed"), ("-2", "Address not allowed"), ("-16", "Timestamp expired")]
)
def test_what_dooms_the_rest_stops_the_rest(sandbox: Sandbox, ledger: Ledger, status: str, words: str) -> None:
    """A few are refused, all others were never sent; mended, the same plan goes on to the end."""
    account = sandbox.account
    if status == "-2":
        sandbox.allowed_addresses = []
    if status == "-16":
        sandbox.faults = "clock=1"  # corrected once, and wrong again
    wrong = Account(account.api_key, "wrong", account.base_url) if status == "-1" else account
    plan = make_plan(many_orders(12))
    with Client(wrong) as client:
        run = submit_plan(plan, client, ledger, workers=1 if status == "-16" else 4).wait()
    assert 1 <= run.counts["refused"] <= 4
    assert run.counts["refused"] + run.counts["planned"] == 12
    assert sent(sandbox) == run.counts["refused"] * (2 if status == "-16" else 1)
    assert run.summary.startswith("Stopped.")
    assert words in run.summary
    sandbox.allowed_addresses, sandbox.faults = None, None
    with Client(account) as client:
        assert submit_plan(plan, client, ledger).wait().counts == {"created": 12}


def test_a_full_application_stops_only_itself(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """-23: its other groups are not sent, the other application's are created."""
    sandbox.cap = 6
    orders = pd.concat([many_orders(10, app_id="full"), orders_frame(("sales", "desk"), ("support", "line"))])
    run = submit_plan(make_plan(orders, client, ledger), client, ledger, workers=4).wait()
    states = run.table.groupby(["appId", "state"]).size().to_dict()
    assert states[APP, "created"] == states["full", "created"] == 2
    assert 1 <= states["full", "refused"] <= 4
    assert states["full", "planned"] == 8 - states["full", "refused"]
    assert run.summary.startswith("Stopped.")
    assert run.summary.endswith("Nothing more was sent to application full (status -23, Data caps).")


def test_a_refusal_concerns_its_group_alone(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """-22 with advice; -20 by a listing: the group is there → existed, only its phone name is → refused."""
    client.create_phones(group("there", "desk"))
    sandbox.app_ids = [APP]
    orders = orders_frame(
        ("there", "desk2"), ("other", "desk"), ("wrong", "wron", "3", "861000000", "wrong"), ("fresh", "line")
    )
    run = submit_plan(make_plan(orders), client, ledger).wait()
    assert run.table["state"].tolist() == ["exists", "refused", "refused", "created"]
    assert run.table["status"].tolist() == ["-20", "-20", "-22", "0"]
    assert "taken by group there" in run.table["reason"].iloc[1]
    assert "Field refused" in run.table["advice"].iloc[2]
    assert run.summary.startswith("Done.")
    assert sandbox.served["sipQuery", "0"] == 2  # both names are believed when two listings agree
    assert ledger.history["state"].tolist().count("unknown") == 2


def test_what_is_not_known_is_unknown(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """-18 for all, listings too: unknown, until the account can be listed."""
    sandbox.broken = True
    run = submit_plan(make_plan(many_orders(5)), client, ledger).wait()
    assert run.counts == {"unknown": 5}
    assert "5 unknown" in run.summary
    assert "Not verified: " in run.summary
    assert ledger.runs["finished"].tolist() == [""]
    sandbox.broken = False
    again = resume(client, ledger).wait()
    assert (again.name, again.counts) == (run.name, {"created": 5})
    assert "Settled by looking: 5 absent and sent again." in again.summary


def test_what_is_in_doubt_is_resolved_and_never_sent(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """More phones than were confirmed must never be made: resolved, then to be planned again."""
    sandbox.broken = True
    submit_plan(make_plan(many_orders(4)), client, ledger).wait()
    sandbox.broken = False
    client.create_phones(group("group-1", "phone-1"))
    before = sent(sandbox)
    plan = make_plan(many_orders(6), client, ledger)
    assert plan.summary == "Plan: 2 groups to create (6 phones), 1 already exists, 0 rows invalid, 3 in doubt."
    run = submit_plan(plan, client, ledger, confirm=6).wait()
    assert run.counts == {"created": 2, "exists": 1, "planned": 3}
    assert "Settled by looking: 1 created, 3 absent: plan again to create them." in run.summary
    assert "created in run" in run.table["reason"].iloc[1] or "the account has it" in run.table["reason"].iloc[1]
    assert sent(sandbox) == before + 2
    last = make_plan(many_orders(6), client, ledger)
    assert submit_plan(last, client, ledger, confirm=9).wait().counts == {"created": 3, "exists": 3}


def test_a_server_that_is_gone_stops_the_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What never left is not sent, not unknown; when the server is back, the plan goes on."""
    plan = make_plan(many_orders(20), client, ledger)
    sandbox.stop()
    run = submit_plan(plan, client, ledger).wait(30)
    assert run.counts == {"planned": 20}
    assert run.summary.startswith("Stopped. Groups: 0 created")
    assert re.search(r"after 1\d failures in a row \(connection refused\): the account does not answer", run.summary)
    sandbox.start()
    assert resume(client, ledger).wait().counts == {"created": 20}


def test_an_empty_plan_is_a_finished_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Nothing to send is in the summary, not an error."""
    run = submit_plan(make_plan(orders_frame(("abc",)), client, ledger), client, ledger).wait()
    assert run.counts == {}
    assert run.table.empty
    assert run.summary.endswith("Nothing was sent: the plan has no valid group.")
    assert sent(sandbox) == 0


def test_what_could_not_be_recorded_is_unknown(
    sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle: the summary tells even those who never wait, and the answer's group is unknown."""
    exchange = ledger.run_store.sync

    def full(run_id: int, owner: str, **what: Any) -> SyncResult:
        if any(position == 5 for position, _ in what["outcomes"]):
            raise LedgerError("disk full")
        return exchange(run_id, owner, **what)

    monkeypatch.setattr(ledger.run_store, "sync", full)
    run = submit_plan(make_plan(many_orders(15)), client, ledger, workers=1)
    until(lambda: run.done)
    made = len(sandbox.phones) // 3
    assert made == sent(sandbox) < 10  # the windows that were claimed by then
    counts = run.counts
    assert (counts.total(), set(counts)) == (15, {"created", "unknown", "planned"})
    assert counts["created"] < made
    assert run.summary.endswith(f"{counts['unknown']} unknown, {counts['planned']} not sent. It failed: disk full")
    with pytest.raises(LedgerError, match="disk full"):
        run.wait()
    monkeypatch.undo()
    assert resume(client, ledger).wait().counts == {"created": 15}
    assert sandbox.served["sipAdd", "0"] == 15


def test_a_stop_ends_the_read_back(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Thousands of pages do not keep anybody waiting: after the page under way it is over, not verified."""
    for at in range(40):  # 20 pages, of which 8 are under way at once
        client.create_phones(group(f"old-{at}", f"old-{at}", 50))
    sandbox.latency = 0.2
    run = submit_plan(make_plan(many_orders(1)), client, ledger)
    until(lambda: sandbox.served["sipQuery", "0"] > 0)  # the read-back is under way
    run.stop()
    assert sandbox.served["sipQuery", "0"] < 20
    assert "Not verified: " in run.summary


def test_a_plan_of_another_account_is_stale(client: Client, ledger: Ledger) -> None:
    """Numbers that were confirmed for one account are not sent to another, nor from a saved plan."""
    plan = make_plan(many_orders(1), client, ledger)
    loaded = Plan.load(plan.save("plan.json"))
    with Sandbox() as other, Client(other.account) as elsewhere:
        for one in (plan, loaded):
            with pytest.raises(StalePlanError, match="another account or address"):
                submit_plan(one, elsewhere, ledger)
        assert not other.served
    assert ledger.runs.empty


def test_a_plan_that_colleagues_made_stale_is_refused(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """With this ledger or their own: the differences are told by group, nothing is sent or opened in the ledger."""
    make_plan(many_orders(5), client, ledger).save("plan.json")
    with Ledger("colleague.sqlite") as other:
        for at, theirs in enumerate((ledger, other), 1):
            submit_plan(make_plan(many_orders(5)[at : at + 1]), client, theirs).wait()
    runs = len(ledger.runs)
    with pytest.raises(StalePlanError) as refused:
        submit_plan(Plan.load("plan.json"), client, ledger)
    words = str(refused.value)
    assert words.startswith("The saved plan is stale: 2 of its 5 groups need something else now. ")
    assert "group-1: create → exists (the account has it: 3 phones" in words
    assert "Plan again with make_plan(plan.orders, client, ledger), and confirm what it shows." in words
    differences = refused.value.differences
    assert differences is not None
    assert differences[["row", "groupName", "planned", "now"]].to_numpy().tolist() == [
        [3, "group-1", "create", "exists"],
        [4, "group-2", "create", "exists"],
    ]
    assert (sent(sandbox), len(ledger.runs)) == (2, runs)
    fresh = make_plan(Plan.load("plan.json").orders, client, ledger)
    assert submit_plan(fresh, client, ledger).wait().counts == {"created": 3, "exists": 2}


def test_many_differences_are_counted(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Three and a count; also where an application is refused meanwhile."""
    make_plan(many_orders(50), client, ledger).save("plan.json")
    sandbox.app_ids = []
    with pytest.raises(StalePlanError, match="; and 47 more") as refused:
        submit_plan(Plan.load("plan.json"), client, ledger)
    assert "group-0: create → invalid (its row has an error now" in str(refused.value)
    assert sent(sandbox) == 0


def test_a_plan_saved_without_an_account_is_compared_when_submitted(client: Client, ledger: Ledger) -> None:
    """It knew nothing of what exists."""
    make_plan(many_orders(2)).save("plan.json")
    client.create_phones(group("group-1", "phone-1"))
    with pytest.raises(StalePlanError, match="1 of its 2 groups needs something else now"):
        submit_plan(Plan.load("plan.json"), client, ledger)
    make_plan(many_orders(2)[:1]).save("plan.json")
    assert submit_plan(Plan.load("plan.json"), client, ledger).wait().counts == {"created": 1}


def test_a_trial_then_the_rest(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Three first; their orders alone are created, an order cut by the trial is not sent yet; then all.

    What a trial has created is handed over with the rest, what somebody else had made is not.
    """
    client.create_phones(group("there", "phone"))
    orders = orders_frame(("hotline", "hotln", "120"), ("sales", "desk", "3"), ("abc",), ("there", "phone"))
    plan = make_plan(orders, client, ledger)
    trial = submit_plan(plan.first(2), client, ledger).wait()
    assert trial.counts == {"created": 2}
    files = trial.write_results("results")
    rows = {kind: read_orders(path).shape[0] for kind, path in files.items()}
    assert rows == {"created": 0, "existed": 0, "refused": 0, "unknown": 0, "notsent": 3, "invalid": 1}
    cut = pd.read_csv(files["notsent"])["itnio_reason"].tolist()
    assert cut == ["1 of 3 groups: not part of this run", *["not part of this run"] * 2]
    rest = submit_plan(plan, client, ledger).wait()
    assert rest.counts == {"created": 2, "exists": 3}
    assert sent(sandbox) == 5
    assert rest.table["created_in"].ne("").tolist() == [True, True, True, True, False]
    assert len(pd.read_csv(export_credentials(client, APP, rest.table, "phones.csv"))) == 123


def test_the_confirmed_number_must_be_the_plans(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Another number sends nothing and names the right one; a plan with nothing to create needs none."""
    plan = make_plan(many_orders(4), client, ledger)
    with pytest.raises(InputError, match=r"the plan creates 12 phones, and 867 were confirmed.* confirm=12\."):
        submit_plan(plan, client, ledger, confirm=867)
    with pytest.raises(InputError, match="and '12' were confirmed"):
        submit_plan(plan, client, ledger, confirm="12")  # type: ignore[arg-type] # as a form would give it
    assert sent(sandbox) == 0
    assert submit_plan(plan, client, ledger, confirm=12).wait().counts == {"created": 4}
    assert submit_plan(make_plan(many_orders(4), client, ledger), client, ledger, confirm=12).wait().counts == {
        "exists": 4
    }


def test_a_live_account_needs_the_number(ledger: Ledger) -> None:
    """Nothing leaves without it, and the error names it; a plan with nothing to create needs none."""
    with Client(Account("key", "secret", "https://localhost:9/voice")) as client:
        with pytest.raises(InputError, match=r"a live account, and the plan creates 12 phones .* confirm=12\."):
            submit_plan(make_plan(many_orders(4)), client, ledger)
        assert submit_plan(make_plan(orders_frame(("abc",))), client, ledger).wait().counts == {}
        assert submit_plan(make_plan(many_orders(4)), client, ledger, apply=False).done
    assert ledger.table.empty


def test_what_is_left_of_a_run_can_be_confirmed(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Not sent, and refused for what was mended since; another number sends nothing, nor one while some are unknown."""
    sandbox.cap = 3
    run = submit_plan(make_plan(many_orders(4)), client, ledger, workers=1, rate=100).wait()
    left = remainder(run)
    assert left.groups["state"].tolist() == ["refused", "planned", "planned"]
    assert (left.phones, left.refused, len(left.unknown), left.terms) == (9, 1, 0, (1, 100, 12))
    sandbox.cap, asked = None, sent(sandbox)
    for wrong in (12, 0, "9", 9.0, True):
        with pytest.raises(InputError, match=r"9 phones are left to send, and .* confirm 9"):
            resume(client, ledger, confirm=wrong)  # type: ignore[arg-type] # as a form might give it
    assert sent(sandbox) == asked
    sandbox.faults = ",".join(["500-before", *["query:-18-before"] * 60])
    resume(client, ledger, confirm=9).wait()
    sandbox.faults = None
    assert remainder(run).unknown["groupName"].tolist() == ["group-1"]
    with pytest.raises(InputError, match=r"it is not known what became of 1 group.* Settle what is unknown first"):
        resume(client, ledger, confirm=0)
    assert resume(client, ledger).wait().counts == {"created": 4}
    assert (remainder(run).phones, len(remainder(run).unknown)) == (0, 0)


def test_a_dry_run_sends_nothing_and_says_so(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """It is over, has the plan's groups, and writes and draws nothing; a wrong number is refused all the same."""
    client.create_phones(group("group-1", "phone-1"))
    plan = make_plan(many_orders(3), client, ledger)
    asked = sum(sandbox.served.values())
    run = submit_plan(plan, client, ledger, apply=False)
    assert run.done
    assert run.wait() is run
    assert repr(run) == run.summary == f"Dry run: nothing was sent. {plan.summary}"
    assert "Dry run" in run._repr_html_()
    assert run.counts == {"planned": 2, "exists": 1}
    assert list(run.table) == list(resume(client, ledger).table)  # of any run
    assert (repr(run.charts()), run.write_results("results")) == ("Nothing to draw.", {})
    with pytest.raises(InputError, match="6 phones, and 7 were confirmed"):
        submit_plan(plan, client, ledger, apply=False, confirm=7)
    assert sum(sandbox.served.values()) == asked
    assert ledger.runs.empty


@pytest.mark.parametrize("apply", ["no", "False", "", 0, 1, None])
def test_nothing_but_true_sends(apply: Any, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A text or a number, as a scheduler's template gives it, is an error and neither of the two."""
    with pytest.raises(InputError, match=f"apply is True, to send, or False, for a dry run, and not {apply!r}"):
        submit_plan(make_plan(many_orders(1)), client, ledger, apply=apply)
    assert not sandbox.served


def test_what_is_no_plan_client_ledger_or_option_is_refused(client: Client, ledger: Ledger) -> None:
    """Before anything is opened, by resume too; the two have one order. Bounds: see `RunOptions`."""
    plan = make_plan(many_orders(1))
    for wrong in ((client, None), (None, ledger), (ledger, client)):
        with pytest.raises(InputError, match=r"submit_plan\(plan, client, ledger\)"):
            submit_plan(plan, *wrong)
    options: list[dict[str, Any]] = [{"workers": 300}, {"rate": float("nan")}]
    for one in options:
        with pytest.raises(InputError, match=r"at least 1 worker and at most 64|such as 5 or 0\.5"):
            submit_plan(plan, client, ledger, **one)
        with pytest.raises(InputError, match=r"at least 1 worker and at most 64|such as 5 or 0\.5"):
            resume(client, ledger, **one)
    assert ledger.runs.empty
